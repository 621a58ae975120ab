"""Crops of photographs, mixed and rendered scenes, as the second look sees them, cached as features.

A crop is right for a word when its box fits a thing of that kind, wrong when it shows something else or only
a part: so the second look learns kinds and the fit of boxes at once, and where the thing's own box is. The
cache holds features at stride 16, from where on the second look has layers of its own, and the mean of the
backbone's last ones. Resumable: a shard that is there is left alone. Run from the repository root::

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
from vla_attention.grounding.embedded import EmbeddedBackend
from vla_attention.grounding.proposals import from_patches, iou
from vla_attention.grounding.second_look import crop_side, cut
from vla_attention.vision.engine import OpenVinoEngine

SHARD = 2000        # crops in a shard
BATCH = 8
LEAST_REACH = 0.3   # IoU from which a crop may be asked where its thing's box is
PROPOSED = 10       # boxes of the first look that are taken of a scene
SHIFTS = ((0.06, 0.1), (0.06, 0.1), (0.15, 0.25), (0.5, 0.5))     # how far boxes are off: place, log size


@dataclass(frozen=True)
class Crop:
    """A crop (SIDE, SIDE, 3) uint8 RGB and how its box meets the things around.

    ``things``: (kind, IoU of the crop's box with the thing's). ``open_kinds``: kinds of which there may be
    more in the crop than is labelled. ``all_labelled``: there is nothing else in the picture. ``reach``: the
    box of the thing that the crop's box meets best, in sides of the crop from its middle; None without any.
    """

    image: np.ndarray
    things: tuple[tuple[str, float], ...]
    open_kinds: tuple[str, ...]
    all_labelled: bool
    reach: tuple[float, ...] | None


def crops_of(scene: Composite, random: np.random.Generator, most: int = 14,
             proposed: np.ndarray | None = None) -> Iterator[Crop]:
    """Cut boxes out of a scene: things that are in it, now and then off, and places without any.

    :param proposed: (N, 4) boxes of a first look, which are cut out too.
    """
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
    if proposed is not None:
        asked.extend(proposed)
    for box in asked:
        box = np.clip(box, 0, (width, height, width, height)).astype(np.float32)
        if min(box[2:] - box[:2]) < 6:
            continue
        overlaps = iou(box, boxes) if len(boxes) else np.zeros(0)
        kinds = [kind for kind, _, _, boxed in scene.objects if boxed]
        things = [(kind, float(overlap)) for kind, overlap in zip(kinds, overlaps, strict=True)]
        within = [(of_kinds, of_all, number)
                  for number, (region, of_kinds, of_all) in enumerate(scene.regions) if _meet(box, region)]
        doubtful = {number for of_kinds, _, number in within if not of_kinds}
        unboxed = {kind for kind, other, region, boxed in scene.objects
                   if region in doubtful or (_meet(box, other) if boxed is None else
                                             not boxed and any(region == number for *_, number in within))}
        yield Crop(cut(scene.image, box[None])[0], tuple(pair for pair in things if pair[1] > 0.05),
                   tuple(sorted(unboxed)), all(of_all for _, of_all, _ in within),
                   in_crop(box, boxes[overlaps.argmax()]) if overlaps.max(initial=0) > LEAST_REACH else None)


def in_crop(box: np.ndarray, other: np.ndarray) -> tuple[float, ...]:
    """Return another box (4,) in sides of the square that is cut out around a box (4,), from its middle."""
    middle, side = (box[:2] + box[2:]) / 2, crop_side(box)
    return tuple(((other - np.tile(middle, 2)) / side).round(4).tolist())


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


class FirstLook:
    """Proposes boxes, whatever the thing, by the first look of a weights file."""

    def __init__(self, weights: Path) -> None:
        self.backend = EmbeddedBackend(weights, looks=0, threads=1, precision='bf16')
        self.anything = self.backend.encode(['the object'])

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Return (N, 4) boxes in pixels of an image, the likeliest things first."""
        view = self.backend.view(image, self.anything)
        return view.to_image(from_patches(view.objectness, view.reach, view.size, most=PROPOSED).boxes)


def write_shard(path: Path, crops: list[Crop], engine: OpenVinoEngine) -> None:
    """Write the features (fp16) and labels of some crops."""
    features, pooled = [], []
    for start in range(0, len(crops), BATCH):
        images = np.stack([crop.image for crop in crops[start:start + BATCH]])
        missing = BATCH - len(images)
        _, sixteenth, embedding = engine(np.concatenate([images, np.repeat(images[:1], missing, 0)]))
        features.append(sixteenth[:len(images)].half())
        pooled.append(embedding[:len(images)].mean(dim=(2, 3)).half())
    labels = [(crop.things, crop.open_kinds, crop.all_labelled, crop.reach) for crop in crops]
    part = path.with_suffix('.part.npz')
    np.savez(part, features=torch.cat(features).numpy(), pooled=torch.cat(pooled).numpy(),
             labels=np.frombuffer(json.dumps(labels).encode(), np.uint8))
    part.replace(path)


def _holds(path: Path, count: int) -> bool:
    """Tell whether a shard is there with so many crops: the last one of a shorter run has fewer."""
    return path.exists() and len(json.loads(np.load(path)['labels'].tobytes())) >= count


def main() -> None:
    """Fill the cache."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--photos', type=Path, help='folder of photographs with labels.jsonl')
    parser.add_argument('--rendered', type=Path, nargs='*', default=[], help='folders of rendered scenes')
    parser.add_argument('--mixed', type=int, default=0, help='mixed scenes to make of the photographs')
    parser.add_argument('--rounds', type=int, default=1, help='times that each photograph is seen')
    parser.add_argument('--backbone', type=Path, required=True, help='what convert_backbone.py wrote')
    parser.add_argument('--first', type=Path,
                        help='weights whose first look proposes boxes in scenes, as at run time')
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--split', choices=('train', 'val'), default='train')
    parser.add_argument('--seed', type=int, default=0)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    engine = OpenVinoEngine(load_backbone(arguments.backbone), threads=1, precision='bf16')
    random = np.random.default_rng(arguments.seed)
    first = FirstLook(arguments.first) if arguments.first else None

    def scenes() -> Iterator[tuple[Composite, bool]]:
        """Yield scenes, and whether they show a place with several things."""
        if arguments.photos:
            photos = load_photos(arguments.photos, arguments.split)
            for _ in range(arguments.rounds):
                for index in random.permutation(len(photos)):
                    yield photographed(photos[index], random), False
            sampler = PhotoSampler(photos)
            for _ in range(arguments.mixed):
                yield make_composite(sampler, random), True
        for folder in arguments.rendered:
            for scene in rendered(folder):
                yield scene, True

    crops: list[Crop] = []
    number, begin = 0, time.perf_counter()
    for scene, several in scenes():
        crops += crops_of(scene, random, proposed=first(scene.image) if first and several else None)
        if len(crops) >= SHARD:
            path = arguments.out / f'{number:04d}.npz'
            if not _holds(path, SHARD):
                write_shard(path, crops[:SHARD], engine)
            print(f'{path.name} {time.perf_counter() - begin:.0f} s', flush=True)
            crops, number = crops[SHARD:], number + 1
    path = arguments.out / f'{number:04d}.npz'
    if crops and not _holds(path, len(crops)):
        write_shard(path, crops, engine)


if __name__ == '__main__':
    main()
