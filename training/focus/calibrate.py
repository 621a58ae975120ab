"""Fit what the scores of a backend mean, on rendered scenes, and write it where the package reads it.

    python -m training.focus.calibrate

Scenes are of the test split (shapes, textures and colours that no training saw), with other seeds than
those of ``benchmarks/focus.py``. The error that is written down is that of scenes that were held out in turns
(five folds). Run it again whenever the weights of the backend change. It takes about a minute of one core.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from training.kept import whole
from training.logistic import logistic_regression
from training.scenes import make_scene
from vla_attention.focus import find_regions
from vla_attention.focus.confidence import FEATURES, FILE, Confidence, calibration_error, features
from vla_attention.grounding import GroundingBackend, make_backend

FIRST = 9_000       # seed; benchmarks/focus.py begins at 7,000
FOLDS = 5
SIZE = (640, 480)
RIDGE = 1.0
DOUBT = 0.5         # presence below which no region is given, as in the pipeline


def answers(backend: GroundingBackend, seeds: range) -> Iterator[tuple[int, np.ndarray, bool]]:
    """Yield seed, features and whether the best region's point is on the thing, for each phrase.

    Phrases whose thing is not in view count too: whatever is found then is wrong.
    """
    for seed in tqdm(seeds, unit='scene', disable=None):
        scene = make_scene(seed, size=SIZE, split='test', depth_noise=False)
        texts = [(phrase.text_en, phrase.text_ko)[number % 2] for number, phrase in enumerate(scene.phrases)]
        maps = backend.attend(scene.image, backend.encode(texts))
        for index, phrase in enumerate(scene.phrases):
            boxes = np.asarray(maps.boxes[index], float)
            if maps.presence[index] < DOUBT or not len(boxes):
                continue
            region = find_regions(maps, index, 'target', image=scene.image, plural=False)[0]
            x, y = (int(value) for value in region.point)
            share = float((boxes[0, 2:4] - boxes[0, :2]).prod()) / (SIZE[0] * SIZE[1])
            yield (seed, features(float(maps.presence[index]), boxes[:, 4], [share])[0],
                   bool(phrase.target_id) and scene.instances[y, x] == phrase.target_id)


def fit(table: np.ndarray, hits: np.ndarray) -> Confidence:
    """Fit a logistic regression with a light ridge on standardised features.

    :param table: (N, 4) features.
    :param hits: (N,) 0 or 1.
    :raises ValueError: no answers, or all right or all wrong.
    """
    if not 0 < hits.sum() < len(hits):
        raise ValueError(f'{int(hits.sum())} of {len(hits)} answers are right: nothing to fit')
    middle, spread = table.mean(axis=0), np.maximum(table.std(axis=0), 1e-6)
    *weights, bias = logistic_regression((table - middle) / spread, hits, ridge=RIDGE)
    slopes = np.array(weights) / spread
    return Confidence(float(bias - slopes @ middle), tuple(float(value) for value in slopes))


def main() -> None:
    """Fit, check on held-out scenes, and write."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--backend', default='embedded', help='default: embedded')
    parser.add_argument('--scenes', type=int, default=60, help='how many (default: 60)')
    parser.add_argument('--out', type=Path, default=FILE, help='default: the file in the package')
    options = parser.parse_args()
    backend = make_backend(options.backend)
    found = list(answers(backend, range(FIRST, FIRST + options.scenes)))
    fold = np.array([seed for seed, _, _ in found]) % FOLDS
    table, hits = np.array([row for _, row, _ in found]), np.array([hit for _, _, hit in found], float)
    held_out = np.empty(len(hits))
    for each in range(FOLDS):
        part = fit(table[fold != each], hits[fold != each])
        held_out[fold == each] = part.of(table[fold == each])
    confidence = fit(table, hits)
    entries = json.loads(options.out.read_text(encoding='utf-8')) if options.out.is_file() else {}
    entries[options.backend] = {
        'bias': round(confidence.bias, 4),
        'slopes': {name: round(value, 4) for name, value in zip(FEATURES, confidence.slopes, strict=True)},
        'answers': len(hits), 'right': round(float(hits.mean()), 3),
        'calibration error, held-out scenes': round(calibration_error(held_out, hits), 3)}
    with whole(options.out) as file:
        file.write_text(json.dumps(entries, indent=2) + '\n', encoding='utf-8')
    print(json.dumps(entries[options.backend]))


if __name__ == '__main__':
    main()
