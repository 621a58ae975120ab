"""The camera: where it stands, its intrinsics, and the rays of its pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Camera:
    """A pinhole camera.

    ``pose`` (4, 4) optical frame to world, ``intrinsics`` (fx, fy, cx, cy), ``size`` (width, height). In here
    the middle of the first pixel is (0.5, 0.5); what leaves the generator is :attr:`calibration`.
    """

    pose: np.ndarray
    intrinsics: tuple[float, float, float, float]
    size: tuple[int, int]

    @property
    def calibration(self) -> tuple[float, float, float, float]:
        """Intrinsics as OpenCV and sensor_msgs/CameraInfo have them: pixel centres at whole numbers."""
        fx, fy, cx, cy = self.intrinsics
        return fx, fy, cx - 0.5, cy - 0.5

    @property
    def spread(self) -> float:
        """Radians that one pixel covers in the middle of the image."""
        return 1.0 / self.intrinsics[0]

    def rays(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return origins and unit directions (N, 3) float32 in the world.

        :param pixels: (N, 2) x and y; the middle of the first pixel is (0.5, 0.5).
        """
        fx, fy, cx, cy = self.intrinsics
        way = np.stack([(pixels[:, 0] - cx) / fx, (pixels[:, 1] - cy) / fy, np.ones(len(pixels))], axis=1)
        way = way @ self.pose[:3, :3].T
        way /= np.linalg.norm(way, axis=1, keepdims=True)
        origin = np.broadcast_to(self.pose[:3, 3].astype(np.float32), way.shape)
        return np.ascontiguousarray(origin), way.astype(np.float32)

    def grid(self) -> np.ndarray:
        """Return the middles of all pixels, row by row, (W * H, 2)."""
        width, height = self.size
        x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
        return np.stack([x.ravel(), y.ravel()], axis=1)

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return pixels (N, 2) and optical coordinates (N, 3) of world points."""
        local = (points - self.pose[:3, 3]) @ self.pose[:3, :3]
        fx, fy, cx, cy = self.intrinsics
        z = np.maximum(local[:, 2], 1e-3)
        return np.stack([fx * local[:, 0] / z + cx, fy * local[:, 1] / z + cy], axis=1), local


def look_at(eye: np.ndarray, target: np.ndarray, *, roll: float = 0.0) -> np.ndarray:
    """Return the pose (4, 4) of an optical frame (x right, y down, z forward) at ``eye``; roll in radians."""
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    if np.linalg.norm(right) < 1e-6:
        right = np.array([1.0, 0.0, 0.0])
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    c, s = np.cos(roll), np.sin(roll)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([c * right + s * down, c * down - s * right, forward], axis=1)
    pose[:3, 3] = eye
    return pose


def draw_camera(rng: np.random.Generator, size: tuple[int, int], reach: float) -> Camera:
    """Draw a camera that looks at a table's working area.

    :param reach: half the width of the area that holds things, metres; the camera keeps it in view.
    """
    width, height = size
    angle = np.radians(rng.uniform(42, 70))
    focal = width / 2 / np.tan(angle / 2)
    elevation = np.radians(rng.triangular(14, 40, 85))
    azimuth = -np.pi / 2 + rng.normal(0, 0.5)
    distance = reach / np.tan(angle / 2) * rng.uniform(0.95, 1.7) + 0.05
    target = np.array([rng.normal(0, 0.15) * reach, rng.normal(0, 0.15) * reach, 0.03])
    eye = target + distance * np.array(
        [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)]
    )
    middle = (width / 2 + rng.normal(0, 0.01) * width, height / 2 + rng.normal(0, 0.01) * height)
    return Camera(look_at(eye, target, roll=rng.normal(0, 0.03)), (focal, focal, *middle), size)
