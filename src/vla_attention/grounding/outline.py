"""Outlines finer than the patch grid: which pixels of a box belong to the thing in it."""

from __future__ import annotations

import cv2
import numpy as np

from vla_attention.grounding.proposals import FINE, bump

_BITS = 3           # of each channel in the colour histograms
_LOWER = np.maximum(np.arange(1 << _BITS) - 1, 0)       # the neighbours of each bin along one channel
_HIGHER = np.minimum(np.arange(1 << _BITS) + 1, (1 << _BITS) - 1)


def outline(image: np.ndarray, box: np.ndarray) -> tuple[tuple[int, int, int, int], np.ndarray]:
    """Tell figure from ground in a box by colour.

    Histograms of the colours in the middle of the box and in a ring around it are compared pixel by
    pixel (the ratio of Swain and Ballard's backprojection, IJCV 1991), smoothed, and weighed with the prior
    that things fill the middle of their box.

    :param image: (h, w, 3) uint8 RGB at the fine scale (:data:`FINE` pixels of the model's image a cell).
    :param box: (4,) in pixels of the model's image.
    :return: the window (x0, y0, x1, y1) in cells, and (y1 - y0, x1 - x0) float32 in 0..1, probability of the
        thing.
    """
    height, width = image.shape[:2]
    x0, y0 = np.clip(np.floor(box[:2] / FINE).astype(int), 0, (width - 1, height - 1))
    x1, y1 = np.clip(np.ceil(box[2:] / FINE).astype(int), (x0 + 1, y0 + 1), (width, height))
    margin = max(2, round(0.2 * max(x1 - x0, y1 - y0)))
    left, top = max(0, x0 - margin), max(0, y0 - margin)
    around = image[top:min(height, y1 + margin), left:min(width, x1 + margin)]
    codes = _codes(around)
    inner = np.zeros(around.shape[:2], np.float32)
    inside = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
    prior = bump(y1 - y0, x1 - x0, 0.38)
    inner[inside] = prior ** 2
    outer = np.ones_like(inner)
    outer[inside] = 0.0
    size = 1 << 3 * _BITS
    figure = _smoothed(np.bincount(codes.ravel(), inner.ravel(), size))
    ground = _smoothed(np.bincount(codes.ravel(), outer.ravel(), size))
    ratio = (figure / (figure + ground)).astype(np.float32)[codes[inside]]
    ratio = cv2.GaussianBlur(ratio, (0, 0), 0.8)
    odds = ratio / np.maximum(1 - ratio, 1e-3) * (0.35 + 1.65 * prior)
    return (int(x0), int(y0), int(x1), int(y1)), (odds / (1 + odds)).astype(np.float32)


def _codes(image: np.ndarray) -> np.ndarray:
    small = (image >> (8 - _BITS)).astype(np.int64)
    codes: np.ndarray = (small[..., 0] << 2 * _BITS) | (small[..., 1] << _BITS) | small[..., 2]
    return codes


def _smoothed(counts: np.ndarray) -> np.ndarray:
    """Spread a histogram to neighbouring colours and make it sum to 1."""
    side = 1 << _BITS
    cube = counts.reshape(side, side, side)
    for axis in range(3):
        cube = 0.5 * cube + 0.25 * (np.take(cube, _LOWER, axis) + np.take(cube, _HIGHER, axis))
    flat: np.ndarray = cube.ravel() + 1e-3 * max(float(counts.sum()), 1.0) / len(counts)
    return flat / flat.sum()
