"""Features of composites and of rendered scenes by the frozen backbone, cached in shards.

Resumable: a shard that is there is left alone. Run from the repository root::

    python -m training.grounding.features --photos FOLDER --backbone FILE --out CACHE --shards 30
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from safetensors.torch import load_file
from torch.nn import functional

from training.grounding.composites import HEIGHT, WIDTH, Composite, make_composite
from training.grounding.photos import PhotoSampler, load_photos
from training.scenes.dataset import load_scene, read_labels
from vla_attention.language.lexicon import load_lexicon
from vla_attention.vision.backbone import EfficientNetLite0
from vla_attention.vision.engine import OpenVinoEngine

SHARD = 100         # pictures in a shard
LEAST_VISIBLE = 0.25        # share of a thing from which it is taught


def rendered(folder: Path, records: Iterable[dict[str, Any]] | None = None) -> Iterator[Composite]:
    """Yield the rendered scenes of a folder at the composites' size; all of their objects have boxes.

    A thing that is nearly hidden is there as unknown: left out, its place would be taught as background.

    :param records: labels of the scenes to take, as :func:`read_labels` gives them; all where None.
    """
    lexicon = load_lexicon()
    for record in read_labels(folder) if records is None else records:
        scene = load_scene(folder, record)
        scale = np.tile((WIDTH / scene.image.shape[1], HEIGHT / scene.image.shape[0]), 2)
        image = cv2.resize(scene.image, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
        objects = [(lexicon.lookup('kinds', thing.kind, 'en'), tuple(np.array(thing.box2d) * scale), 0,
                    True if thing.visible > LEAST_VISIBLE else None) for thing in scene.objects]
        yield Composite(image, objects, [((0, 0, WIDTH, HEIGHT), True, True)])


def load_backbone(path: Path) -> EfficientNetLite0:
    """Return the frozen backbone."""
    model = EfficientNetLite0()
    model.load_state_dict({name: tensor.float() for name, tensor in load_file(str(path)).items()})
    return model.eval()


def write_shard(path: Path, scenes: list[Composite], engine: OpenVinoEngine) -> None:
    """Write the features (fp16) and labels of some scenes."""
    fine, coarse = [], []
    for scene in scenes:
        eighth, sixteenth, embedding = engine(scene.image)
        fine.append(torch.cat([sixteenth, functional.avg_pool2d(eighth, 2)], dim=1).half())
        coarse.append(embedding.half())
    labels = [{'objects': [(kind, [round(float(v), 1) for v in box], region, boxed)
                           for kind, box, region, boxed in scene.objects],
               'regions': [([float(v) for v in box], of_kinds, of_all)
                           for box, of_kinds, of_all in scene.regions]} for scene in scenes]
    thumbnails = np.stack([cv2.resize(scene.image, (WIDTH // 4, HEIGHT // 4), interpolation=cv2.INTER_AREA)
                           for scene in scenes])
    part = path.with_suffix('.part.npz')
    np.savez(part, fine=torch.cat(fine).numpy(), coarse=torch.cat(coarse).numpy(), thumbnails=thumbnails,
             labels=np.frombuffer(json.dumps(labels).encode(), np.uint8))
    part.replace(path)


def main() -> None:
    """Fill the cache."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--photos', type=Path, help='folder of photographs with labels.jsonl')
    parser.add_argument('--rendered', type=Path, help='folder of rendered scenes (python -m training.scenes)')
    parser.add_argument('--backgrounds', type=Path, help='rendered scenes to paste photographed things onto')
    parser.add_argument('--backbone', type=Path, required=True, help='what convert_backbone.py wrote')
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--split', choices=('train', 'val'), default='train')
    parser.add_argument('--shards', type=int, default=30)
    parser.add_argument('--first', type=int, default=0,
                        help='number of the first shard, and its seed; rendered scenes before it are skipped')
    arguments = parser.parse_args()
    shards, skipped = arguments.shards, arguments.first * SHARD
    if arguments.rendered:
        count = sum(1 for _ in read_labels(arguments.rendered))
        shards = min(shards, (count - skipped) // SHARD)
        if shards < 1:
            parser.error(f'--rendered {arguments.rendered}: nothing to write, it has {count} scenes; shard '
                         f'{arguments.first} takes {SHARD} after the first {skipped}')
        left = count - skipped - shards * SHARD
        if left:
            print(f'the last {left} of {count} scenes are left out: {shards} shards of {SHARD} are asked for '
                  'or full', flush=True)
    arguments.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    engine = OpenVinoEngine(load_backbone(arguments.backbone), threads=1)
    backgrounds = list(rendered(arguments.backgrounds))[:400] if arguments.backgrounds else None
    sampler = PhotoSampler(load_photos(arguments.photos, arguments.split)) if arguments.photos else None
    labels = islice(read_labels(arguments.rendered), skipped, None) if arguments.rendered else None
    for number in range(arguments.first, arguments.first + shards):
        path = arguments.out / f'{number:04d}.npz'
        records = None if labels is None else list(islice(labels, SHARD))
        if path.exists():
            continue
        begin = time.perf_counter()
        if records is not None:
            scenes = list(rendered(arguments.rendered, records))
        else:
            random = np.random.default_rng((number, arguments.split == 'val'))
            scenes = [make_composite(sampler, random, backgrounds) for _ in range(SHARD)]
        write_shard(path, scenes, engine)
        print(f'{path.name}: {(time.perf_counter() - begin) / len(scenes):.3f} s a picture', flush=True)


if __name__ == '__main__':
    main()
