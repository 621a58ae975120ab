"""Which boxes of one image are which of another."""

from __future__ import annotations

import numpy as np


def gap(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return (N, M) how far the middles of boxes (N, 4) and (M, 4) lie apart, in mean sides of both."""
    middles = (boxes[:, None, :2] + boxes[:, None, 2:] - others[None, :, :2] - others[None, :, 2:]) / 2
    sides: np.ndarray = (_side(boxes)[:, None] + _side(others)[None]) / 2
    return np.hypot(middles[..., 0], middles[..., 1]) / sides


def unlikeness(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return (N, M) how much the sides of boxes differ: 0 equal, 0.7 where each is twice the other's."""
    sides, theirs = (np.log(np.maximum(each[:, 2:] - each[:, :2], 1)) for each in (boxes, others))
    differences: np.ndarray = np.abs(sides[:, None] - theirs[None]).mean(axis=-1)
    return differences


def pairs(cost: np.ndarray, most: float = np.inf) -> list[tuple[int, int]]:
    """Pair rows with columns of (N, M), each once, the cheapest pair first; none costs ``most`` or more."""
    rows, columns = np.unravel_index(np.argsort(cost, axis=None, kind='stable'), cost.shape)
    chosen: list[tuple[int, int]] = []
    free_rows, free_columns = set(range(cost.shape[0])), set(range(cost.shape[1]))
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        if not cost[row, column] < most:
            break
        if row in free_rows and column in free_columns:
            chosen.append((row, column))
            free_rows.remove(row)
            free_columns.remove(column)
    return chosen


def _side(boxes: np.ndarray) -> np.ndarray:
    sides: np.ndarray = np.maximum(1.0, (boxes[:, 2:] - boxes[:, :2]).mean(axis=1))
    return sides
