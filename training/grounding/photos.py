"""Photographs with labels of kinds and boxes, and things cut out of them."""

from __future__ import annotations

import json
import zlib
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

# sources whose pictures show more of the labelled kind than has a box
PARTIAL_SOURCES = ('groceries-object-detection', 'GroceryStoreDataset', 'ecocup', 'fruit_recognition',
                   'Rokey')
CUT_SIDE = 88       # pixels of the longer side at which a thing is cut out


@dataclass(frozen=True)
class Thing:
    """A labelled thing: its kind and box (x0, y0, x1, y1), None where the whole picture is labelled."""

    kind: str
    box: tuple[float, float, float, float] | None


@dataclass(frozen=True)
class Photo:
    """A photograph; ``exhaustive`` says that nothing of its kinds is without a box."""

    path: Path
    things: tuple[Thing, ...]
    exhaustive: bool


def load_photos(folder: Path, split: str) -> list[Photo]:
    """Read ``labels.jsonl`` of a folder of photographs; pictures of the split alone ('train' or 'val')."""
    photos = []
    for line in (folder / 'labels.jsonl').read_text(encoding='utf-8').splitlines():
        entry = json.loads(line)
        if entry['split'] != split:
            continue
        things = tuple(Thing(thing['kind'], tuple(thing['box']) if thing['box'] else None)
                       for thing in entry['objects'])
        partial = entry.get('partial', False) or any(name in entry['source'] for name in PARTIAL_SOURCES)
        photos.append(Photo(folder / entry['image'], things, not partial))
    return photos


MOST_CUT = 40       # things of a kind that are cut out, so that outlines are found once and used often


class PhotoSampler:
    """Draws photographs and things so that rare kinds come up more often than their share."""

    def __init__(self, photos: list[Photo], flatten: float = 0.4) -> None:
        """Group by kind; a kind is drawn in proportion to its count to the power of ``flatten``."""
        photos = [photos[i] for i in np.random.default_rng(0).permutation(len(photos))]
        by_kind: dict[str, list[Photo]] = defaultdict(list)
        boxed: dict[str, list[tuple[Photo, Thing]]] = defaultdict(list)
        for photo in photos:
            for kind in {thing.kind for thing in photo.things}:
                by_kind[kind].append(photo)
            for thing in photo.things:
                if thing.box is not None and len(boxed[thing.kind]) < MOST_CUT:
                    boxed[thing.kind].append((photo, thing))
        self._photos, self._boxed = dict(by_kind), dict(boxed)
        self._photo_kinds, self._photo_weights = _weights(self._photos, flatten)
        self._thing_kinds, self._thing_weights = _weights(self._boxed, flatten)

    def photo(self, random: np.random.Generator) -> Photo:
        """Draw a photograph."""
        pictures = self._photos[random.choice(self._photo_kinds, p=self._photo_weights)]
        return pictures[random.integers(len(pictures))]

    def thing(self, random: np.random.Generator) -> tuple[Photo, Thing]:
        """Draw a thing that has a box, and its photograph."""
        things = self._boxed[random.choice(self._thing_kinds, p=self._thing_weights)]
        return things[random.integers(len(things))]


def _weights(groups: dict[str, list], flatten: float) -> tuple[list[str], np.ndarray]:
    kinds = sorted(groups)
    counts = np.array([len(groups[kind]) for kind in kinds], float) ** flatten
    return kinds, counts / counts.sum()


@lru_cache(maxsize=512)
def read_image(path: Path) -> np.ndarray:
    """Return a photograph as (H, W, 3) uint8 RGB."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise FileNotFoundError(f'cannot read {path}')
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


@lru_cache(maxsize=8192)
def cut_out(photo: Photo, thing: Thing) -> tuple[np.ndarray, np.ndarray] | None:
    """Cut a thing out of its photograph with GrabCut, begun from its box.

    :return: (h, w, 3) uint8 RGB and (h, w) float32 opacity, cropped to what was kept; None where the outline
        is no good (nearly nothing, or nearly the whole box) or the box is smaller than 24 pixels.
    """
    if thing.box is None:
        return None
    image = read_image(photo.path)
    height, width = image.shape[:2]
    x0, y0, x1, y1 = thing.box
    margin = 0.12 * max(x1 - x0, y1 - y0)
    left, top = int(max(0, x0 - margin)), int(max(0, y0 - margin))
    right, bottom = int(min(width, np.ceil(x1 + margin))), int(min(height, np.ceil(y1 + margin)))
    crop = image[top:bottom, left:right]
    if min(x1 - x0, y1 - y0) < 24 or min(crop.shape[:2]) < 28:
        return None
    scale = min(1.0, CUT_SIDE / max(crop.shape[:2]))
    small = cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    box = [int(v * scale) for v in (x0 - left, y0 - top, x1 - x0, y1 - y0)]
    rect = (max(1, box[0]), max(1, box[1]), min(box[2], small.shape[1] - max(1, box[0]) - 1),
            min(box[3], small.shape[0] - max(1, box[1]) - 1))
    mask = np.zeros(small.shape[:2], np.uint8)
    # GrabCut draws from OpenCV's own random numbers: the same outline whatever ran before, in whatever folder
    place = [float(value) for value in thing.box]
    cv2.setRNGSeed(zlib.crc32(f'{photo.path.name} {place}'.encode()) & 0x7fffffff)
    try:
        cv2.grabCut(small, mask, rect, np.zeros((1, 65)), np.zeros((1, 65)), 2, cv2.GC_INIT_WITH_RECT)
    except cv2.error:
        return None
    kept = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    share = kept.sum() / max(1, rect[2] * rect[3])
    if not 0.25 < share < 0.97:
        return None
    count, labels, stats, _ = cv2.connectedComponentsWithStats(kept)
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    opacity = cv2.GaussianBlur((labels == largest).astype(np.float32), (0, 0), 0.8)
    opacity = cv2.resize(opacity, (crop.shape[1], crop.shape[0]), interpolation=cv2.INTER_LINEAR)
    ys, xs = np.nonzero(opacity > 0.3)
    if len(ys) < 100 or count < 2:
        return None
    window = (slice(ys.min(), ys.max() + 1), slice(xs.min(), xs.max() + 1))
    return crop[window], opacity[window]
