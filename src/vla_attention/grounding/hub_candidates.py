"""Candidate regions: from a score map where a model has no boxes, from too many boxes where it has."""

from __future__ import annotations

import cv2
import numpy as np

MAX_CANDIDATES = 24
_SHARE = 0.35       # a region is what lies above this share of the map's peak
_LEAST = 0.02       # scores below are noise, whatever the peak
_OVERLAP = 0.5      # boxes that overlap more (IoU) are the same thing


def boxes_of_map(scores: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
    """Return the boxes of the connected regions of a score map.

    :param scores: (rows, cols) float32 in 0..1 over the whole image.
    :param image_size: (width, height) in pixels.
    :return: (N, 5) float32 x0, y0, x1, y1 in image pixels and the region's peak, best first.
    """
    peak = float(scores.max())
    if peak < _LEAST:
        return np.zeros((0, 5), np.float32)
    high = (scores >= _SHARE * peak).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(high, connectivity=4)
    scale = image_size[0] / scores.shape[1], image_size[1] / scores.shape[0]
    boxes = []
    for label in range(1, count):
        x, y, width, height = (int(value) for value in stats[label, :4])
        window = np.s_[y:y + height, x:x + width]
        best = float(scores[window][labels[window] == label].max())
        boxes.append((x * scale[0], y * scale[1], (x + width) * scale[0], (y + height) * scale[1], best))
    found = np.array(boxes, np.float32)
    return found[np.argsort(-found[:, 4], kind='stable')[:MAX_CANDIDATES]]


def distinct_boxes(boxes: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
    """Return the best boxes, each thing once.

    :param boxes: (N, 5) x0, y0, x1, y1 in image pixels, score 0..1, in any order.
    :param image_size: (width, height) to which boxes are cut.
    :return: (M, 5) float32, best first, M at most :data:`MAX_CANDIDATES`.
    """
    boxes = np.asarray(boxes, np.float32)
    best = np.argsort(-boxes[:, 4], kind='stable')[:10 * MAX_CANDIDATES]    # what comes after is weak
    boxes = boxes[best]
    boxes[:, [0, 2]] = boxes[:, [0, 2]].clip(0, image_size[0])
    boxes[:, [1, 3]] = boxes[:, [1, 3]].clip(0, image_size[1])
    sides = boxes[:, 2:4] - boxes[:, :2]
    boxes, sides = boxes[(sides > 1).all(axis=1)], sides[(sides > 1).all(axis=1)]
    if not len(boxes):
        return boxes
    keep = cv2.dnn.NMSBoxes(np.hstack([boxes[:, :2], sides]).tolist(), boxes[:, 4].tolist(), _LEAST, _OVERLAP)
    return boxes[np.asarray(keep, int).reshape(-1)[:MAX_CANDIDATES]]
