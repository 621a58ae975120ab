"""The pinhole camera that a depth image was taken with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import cv2
import numpy as np


@dataclass(frozen=True)
class Intrinsics:
    """Focal lengths and principal point in pixels, of the image as it is (rectified, no distortion).

    :raises ValueError: a focal length that is not above 0, or a value that is not a number.
    """

    fx: float
    fy: float
    cx: float
    cy: float

    def __post_init__(self) -> None:
        for name in ('fx', 'fy', 'cx', 'cy'):
            if not isfinite(getattr(self, name)):
                raise ValueError(f'intrinsics: {name} is {getattr(self, name)}; it must be a number')
        for name in ('fx', 'fy'):
            if getattr(self, name) <= 0:
                raise ValueError(f'intrinsics: the focal length {name} is {getattr(self, name)}; '
                                 'it must be above 0 (is the camera calibrated?)')

    @classmethod
    def of_camera(cls, k: Sequence[float], p: Sequence[float]) -> Intrinsics:
        """Return the camera of a sensor_msgs/CameraInfo: of P where given (rectified images), else of K.

        :param k: the 3x3 matrix, row by row.
        :param p: the 3x4 matrix, row by row.
        :raises ValueError: a focal length that is not above 0, or a value that is not a number.
        """
        if k[0] > 0 and p[0] > 0:
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
        x = ((left - self.cx + step * np.arange(columns)) / self.fx).astype(np.float32)
        y = ((top - self.cy + step * np.arange(rows)) / self.fy).astype(np.float32)
        cloud = np.empty((rows, columns, 3), np.float32)
        np.multiply(depth, x, out=cloud[..., 0])
        np.multiply(depth, y[:, None], out=cloud[..., 1])
        cloud[..., 2] = depth
        return cloud

    def thinned(self, step: int) -> Intrinsics:
        """Return the camera of the image that has every ``step``-th pixel of every ``step``-th row."""
        return self.cut((0, 0), (step, step))

    def cut(self, corner: tuple[int, int], binning: tuple[int, int]) -> Intrinsics:
        """Return the camera of a part of the image: ``roi`` and ``binning`` of a CameraInfo (REP 104).

        :param corner: column and row of the image where the part begins.
        :param binning: columns and rows of the image that become one of the part's.
        """
        return Intrinsics(self.fx / binning[0], self.fy / binning[1],
                          (self.cx - corner[0]) / binning[0], (self.cy - corner[1]) / binning[1])


@dataclass(frozen=True)
class Camera:
    """What a sensor_msgs/CameraInfo says, but for the lens.

    ``intrinsics`` and ``size`` (width, height) are of the full resolution, of which the image shows the part
    at ``corner``, ``binning`` (columns, rows) pixels to one (REP 104).
    """

    frame_id: str
    intrinsics: Intrinsics
    corner: tuple[int, int]
    size: tuple[int, int]
    binning: tuple[int, int]

    @classmethod
    def of_info(cls, info: Any, k: Sequence[float], p: Sequence[float]) -> Camera:
        """Take a message of any ROS; ``k`` and ``p``, which each spells its own way, beside it.

        :raises ValueError: see :meth:`Intrinsics.of_camera`.
        """
        roi = info.roi      # all zeros: the whole
        return cls(info.header.frame_id, Intrinsics.of_camera(k, p), (roi.x_offset, roi.y_offset),
                   (roi.width or info.width, roi.height or info.height),
                   (max(info.binning_x, 1), max(info.binning_y, 1)))

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
        return self.intrinsics.cut(self.corner, self.binning)


def lens_shift(k: Sequence[float], d: Sequence[float], model: str, size: tuple[int, int],
               corner: tuple[int, int] = (0, 0)) -> float:
    """Return by how many pixels a lens moves the border of the raw image, at most; 0 where nothing is said.

    :param k: the 3x3 matrix of a sensor_msgs/CameraInfo, row by row; ``d`` and ``model`` its distortion.
    :param size: width and height of what the image shows, in pixels of the full resolution that ``k`` is of.
    :param corner: column and row where that begins.
    """
    matrix, lens = np.array(k, float).reshape(3, 3), np.array(d, float)
    if not (lens.any() and np.isfinite(lens).all() and np.isfinite(matrix).all() and matrix[0, 0] > 0):
        return 0.0
    x, y = np.meshgrid(np.linspace(0, size[0], 9), np.linspace(0, size[1], 9))
    seen = np.stack([x + corner[0], y + corner[1]], -1).reshape(-1, 1, 2)
    try:
        if model == 'equidistant':
            straight = cv2.fisheye.undistortPoints(seen, matrix, lens, P=matrix)
        else:
            straight = cv2.undistortPoints(seen, matrix, lens, P=matrix)
    except cv2.error:       # a number of coefficients that no model has
        return 0.0
    return float(np.linalg.norm(straight - seen, axis=-1).max())
