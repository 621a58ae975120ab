"""The camera that a depth image was taken with: a pinhole, and the lens before it where that bends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import isfinite
from typing import Any

import cv2
import numpy as np

STRAIGHT = 0.5      # pixels by which a lens may move the border before that is taken into account
RECTIFIED = ('image_rect', 'image_rect_color', 'image_rect_mono')      # how image_proc names its images
FISHEYE = 'equidistant'     # which bends with coefficients of 0 too
_UNIT = np.eye(3)
_UNTIL = (cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, 40, 1e-7)


class LensError(ValueError):
    """What is said of a lens cannot be read."""


@dataclass(frozen=True)
class Lens:
    """How a lens bends the picture: ``distortion_model`` and ``d`` of a sensor_msgs/CameraInfo.

    Both methods take and give places (N, 2) on the plane one metre before the camera.

    :raises LensError: a number of coefficients that no model has, or one that is not a number.
    """

    model: str
    coefficients: tuple[float, ...]

    def __post_init__(self) -> None:
        counts = (4,) if self.fisheye else (4, 5, 8, 12, 14)
        if len(self.coefficients) not in counts or not all(map(isfinite, self.coefficients)):
            raise LensError(f'd is {list(self.coefficients)}; {self.model or "plumb_bob"} has '
                            f'{" or ".join(map(str, counts))} numbers')

    @property
    def fisheye(self) -> bool:
        """Whether it is the model of Kannala and Brandt (2006), which ROS calls equidistant."""
        return self.model == FISHEYE

    def straighten(self, seen: np.ndarray) -> np.ndarray:
        """Return where the rays go whose pictures are ``seen``."""
        lens, points = np.array(self.coefficients), np.asarray(seen, np.float64).reshape(-1, 1, 2)
        if self.fisheye:
            return np.asarray(cv2.fisheye.undistortPoints(points, _UNIT, lens)).reshape(-1, 2)
        return np.asarray(cv2.undistortPointsIter(points, _UNIT, lens, _UNIT, _UNIT, _UNTIL)).reshape(-1, 2)

    def bend(self, rays: np.ndarray) -> np.ndarray:
        """Return where rays are seen; the inverse of :meth:`straighten`."""
        lens, points = np.array(self.coefficients), np.asarray(rays, np.float64).reshape(-1, 1, 2)
        if self.fisheye:
            return np.asarray(cv2.fisheye.distortPoints(points, _UNIT, lens)).reshape(-1, 2)
        ahead = np.concatenate([points, np.ones((len(points), 1, 1))], axis=2)
        return np.asarray(cv2.projectPoints(ahead, np.zeros(3), np.zeros(3), _UNIT, lens)[0]).reshape(-1, 2)


@dataclass(frozen=True)
class Intrinsics:
    """Focal lengths and principal point in pixels, and the lens where there is one, of the image as it is.

    ``size`` (width, height) of the image is needed with a lens alone.

    :raises ValueError: a focal length that is not above 0, a value that is not a number, or a lens without
        ``size``.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    lens: Lens | None = None
    size: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        for name in ('fx', 'fy', 'cx', 'cy'):
            if not isfinite(getattr(self, name)):
                raise ValueError(f'intrinsics: {name} is {getattr(self, name)}; it must be a number')
        for name in ('fx', 'fy'):
            if getattr(self, name) <= 0:
                raise ValueError(f'intrinsics: the focal length {name} is {getattr(self, name)}; '
                                 'it must be above 0 (is the camera calibrated?)')
        if self.lens is not None and min(self.size) < 1:
            raise ValueError(f'intrinsics: the size is {self.size}; with a lens it must be that of the image')

    @classmethod
    def of_camera(cls, k: Sequence[float], p: Sequence[float]) -> Intrinsics:
        """Return the camera of a sensor_msgs/CameraInfo: of P where given (rectified images), else of K.

        :param k: the 3x3 matrix, row by row.
        :param p: the 3x4 matrix, row by row; empty: not to be taken.
        :raises ValueError: a focal length that is not above 0, or a value that is not a number.
        """
        if k[0] > 0 and len(p) and p[0] > 0:
            return cls(float(p[0]), float(p[5]), float(p[2]), float(p[6]))
        return cls(float(k[0]), float(k[4]), float(k[2]), float(k[5]))

    def deproject(self, depth: np.ndarray, left: int = 0, top: int = 0, step: int = 1) -> np.ndarray:
        """Give every pixel its point in the camera's optical frame.

        :param depth: (H, W) float32 metres along the optical axis, NaN where there is no reading.
        :param left: column in the image of the first column of ``depth``; ``top`` its row.
        :param step: pixels of the image from one pixel of ``depth`` to the next.
        :return: (H, W, 3) float32 metres; NaN where ``depth`` is.
        """
        rows, columns = depth.shape
        if self.lens is None:
            x = ((left - self.cx + step * np.arange(columns)) / self.fx).astype(np.float32)
            y = ((top - self.cy + step * np.arange(rows)) / self.fy).astype(np.float32)[:, None]
        else:
            part = np.s_[top:top + step * rows:step, left:left + step * columns:step]
            x, y = (each[part] for each in _rays(self))
        cloud = np.empty((rows, columns, 3), np.float32)
        np.multiply(depth, x, out=cloud[..., 0])
        np.multiply(depth, y, out=cloud[..., 1])
        cloud[..., 2] = depth
        return cloud

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the columns and rows (N,) at which points (N, 3) before the camera are seen."""
        x, y = points[:, 0] / points[:, 2], points[:, 1] / points[:, 2]
        if self.lens is not None:
            x, y = self.lens.bend(np.stack([x, y], axis=1)).T
        return x * self.fx + self.cx, y * self.fy + self.cy

    def thinned(self, step: int) -> Intrinsics:
        """Return the camera of the image that has every ``step``-th pixel of every ``step``-th row."""
        width, height = self.size
        return replace(self.cut((0, 0), (step, step)), size=(-(-width // step), -(-height // step)))

    def cut(self, corner: tuple[int, int], binning: tuple[int, int]) -> Intrinsics:
        """Return the camera of a part of the image: ``roi`` and ``binning`` of a CameraInfo (REP 104).

        :param corner: column and row of the image where the part begins.
        :param binning: columns and rows of the image that become one of the part's.
        """
        return replace(self, fx=self.fx / binning[0], fy=self.fy / binning[1],
                       cx=(self.cx - corner[0]) / binning[0], cy=(self.cy - corner[1]) / binning[1])


@lru_cache(maxsize=4)       # a map of 640x480 takes a tenth of a second
def _rays(camera: Intrinsics) -> tuple[np.ndarray, np.ndarray]:
    """Return x and y (H, W) float32 of each pixel's ray, one metre before a camera with a lens."""
    assert camera.lens is not None
    width, height = camera.size
    x, y = np.meshgrid((np.arange(width) - camera.cx) / camera.fx,
                       (np.arange(height) - camera.cy) / camera.fy)
    rays = camera.lens.straighten(np.stack([x.ravel(), y.ravel()], axis=1)).astype(np.float32)
    return rays[:, 0].reshape(height, width), rays[:, 1].reshape(height, width)


@dataclass(frozen=True)
class Camera:
    """What a sensor_msgs/CameraInfo says.

    ``intrinsics`` and ``size`` (width, height) are of the full resolution, of which the image shows the part
    at ``corner``, ``binning`` (columns, rows) pixels to one (REP 104).
    """

    frame_id: str
    intrinsics: Intrinsics
    corner: tuple[int, int]
    size: tuple[int, int]
    binning: tuple[int, int]

    @classmethod
    def of_info(cls, info: Any, k: Sequence[float], p: Sequence[float], d: Sequence[float] = ()) -> Camera:
        """Take a message of any ROS; ``k``, ``p`` and ``d``, which each spells its own way, beside it.

        :param d: the coefficients of the lens; none where the image is rectified. Those of a lens that moves
            the border by less than :data:`STRAIGHT` pixels are left out of account.
        :raises LensError: see :class:`Lens`.
        :raises ValueError: see :meth:`Intrinsics.of_camera`.
        """
        roi = info.roi      # all zeros: the whole
        corner, size = (roi.x_offset, roi.y_offset), (roi.width or info.width, roi.height or info.height)
        camera = Intrinsics.of_camera(k, p)
        model = info.distortion_model
        if any(d) or (model == FISHEYE and len(d)):
            raw = Intrinsics.of_camera(k, ())   # P is of rectified images
            lens = Lens(model, tuple(map(float, d)))
            if lens_shift(raw, lens, size, corner) >= STRAIGHT:
                camera = replace(raw, lens=lens, size=(max(size[0], 1), max(size[1], 1)))
        return cls(info.header.frame_id, camera, corner, size,
                   (max(info.binning_x, 1), max(info.binning_y, 1)))

    @classmethod
    def read(cls, info: Any, k: Sequence[float], p: Sequence[float],
             d: Sequence[float] = ()) -> tuple[Camera, str]:
        """As :meth:`of_info`; where the lens cannot be read the camera without it, and why (else '')."""
        try:
            return cls.of_info(info, k, p, d), ''
        except LensError as error:
            return cls.of_info(info, k, p), str(error)

    @property
    def shift(self) -> float:
        """By how many pixels of the image the lens moves the border, at most."""
        lens = self.intrinsics.lens
        if lens is None:
            return 0.0
        return lens_shift(self.intrinsics, lens, self.size, self.corner) / min(self.binning)

    def shown(self, frame_id: str, size: tuple[int, int]) -> Intrinsics:
        """Return the camera of an image.

        :param frame_id: of the image; '' where it does not say.
        :param size: width and height of the image.
        :raises ValueError: the image is of another camera.
        """
        if self.frame_id and frame_id and self.frame_id != frame_id:
            raise ValueError(f'camera_info is in frame {self.frame_id!r}, the image in {frame_id!r}')
        shown = self.size[0] // self.binning[0], self.size[1] // self.binning[1]
        if shown not in (size, (0, 0)):
            raise ValueError(f'camera_info is of {shown[0]}x{shown[1]} pixels, depth of {size[0]}x{size[1]}')
        return replace(self.intrinsics.cut(self.corner, self.binning), size=size)


def is_rectified(topic: str) -> bool:
    """Tell by the name of a topic, as image_proc gives it, whether its images are rectified."""
    return topic.removesuffix('/compressed').rpartition('/')[2] in RECTIFIED


@lru_cache(maxsize=16)      # a camera says the same with each image
def lens_shift(camera: Intrinsics, lens: Lens, size: tuple[int, int],
               corner: tuple[int, int] = (0, 0)) -> float:
    """Return by how many pixels a lens moves the border of the raw image, at most.

    :param size: width and height of what the image shows, in pixels of ``camera``.
    :param corner: column and row where that begins.
    """
    x, y = np.meshgrid(corner[0] + np.linspace(0, size[0], 9), corner[1] + np.linspace(0, size[1], 9))
    seen = np.stack([(x.ravel() - camera.cx) / camera.fx, (y.ravel() - camera.cy) / camera.fy], axis=1)
    moved = (lens.straighten(seen) - seen) * (camera.fx, camera.fy)
    return float(np.linalg.norm(moved, axis=1).max())
