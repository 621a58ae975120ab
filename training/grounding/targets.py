"""Labels of a picture -> what the head should answer on its patches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from training.grounding.groups import may_be, names_of
from vla_attention.vision.image import PATCH

CORE = 0.25         # share of the box's size around its middle where patches should find it


@dataclass(frozen=True)
class Targets:
    """Targets of one picture with W words on P patches.

    ``words`` their kinds; ``inside``, ``core``, ``outside`` (W, P) bool: in a thing that the word names, in
    its middle, and where no such thing is (neither inside nor outside: not known); ``objects`` (P,) float32
    1 in the middle of a thing, 0 where nothing is, NaN where it is not known; ``boxes`` (P, 4) float32 in
    pixels where ``objects`` is 1.
    """

    words: list[str]
    inside: np.ndarray
    core: np.ndarray
    outside: np.ndarray
    objects: np.ndarray
    boxes: np.ndarray


def make_targets(label: dict[str, Any], vocabulary: list[str], random: np.random.Generator, *,
                 count: int = 32, rows: int = 30, cols: int = 40) -> Targets:
    """Choose ``count`` words, those that the picture shows and others, and mark where they are.

    :param label: ``objects`` and ``regions`` as a :class:`~training.grounding.composites.Composite` has them.
    """
    ys, xs = np.meshgrid(np.arange(rows), np.arange(cols), indexing='ij')
    centres = (np.stack([xs, ys], -1).reshape(-1, 2) + 0.5) * PATCH
    things = [(kind, np.array(box), region, boxed) for kind, box, region, boxed in label['objects']]
    here = [_inside(centres, box) for _, box, _, _ in things]
    middle = [_inside(centres, _shrunk(box)) & ok if boxed else np.zeros(len(centres), bool)
              for (_, box, _, boxed), ok in zip(things, here, strict=True)]
    regions = [((centres >= box[:2]) & (centres <= box[2:])).all(axis=1)
               for box in (np.array(box) for box, _, _ in label['regions'])]

    shown = sorted({name for kind, _, _, boxed in things if boxed is not None for name in names_of(kind)})
    random.shuffle(shown)
    shown = shown[:count * 3 // 4]
    others = [word for word in vocabulary if word not in shown]
    words = shown + list(random.choice(others, count - len(shown), replace=False))

    inside = np.zeros((count, len(centres)), bool)
    core, unknown = inside.copy(), inside.copy()
    for row, word in enumerate(words):
        for (kind, _, region, boxed), place, centre in zip(things, here, middle, strict=True):
            if boxed is None:           # hardly seen: neither right nor wrong for what it is called
                if may_be(kind, word):
                    unknown[row] |= place
            elif word in names_of(kind):
                inside[row] |= place
                core[row] |= centre
                if not boxed or not label['regions'][region][1]:
                    unknown[row] |= regions[region]
            elif may_be(kind, word):
                unknown[row] |= place if label['regions'][region][1] else regions[region]
        if word == 'object':
            for region, (_, _, of_all) in zip(regions, label['regions'], strict=True):
                if not of_all:
                    unknown[row] |= region
    outside = ~inside & ~unknown

    objects = np.full(len(centres), np.nan, np.float32)
    for region, (_, _, of_all) in zip(regions, label['regions'], strict=True):
        if of_all:
            objects[region] = 0
    boxes = np.zeros((len(centres), 4), np.float32)
    for place in here:
        objects[place] = np.nan
    order = sorted(range(len(things)), key=lambda i: -np.prod(things[i][1][2:] - things[i][1][:2]))
    for index in order:             # the smaller thing has the patch
        objects[middle[index]] = 1
        boxes[middle[index]] = things[index][1]
    return Targets(words, inside, core, outside, objects, boxes)


def crop_label(label: dict[str, Any], left: float, top: float, width: float, height: float) -> dict[str, Any]:
    """Return the label of a window of the picture; a thing whose middle is outside is there as unknown."""
    objects = []
    for kind, (x0, y0, x1, y1), region, boxed in label['objects']:
        box = [x0 - left, y0 - top, x1 - left, y1 - top]
        seen = [max(0.0, box[0]), max(0.0, box[1]), min(width, box[2]), min(height, box[3])]
        if seen[2] - seen[0] < PATCH / 2 or seen[3] - seen[1] < PATCH / 2:
            continue
        middle = (0 < box[0] + box[2] < 2 * width) and (0 < box[1] + box[3] < 2 * height)
        objects.append((kind, box if boxed and middle else seen, region, boxed and middle))
    regions = [([box[0] - left, box[1] - top, box[2] - left, box[3] - top], of_kinds, of_all)
               for box, of_kinds, of_all in label['regions']]
    return {'objects': objects, 'regions': regions}


def _shrunk(box: np.ndarray) -> np.ndarray:
    middle, size = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
    half = np.maximum(size * CORE, PATCH * 0.75)
    return np.concatenate([middle - half, middle + half])


def _inside(centres: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Mark the patches whose centre is in the box; of a box between centres, the nearest patch."""
    inside = ((centres >= box[:2]) & (centres <= box[2:])).all(axis=1)
    if not inside.any():
        inside[np.abs(centres - (box[:2] + box[2:]) / 2).sum(axis=1).argmin()] = True
    return inside
