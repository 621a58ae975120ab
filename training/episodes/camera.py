"""A pinhole camera that looks at the table."""

from __future__ import annotations

import math

import numpy as np


class Camera:
    """Projects points in metres to pixels."""

    def __init__(
        self, eye: np.ndarray, target: np.ndarray, focal: float, size: tuple[int, int], roll: float = 0.0
    ) -> None:
        """Look from ``eye`` at ``target``.

        :param focal: length in pixels.
        :param size: (width, height) in pixels.
        :param roll: rad.
        """
        forward = (target - eye) / np.linalg.norm(target - eye)
        right = np.cross(forward, [0.0, 0.0, 1.0])
        right = right / np.linalg.norm(right) if np.linalg.norm(right) > 1e-6 else np.array([1.0, 0.0, 0.0])
        down = np.cross(forward, right)
        turn = np.array([[math.cos(roll), -math.sin(roll)], [math.sin(roll), math.cos(roll)]])
        self.rotation = np.vstack([turn @ np.vstack([right, down]), forward])
        self.eye, self.focal, self.size = eye, focal, size

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return pixels (N, 2) and depths (N,) of points (N, 3)."""
        local = (np.atleast_2d(points) - self.eye) @ self.rotation.T
        depth = np.maximum(local[:, 2], 0.05)
        return local[:, :2] / depth[:, None] * self.focal + np.array(self.size) / 2, depth

    @property
    def elevation(self) -> float:
        """Return how steeply the camera looks down, rad."""
        return math.asin(-self.rotation[2, 2])


def random_camera(rng: np.random.Generator, size: tuple[int, int], in_view: np.ndarray) -> Camera:
    """Return a camera at a random place that sees most of the points (N, 3)."""
    camera = None
    for attempt in range(40):
        azimuth = rng.uniform(0, 2 * math.pi)
        elevation = math.radians(rng.uniform(8, 50) if rng.random() < 0.8 else rng.uniform(50, 88))
        distance = math.exp(rng.uniform(math.log(0.55), math.log(2.6))) * (1 + attempt / 40)
        eye = distance * np.array(
            [
                math.cos(azimuth) * math.cos(elevation),
                math.sin(azimuth) * math.cos(elevation),
                math.sin(elevation),
            ]
        )
        target = np.array([*rng.uniform(-0.12, 0.12, 2), rng.uniform(0, 0.25)])
        focal = max(size) * rng.uniform(0.7, 1.5)
        camera = Camera(eye + target, target, focal, size, rng.normal(0, 0.04))
        pixels, _ = camera.project(in_view)
        inside = ((pixels > 0.06 * np.array(size)) & (pixels < 0.94 * np.array(size))).all(axis=1)
        if inside.all():
            break
    assert camera is not None
    return camera
