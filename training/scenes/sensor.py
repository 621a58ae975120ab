"""From light to what cameras deliver: exposure, white balance, blur, noise, compression; and depth noise."""

from __future__ import annotations

import cv2
import numpy as np

MIDDLE = 0.28  # linear value that a plain exposure gives the 60th percentile of brightness
GAMMA = 1 / 2.2  # of sRGB, near enough


def develop(light: np.ndarray, rng: np.random.Generator | None) -> np.ndarray:
    """Make a photograph of linear light, (H, W, 3) uint8 RGB.

    :param rng: draws the camera's faults and settings; a plain, clean exposure when None.
    """
    level = max(float(np.percentile(light.mean(-1), 60)), 1e-4)
    if rng is None:
        return _bytes(_shoulder(light * (MIDDLE / level)), GAMMA)
    balanced = (
        light * (rng.uniform(0.16, 0.42) / level) * (1 + rng.uniform(-0.10, 0.10, 3).astype(np.float32))
    )
    exposed: np.ndarray = _shoulder(balanced).astype(np.float32)
    height, width = light.shape[:2]
    if rng.uniform() < 0.5:  # vignetting
        y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        exposed = exposed * (1 - rng.uniform(0, 0.25) * (x**2 + y**2) / 2)[..., None].astype(np.float32)
    if rng.uniform() < 0.35:
        exposed = np.asarray(cv2.GaussianBlur(exposed, (0, 0), rng.uniform(0.3, 1.1) * width / 480))
    shot, read = rng.uniform(0, 0.02), rng.uniform(0, 0.012)
    noise = rng.standard_normal(light.shape).astype(np.float32)
    exposed = exposed + noise * np.sqrt(shot**2 * np.maximum(exposed, 0) + read**2)
    picture = np.clip(exposed, 0, 1).astype(np.float32) ** rng.uniform(0.42, 0.50)
    grey = picture.mean(-1, keepdims=True)
    picture = _bytes(grey + (picture - grey) * rng.uniform(0.8, 1.2), 1.0)
    return _compressed(picture, int(rng.integers(55, 95))) if rng.uniform() < 0.4 else picture


def measure_depth(depth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add what a depth camera adds: noise that grows with the square of range, holes at edges, lost spots.

    :param depth: (H, W) float32 metres, 0 for none.
    """
    noisy = depth + rng.standard_normal(depth.shape).astype(np.float32) * 0.0012 * depth**2
    edge = cv2.dilate(depth, np.ones((3, 3))) - cv2.erode(depth, np.ones((3, 3))) > 0.04
    lost = edge & (rng.uniform(size=depth.shape) < 0.6)
    coarse = rng.uniform(size=(depth.shape[0] // 8, depth.shape[1] // 8)).astype(np.float32)
    size = (depth.shape[1], depth.shape[0])
    spots = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC) < rng.uniform(-0.1, 0.03)
    return np.where(lost | spots | (depth <= 0), 0, noisy).astype(np.float32)


def _shoulder(light: np.ndarray) -> np.ndarray:
    """Roll highlights off as film does instead of cutting them."""
    return np.where(light < 0.7, light, 0.7 + 0.3 * (1 - np.exp(-(light - 0.7) / 0.3)))


def _bytes(picture: np.ndarray, gamma: float) -> np.ndarray:
    return (np.clip(picture, 0, 1) ** gamma * 255 + 0.5).astype(np.uint8)


def _compressed(picture: np.ndarray, quality: int) -> np.ndarray:
    """Send a picture through JPEG."""
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    coded = cv2.imencode('.jpg', bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.cvtColor(np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR)), cv2.COLOR_BGR2RGB)
