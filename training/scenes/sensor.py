"""From light to what cameras deliver: exposure, white balance, blur, noise, compression; and depth noise."""

from __future__ import annotations

import cv2
import numpy as np


def develop(light: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Make a photograph of linear light, (H, W, 3) uint8 RGB."""
    level = np.percentile(light.mean(-1), 60)
    exposed = light * (rng.uniform(0.16, 0.42) / max(level, 1e-4))
    exposed *= 1 + rng.uniform(-0.10, 0.10, 3).astype(np.float32)
    exposed = np.where(exposed < 0.7, exposed, 0.7 + 0.3 * (1 - np.exp(-(exposed - 0.7) / 0.3)))  # film-like shoulder
    height, width = light.shape[:2]
    if rng.uniform() < 0.5:
        y, x = np.mgrid[-1:1:height * 1j, -1:1:width * 1j]
        exposed = exposed * (1 - rng.uniform(0, 0.25) * (x ** 2 + y ** 2) / 2)[..., None]
    if rng.uniform() < 0.35:
        exposed = cv2.GaussianBlur(exposed.astype(np.float32), (0, 0), rng.uniform(0.3, 1.1) * width / 480)
    shot, read = rng.uniform(0, 0.02), rng.uniform(0, 0.012)
    noise = rng.standard_normal(light.shape).astype(np.float32)
    exposed = exposed + noise * np.sqrt(shot ** 2 * np.maximum(exposed, 0) + read ** 2)
    gamma = rng.uniform(0.42, 0.50)
    picture = np.clip(exposed, 0, 1).astype(np.float32) ** gamma
    grey = picture.mean(-1, keepdims=True)
    picture = np.clip(grey + (picture - grey) * rng.uniform(0.8, 1.2), 0, 1)
    picture = (picture * 255 + 0.5).astype(np.uint8)
    if rng.uniform() < 0.4:
        quality = int(rng.integers(55, 95))
        coded = cv2.imencode('.jpg', picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        picture = np.ascontiguousarray(cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1])
    return picture


def measure_depth(depth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add what a depth camera adds: noise that grows with the square of range, holes at edges, lost spots.

    :param depth: (H, W) float32 metres, 0 for none.
    """
    noisy = depth + rng.standard_normal(depth.shape).astype(np.float32) * 0.0012 * depth ** 2
    edge = cv2.dilate(depth, np.ones((3, 3))) - cv2.erode(depth, np.ones((3, 3))) > 0.04
    lost = edge & (rng.uniform(size=depth.shape) < 0.6)
    spots = cv2.resize(rng.uniform(size=(depth.shape[0] // 8, depth.shape[1] // 8)).astype(np.float32),
                       depth.shape[::-1], interpolation=cv2.INTER_CUBIC) < rng.uniform(-0.1, 0.03)
    return np.where(lost | spots | (depth <= 0), 0, noisy).astype(np.float32)
