"""Crops of photographs, mixed and rendered scenes, as the second look sees them, cached as features.

A crop is right for a word when its box fits a thing of that kind, wrong when it shows something else or only
a part: so the second look learns kinds and the fit of boxes at once. Resumable: a shard that is there is left
alone. Run from the repository root::

    python -m training.grounding.crops --photos FOLDER --rendered SCENES --backbone FILE --out CACHE
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from training.grounding.composites import Composite, camera_effects, make_composite
from training.grounding.features import load_backbone, rendered
from training.grounding.photos import Photo, PhotoSampler, load_photos, read_image
from vla_attention.grounding.proposals import iou
from vla_attention.grounding.second_look import cut
from vla_attention.vision.engine import OpenVinoEngine

SHARD = 2000        # crops in a shard
BATCH = 8
SHIFTS = ((0.06, 0.1), (0.06, 0.1), (0.15, 0.25), (0.5, 0.5))     # how far boxes are off: place, log size


@dataclass(frozen=True)
class Crop:
    """A crop (SIDE, SIDE, 3) uint8 RGB and how its box meets the things around.

    ``things``: (kind, IoU of the crop's box with the thing's). ``open_kinds``: kinds of which there may be
    more in the crop than is labelled. ``all_labelled``: there is nothing else in the picture.
    """

    image: np.ndarray
    things: tuple[tuple[str, float], ...]
    open_kinds: tuple[str, ...]
    all_labelled: bool


def crops_of(scene: Composite, random: np.random.Generator, most: int = 14) -> Iterator[Crop]:
    """Cut boxes out of a scene: things that are in it, now and then off, and places without any."""
    boxes = np.array([box for _, box, _, boxed in scene.objects if boxed], np.float32).reshape(-1, 4)
    height, width = scene.image.shape[:2]
    chosen = [boxes[i] for i in random.permutation(len(boxes))[:most]]
    asked = [_shifted(box, random) for box in chosen]
    for box in chosen[:2]:                      # a part of a thing, or a thing and much around it
        middle, size = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
        scale = np.exp(random.choice((-1, 1)) * random.uniform(0.6, 1.2))
        middle = middle + random.uniform(-0.4, 0.4, 2) * size * max(1 - scale, 0)
        asked.append(np.concatenate([middle - size * scale / 2, middle + size * scale / 2]))
    for _ in range(1 + len(chosen) // 4):       # anywhere
        size = np.exp(random.uniform(np.log(0.05), np.log(0.5), 2)) * (width, height)
        corner = random.uniform(0, 1, 2) * np.maximum((width, height) - size, 1)
        asked.append(np.concatenate([corner, corner + size]))
    for box in asked:
        box = np.clip(box, 0, (width, height, width, height)).astype(np.float32)
        if min(box[2:] - box[:2]) < 6:
            continue
        things = [(kind, float(iou(box, np.array(other, np.float32)[None])[0]))
                  for kind, other, _, boxed in scene.objects if boxed]
        within = [(of_kinds, of_all, number)
                  for number, (region, of_kinds, of_all) in enumerate(scene.regions) if _meet(box, region)]
        doubtful = {number for of_kinds, _, number in within if not of_kinds}
        unboxed = {kind for kind, _, region, boxed in scene.objects
                   if region in doubtful or (not boxed and any(region == number for *_, number in within))}
        yield Crop(cut(scene.image, box[None])[0], tuple(pair for pair in things if pair[1] > 0.05),
                   tuple(sorted(unboxed)), all(of_all for _, of_all, _ in within))


def _meet(box: np.ndarray, region: tuple[float, ...]) -> bool:
    return all(min(box[i + 2], region[i + 2]) > max(box[i], region[i]) for i in (0, 1))


def _shifted(box: np.ndarray, random: np.random.Generator) -> np.ndarray:
    place, scale = SHIFTS[random.integers(len(SHIFTS))]
    size = box[2:] - box[:2]
    middle = (box[:2] + box[2:]) / 2 + random.normal(0, place, 2) * size
    size = size * np.exp(random.normal(0, scale)) * np.exp(random.normal(0, scale / 2, 2))
    return np.concatenate([middle - size / 2, middle + size / 2])


def photographed(photo: Photo, random: np.random.Generator) -> Composite:
    """Return a photograph as a scene of its own, with what cameras do to it."""
    image = read_image(photo.path)
    boxed = [(thing.kind, thing.box) for thing in photo.things if thing.box is not None]
    width, height = image.shape[1], image.shape[0]
    objects = [(kind, box, 0, True) for kind, box in boxed]
    if not boxed:           # labelled as a whole: the thing fills the picture, more or less
        objects = [(thing.kind, (0.06 * width, 0.06 * height, 0.94 * width, 0.94 * height), 0, True)
                   for thing in photo.things]
    scene = Composite(camera_effects(image, random), objects,
                      [((0, 0, width, height), photo.exhaustive and bool(boxed), False)])
    if random.random() < 0.5:
        scene.image = np.ascontiguousarray(scene.image[:, ::-1])
        scene.objects = [(kind, (width - box[2], box[1], width - box[0], box[3]), region, True)
                         for kind, box, region, _ in scene.objects]
    return scene


def write_shard(path: Path, crops: list[Crop], engine: OpenVinoEngine) -> None:
    """Write the features (fp16) and labels of some crops."""
    features = []
    for start in range(0, len(crops), BATCH):
        images = np.stack([crop.image for crop in crops[start:start + BATCH]])
        missing = BATCH - len(images)
        embedding = engine(np.concatenate([images, np.repeat(images[:1], missing, 0)]))[2]
        features.append(embedding[:len(images)].flatten(2).transpose(1, 2).half())
    labels = [(crop.things, crop.open_kinds, crop.all_labelled) for crop in crops]
    part = path.with_suffix('.part.npz')
    np.savez(part, features=torch.cat(features).numpy(),
             labels=np.frombuffer(json.dumps(labels).encode(), np.uint8))
    part.replace(path)


def main() -> None:
    """Fill the cache."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--photos', type=Path, help='folder of photographs with labels.jsonl')
    parser.add_argument('--rendered', type=Path, nargs='*', default=[], help='folders of rendered scenes')
    parser.add_argument('--mixed', type=int, default=0, help='mixed scenes to make of the photographs')
    parser.add_argument('--rounds', type=int, default=1, help='times that each photograph is seen')
    parser.add_argument('--backbone', type=Path, required=True, help='what convert_backbone.py wrote')
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--split', choices=('train', 'val'), default='train')
    parser.add_argument('--seed', type=int, default=0)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    engine = OpenVinoEngine(load_backbone(arguments.backbone), threads=1)
    random = np.random.default_rng(arguments.seed)

    def scenes() -> Iterator[Composite]:
        if arguments.photos:
            photos = load_photos(arguments.photos, arguments.split)
            for _ in range(arguments.rounds):
                for index in random.permutation(len(photos)):
                    yield photographed(photos[index], random)
            sampler = PhotoSampler(photos)
            for _ in range(arguments.mixed):
                yield make_composite(sampler, random)
        for folder in arguments.rendered:
            yield from rendered(folder)

    crops: list[Crop] = []
    number, begin = 0, time.perf_counter()
    for scene in scenes():
        crops += crops_of(scene, random)
        if len(crops) >= SHARD:
            path = arguments.out / f'{number:04d}.npz'
            if not path.exists():
                write_shard(path, crops[:SHARD], engine)
            print(f'{path.name} {time.perf_counter() - begin:.0f} s', flush=True)
            crops, number = crops[SHARD:], number + 1
    if crops:
        write_shard(arguments.out / f'{number:04d}.npz', crops, engine)


if __name__ == '__main__':
    main()
