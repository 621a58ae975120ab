"""Pictures of a table on which something moves, for tests of the attention over time."""

from __future__ import annotations

import cv2
import numpy as np


def table(seed=0, size=(240, 320)):
    """Return a picture of a cluttered table, (H, W, 3) uint8."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(60, 200, (24, 32, 3), dtype=np.uint8)
    return cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)


def crossing(count=20, step=8, rate=5.0):
    """Return (time, image): a striped block that crosses the table from left to right."""
    frames = []
    for number in range(count):
        image = table()
        left = 20 + step * number
        image[100:150, left:left + 50] = (220, 40, 40)
        image[110:120, left:left + 50] = (20, 20, 20)
        image[100:150, left + 20:left + 26] = (250, 250, 250)
        frames.append((number / rate, image))
    return frames


def run(attention, frames):
    """Return what the attention says to each frame, from nothing."""
    attention.reset()
    return [attention.update(time, image) for time, image in frames]
