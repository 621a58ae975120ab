"""Candidates: boxes that may be the thing, out of dense predictions and of patches of one colour."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vla_attention.vision.image import PATCH

MOST = 24               # candidates kept
OVERLAP = 0.55          # two boxes that share more of their union are one
FINE = 4                # pixels of the model's image per cell of the fine maps


@dataclass
class Candidates:
    """N boxes (N, 4) in pixels of the model's image, and how well each fits the kind (N,), 0..1."""

    boxes: np.ndarray
    kind: np.ndarray


def from_patches(score: np.ndarray, boxes: np.ndarray, size: tuple[int, int], *, least: float = 0.08,
                 most: int = MOST) -> Candidates:
    """Keep the best box of each thing among those that patches predict.

    Greedy suppression; the kept box is the mean of the boxes that it suppresses, weighted by their score
    (box voting, Gidaris and Komodakis, ICCV 2015).

    :param score: (P,) 0..1.
    :param boxes: (P, 4) in pixels.
    :param size: (width, height) of the image.
    :param least: share of the best score below which patches are not looked at.
    """
    order = np.argsort(-score)
    order = order[score[order] >= least * max(float(score.max()), 1e-9)][:400]
    limits = np.array([size[0], size[1], size[0], size[1]], np.float32)
    boxes = np.clip(boxes[order], 0, limits)
    score = score[order]
    alive = (boxes[:, 2:] - boxes[:, :2] > 3).all(axis=1)
    kept: list[np.ndarray] = []
    values: list[float] = []
    while alive.any() and len(kept) < most:
        best = int(alive.argmax())
        shared = iou(boxes[best], boxes)
        voters = (shared > 0.6) & (score > 0.3 * score[best])
        voters[best] = True
        kept.append((boxes[voters] * score[voters, None]).sum(0) / score[voters].sum())
        values.append(float(score[best]))
        alive &= shared <= OVERLAP
        alive[best] = False
    return Candidates(np.array(kept, np.float32).reshape(-1, 4), np.array(values, np.float32))


def from_colour(evidence: np.ndarray, score: np.ndarray, *, most: int = 12) -> Candidates:
    """Cut patches of one colour out as candidates; a patch that is a whole surface is none.

    :param evidence: (h, w) 0..1, colour at :data:`FINE` pixels a cell.
    :param score: (rows, cols) how well each patch fits the kind.
    """
    mask = (cv2.GaussianBlur(evidence, (0, 0), 0.8) > 0.4).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    total = mask.size
    fine = cv2.resize(score, mask.shape[::-1], interpolation=cv2.INTER_LINEAR)
    boxes, values = [], []
    order = np.argsort(-stats[1:, cv2.CC_STAT_AREA])[:40] + 1
    for label in order:
        x, y, width, height, area = stats[label]
        if area < 12 or not 0.0006 < width * height / total < 0.25 or area < 0.25 * width * height:
            continue
        inside = labels[y:y + height, x:x + width] == label
        boxes.append((x, y, x + width, y + height))
        values.append(float(np.quantile(fine[y:y + height, x:x + width][inside], 0.9)))
    best = np.argsort(values)[::-1][:most].astype(int)
    return Candidates(np.array(boxes, np.float32).reshape(-1, 4)[best] * FINE,
                      np.array(values, np.float32)[best])


def merge(first: Candidates, second: Candidates, most: int = MOST) -> Candidates:
    """Put two lists together; of two boxes that are one, the first list's stays."""
    keep = [i for i in range(len(second.boxes))
            if not len(first.boxes) or iou(second.boxes[i], first.boxes).max() <= OVERLAP]
    boxes = np.concatenate([first.boxes, second.boxes[keep]])
    kind = np.concatenate([first.kind, second.kind[keep]])
    order = np.argsort(-kind, kind='stable')[:most]
    return Candidates(boxes[order], kind[order])


def best_apart(score: np.ndarray, boxes: np.ndarray, most: int, overlap: float = 0.5) -> list[int]:
    """Return the numbers of the best boxes (N, 4), leaving out those that share more with a better one."""
    kept: list[int] = []
    for number in np.argsort(-score, kind='stable'):
        if len(kept) == most:
            break
        if not kept or iou(boxes[number], boxes[kept]).max() <= overlap:
            kept.append(int(number))
    return kept


def colour_in_boxes(evidence: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return (N,) how much of each box is of a colour, 0..1; its middle counts more than its corners."""
    found = []
    for box in boxes / FINE:
        x0, y0 = np.floor(box[:2]).astype(int)
        x1, y1 = np.maximum(np.ceil(box[2:]).astype(int), (x0 + 1, y0 + 1))
        part = evidence[max(0, y0):y1, max(0, x0):x1]
        if part.size == 0:
            found.append(0.0)
            continue
        weight = bump(part.shape[0], part.shape[1])
        found.append(float((part * weight).sum() / weight.sum()))
    return np.array(found, np.float32)


def bump(rows: int, cols: int, width: float = 0.32) -> np.ndarray:
    """Return a Gaussian (rows, cols), 1 in the middle; ``width`` is sigma as a share of the side."""
    y = (np.arange(rows, dtype=np.float32) + 0.5) / rows - 0.5
    x = (np.arange(cols, dtype=np.float32) + 0.5) / cols - 0.5
    bell: np.ndarray = np.exp(-(y[:, None] ** 2 + x[None] ** 2) / (2 * width ** 2))
    return bell


def paint(boxes: np.ndarray, values: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """Return a map (rows, cols) that holds each box's value, and the mean of all values elsewhere.

    Where boxes overlap it holds the higher value.

    :param grid: (cols, rows).
    """
    painted = np.full(grid[::-1], float(values.mean()) if len(values) else 1.0, np.float32)
    for index in np.argsort(values):
        x0, y0 = np.floor(boxes[index, :2] / PATCH + 0.25).astype(int)
        x1, y1 = np.ceil(boxes[index, 2:] / PATCH - 0.25).astype(int)
        painted[y0:max(y1, y0 + 1), x0:max(x1, x0 + 1)] = values[index]
    return painted


def iou(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return (N,) the intersection over union of one box (4,) with boxes (N, 4)."""
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    both = np.clip(sides, 0, None).prod(axis=1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    union = areas + (box[2:] - box[:2]).prod() - both
    shares: np.ndarray = both / np.maximum(union, 1e-6)
    return shares
