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

    def sees(self, points: np.ndarray) -> np.ndarray:
        """Return (N,) bool: which points (N, 3) are in the image, not at its edge."""
        pixels, _ = self.project(points)
        return ((pixels > 0.06 * np.array(self.size)) & (pixels < 0.94 * np.array(self.size))).all(axis=1)

    @property
    def elevation(self) -> float:
        """Return how steeply the camera looks down, rad."""
        return math.asin(-self.rotation[2, 2])


def random_camera(rng: np.random.Generator, size: tuple[int, int], in_view: np.ndarray, way: np.ndarray,
                  thing: float) -> Camera:
    """Return a camera as people put them up: the work is in view, and large enough to be made out.

    :param in_view: (N, 3) points that must be in view.
    :param way: (M, 3) of the tool, of which most is in view.
    :param thing: how large what is taken is, m.
    """
    smallest = max(size) * rng.choice([0.03, 0.05])     # of it, in pixels
    share = rng.choice([0.95, 0.6], p=[0.8, 0.2])
    best, best_score = None, -1.0
    for _ in range(60):
        azimuth = rng.uniform(0, 2 * math.pi)
        elevation = math.radians(rng.uniform(8, 50) if rng.random() < 0.8 else rng.uniform(50, 88))
        distance = math.exp(rng.uniform(math.log(0.5), math.log(2.4)))
        eye = distance * np.array(
            [
                math.cos(azimuth) * math.cos(elevation),
                math.sin(azimuth) * math.cos(elevation),
                math.sin(elevation),
            ]
        )
        middle = (in_view[:, :2].mean(axis=0) + way[:, :2].mean(axis=0)) / 2
        target = np.array([*(middle + rng.uniform(-0.1, 0.1, 2)), rng.uniform(0, 0.22)])
        focal = max(size) * rng.uniform(0.7, 1.6)
        camera = Camera(eye + target, target, focal, size, rng.normal(0, 0.04))
        inside = camera.sees(in_view)
        pixels = thing * focal / float(camera.project(in_view[0])[1][0])
        score = (float(inside.all()) * 2 + float(inside.mean()) + min(pixels / smallest, 1.0)
                 + min(float(camera.sees(way).mean()) / share, 1.0))
        if score > best_score:
            best, best_score = camera, score
        if score >= 5.0:
            break
    assert best is not None
    return best
