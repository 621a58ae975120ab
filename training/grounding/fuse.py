"""Fit how much the first and the second look count: logistic regression on candidates of unseen scenes.

Run from the repository root::

    python -m training.grounding.fuse --head RUN/head.safetensors --crops CROPS/02.safetensors \
        CROPS/09.safetensors --photos FOLDER --rendered SCENES --backbone FILE --out CROPS/crops.safetensors
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch

from training.grounding.composites import Composite, make_composite
from training.grounding.features import rendered
from training.grounding.groups import may_be, names_of
from training.grounding.measure import auroc
from training.grounding.pack import mean_of, pack
from training.grounding.photos import PhotoSampler, load_photos
from training.grounding.run import save_learned
from training.logistic import logistic_regression
from vla_attention.grounding.embedded import EmbeddedBackend
from vla_attention.grounding.proposals import iou

FITS, MISSES = 0.5, 0.3     # IoU from which a box is right, and up to which it is wrong
RIDGE = 2e-4        # beside a sum of shares of 1
ABSENT = 3                  # words asked of a scene that does not show them


def examples(backend: EmbeddedBackend, scene: Composite, vocabulary: list[str],
             random: np.random.Generator) -> Iterator[tuple[np.ndarray, bool]]:
    """Yield (evidence, right) of the candidates that the words of a scene bring up."""
    shown = sorted({name for kind, _, _, boxed in scene.objects if boxed is not None
                    for name in names_of(kind)} & set(vocabulary))
    others = [word for word in vocabulary
              if not any(may_be(kind, word) for kind, *_ in scene.objects)]
    words = shown[:8] + list(random.choice(others, ABSENT, replace=False))
    encoded = backend.encode(words)
    view = backend.view(scene.image, encoded)
    for word, phrase in zip(words, encoded.phrases, strict=True):
        boxes = view.shortlist(phrase)
        evidence = view.evidence(phrase.kind, boxes)
        for box, values in zip(view.to_image(boxes), evidence, strict=True):
            things = [(kind, float(iou(box, np.array(other, np.float32)[None])[0]), region, boxed)
                      for kind, other, region, boxed in scene.objects]
            if any(overlap >= FITS and boxed and word in names_of(kind)
                   for kind, overlap, _, boxed in things):
                yield values, True
            elif not any(overlap > MISSES and may_be(kind, word) for kind, overlap, *_ in things) and all(
                    scene.regions[region][1] for kind, _, region, _ in things if may_be(kind, word)):
                yield values, False


def fit(evidence: np.ndarray, right: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return (4,) weights and bias of a logistic regression in which each group counts alike."""
    counts = np.bincount(groups)
    shares = 1 / counts[groups] / len(counts)
    return logistic_regression(evidence, right, ridge=RIDGE, shares=shares).astype(np.float32)


def main() -> None:
    """Fit, and write the second look with the weights."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--head', type=Path, nargs='+', required=True, help='as pack.py takes it')
    parser.add_argument('--crops', type=Path, nargs='+', required=True,
                        help='passes of train_crops.py, of which the mean is taken')
    parser.add_argument('--photos', type=Path, required=True, help='photographs; their split "val" is used')
    parser.add_argument('--rendered', type=Path, required=True, help='rendered scenes that no training saw')
    parser.add_argument('--scenes', type=int, default=100, help='of each')
    parser.add_argument('--backbone', type=Path, required=True, help='what convert_backbone.py wrote')
    parser.add_argument('--out', type=Path, required=True, help='the second look, as pack.py takes it')
    parser.add_argument('--threads', type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    cv2.setNumThreads(1)
    second, vocabulary = mean_of(arguments.crops)
    with tempfile.TemporaryDirectory() as folder:
        crops, weights = (Path(folder) / f'{name}.safetensors' for name in ('crops', 'embedded'))
        save_learned(crops, second, vocabulary)
        pack(arguments.head, crops, arguments.backbone, weights, '')
        backend = EmbeddedBackend(weights, threads=arguments.threads)
    random = np.random.default_rng(0)
    sampler = PhotoSampler(load_photos(arguments.photos, 'val'))
    sources = (rendered(arguments.rendered),
               (make_composite(sampler, random) for _ in range(arguments.scenes)))
    found = [(values, right, group) for group, scenes in enumerate(sources)
             for scene, _ in zip(scenes, range(arguments.scenes), strict=False)
             for values, right in examples(backend, scene, vocabulary, random)]
    evidence = np.stack([values for values, _, _ in found])
    right, groups = (np.array([entry[i] for entry in found]) for i in (1, 2))
    fusion = fit(evidence, right, groups)
    for group, name in enumerate(('rendered', 'mixed')):
        chosen = groups == group
        scores = {'first': evidence[:, 0], 'second': evidence[:, 2], 'both': evidence @ fusion[:-1]}
        told = ', '.join(f'{what} {auroc(score[chosen & right], score[chosen & ~right]):.3f}'
                         for what, score in scores.items())
        print(name, f'{chosen.sum()} candidates, {right[chosen].mean():.2f} right; AUROC', told)
    print('weights', fusion.round(3).tolist())
    save_learned(arguments.out, {**second, 'fusion': torch.from_numpy(fusion)}, vocabulary)


if __name__ == '__main__':
    main()
