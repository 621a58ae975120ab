"""Colours and textures of what is drawn."""

from __future__ import annotations

import cv2
import numpy as np


def random_colour(rng: np.random.Generator, *, grey: float = 0.5) -> np.ndarray:
    """Return a random RGB colour, grey with the probability."""
    if rng.random() < grey:
        return np.full(3, rng.uniform(15, 240)) + rng.normal(0, 6, 3)
    hue = np.uint8([[[rng.integers(0, 180), rng.integers(60, 255), rng.integers(50, 255)]]])
    return cv2.cvtColor(hue, cv2.COLOR_HSV2RGB)[0, 0].astype(float)


def shaded(colour: np.ndarray, shade: float = 1.0) -> tuple[int, int, int]:
    """Return an RGB colour, lighter or darker by a factor, as OpenCV takes it."""
    red, green, blue = np.clip(colour * shade, 0, 255)
    return int(red), int(green), int(blue)


def noise_texture(rng: np.random.Generator, width: int, height: int, strength: float) -> np.ndarray:
    """Return (height, width, 1) float32 around 0: clouds with a grain."""
    texture = np.zeros((height, width), np.float32)
    for cells in (3, 8, 24, 64):
        rows, columns = max(2, cells * height // max(width, height)), cells
        layer = rng.normal(0, 1, (rows, columns)).astype(np.float32)
        texture += cv2.resize(layer, (width, height), interpolation=cv2.INTER_CUBIC) / cells**0.4
    return (texture * strength)[..., None]
