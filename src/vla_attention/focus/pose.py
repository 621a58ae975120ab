"""Rotations, and the pose from which a hand can come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from vla_attention.focus.region import FocusRegion

SQUARE = 1.15       # a footprint whose sides differ by less looks the same after a quarter turn


@dataclass(frozen=True)
class Pose:
    """``position`` (3,) in metres and ``orientation`` quaternion (x, y, z, w)."""

    position: np.ndarray
    orientation: np.ndarray


def approach_pose(region: FocusRegion) -> Pose | None:
    """Return the pose that a parallel-jaw hand comes to, in the optical frame.

    The position is the centre of the region's box. z is the approach axis: into the thing, against the normal
    of what it stands on. y is the closing axis, across the thing's shorter side (as ``panda_hand`` of Franka
    and MoveIt's tutorials have it).

    :return: None where the region has no 3-D part.
    """
    if region.center is None or region.orientation is None:
        return None
    box = rotation(region.orientation)
    approach, closing = -box[:, 2], box[:, 1]
    return Pose(region.center, quaternion(np.stack([np.cross(closing, approach), closing, approach], axis=1)))


class SteadyAxes:
    """Keeps the axes of each thing's box the same from frame to frame; see :func:`turned_like`."""

    def __init__(self) -> None:
        self._before: dict[str, np.ndarray] = {}

    def turn(self, regions: Sequence[FocusRegion], names: Sequence[str]) -> list[FocusRegion]:
        """Turn the boxes of a frame to those of the frame before, by the names of the regions."""
        turned = [turned_like(region, self._before[name]) if name in self._before else region
                  for region, name in zip(regions, names, strict=True)]
        self._before = {name: region.orientation for region, name in zip(turned, names, strict=True)
                        if region.orientation is not None}
        return turned

    def reset(self) -> None:
        """Forget all boxes."""
        self._before.clear()


def turned_like(region: FocusRegion, before: np.ndarray) -> FocusRegion:
    """Give a region's box the axes nearest to those it had before.

    A box looks the same after half a turn about its z, and one whose sides are equal after a quarter: which
    one the fit gives is chance, and a hand that follows the pose must not turn with it.

    :param before: quaternion (x, y, z, w) of the box in the frame before.
    """
    if region.orientation is None or region.size is None:
        return region
    old, new = rotation(before), rotation(region.orientation)
    square = max(region.size[:2]) < SQUARE * min(region.size[:2])
    turns = [(new, region.size), (new * (-1, -1, 1), region.size)]
    if square:
        swapped = region.size[[1, 0, 2]]
        quarter = np.stack([new[:, 1], -new[:, 0], new[:, 2]], axis=1)
        turns += [(quarter, swapped), (quarter * (-1, -1, 1), swapped)]
    axes, size = max(turns, key=lambda turn: float(turn[0][:, 0] @ old[:, 0]))
    return replace(region, orientation=quaternion(axes), size=size)


def quaternion(matrix: np.ndarray) -> np.ndarray:
    """Return the quaternion (x, y, z, w), w >= 0, of a rotation matrix (3, 3) (Bar-Itzhack, 2000)."""
    (a, b, c), (d, e, f), (g, h, i) = np.asarray(matrix, np.float64)
    k = np.array([[a - e - i, b + d, c + g, h - f],
                  [b + d, e - a - i, f + h, c - g],
                  [c + g, f + h, i - a - e, d - b],
                  [h - f, c - g, d - b, a + e + i]]) / 3
    found = cv2.eigen(k)[2][0]      # of the largest eigenvalue
    return found if found[3] >= 0 else -found


def rotation(quaternion: np.ndarray) -> np.ndarray:
    """Return the rotation matrix (3, 3) of a quaternion (x, y, z, w).

    :raises ValueError: its length is 0.
    """
    length = float(np.linalg.norm(quaternion))
    if length == 0 or not np.isfinite(length):
        raise ValueError(f'quaternion {quaternion} has no direction')
    x, y, z, w = np.asarray(quaternion, np.float64) / length
    return np.array([[1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                     [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                     [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)]])
