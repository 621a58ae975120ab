"""A place to look at: the result type of the focus stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class FocusRegion:
    """One region of interest in the image, and in space where depth is known.

    ``role`` is 'target', 'destination' or 'avoid'; ``phrase`` the words that it answers; ``score`` 0..1;
    ``box`` (x0, y0, x1, y1) and ``point`` (x, y; the best place to look) in image pixels; ``mask`` (H, W)
    uint8 0/255 of the image's size; ``track`` a number that stays the same from frame to frame (-1:
    not tracked). With depth, in metres in the camera's optical frame (REP-103: z forward, x right,
    y down): ``center`` (3,), ``size`` (3,) along the box's own axes, ``orientation`` quaternion
    (x, y, z, w) of the box, ``points`` (N, 3) float32 and ``colors`` (N, 3) uint8 RGB. ``no_3d`` says why
    there is no 3-D part although depth was given.
    """

    role: str
    phrase: str
    score: float
    box: tuple[float, float, float, float]
    point: tuple[float, float]
    mask: np.ndarray
    track: int = -1
    center: np.ndarray | None = None
    size: np.ndarray | None = None
    orientation: np.ndarray | None = None
    points: np.ndarray | None = None
    colors: np.ndarray | None = None
    no_3d: str = ''


def point_on(mask: np.ndarray, point: tuple[float, float]) -> tuple[float, float]:
    """Keep the point where it is on the mask; else go to the nearest pixel that is.

    :param mask: (H, W), somewhere above 0.
    """
    height, width = mask.shape
    x, y = min(max(int(point[0]), 0), width - 1), min(max(int(point[1]), 0), height - 1)
    if mask[y, x]:
        return point
    rows, columns = np.nonzero(mask)
    nearest = int(np.argmin((columns - x) ** 2 + (rows - y) ** 2))
    return float(columns[nearest]) + 0.5, float(rows[nearest]) + 0.5


def region_ids(regions: Sequence[FocusRegion]) -> list[str]:
    """Return role and number of each region: the track where it is tracked, else the rank within its role."""
    ranks: dict[str, int] = {}
    names = []
    for region in regions:
        rank = ranks[region.role] = ranks.get(region.role, -1) + 1
        names.append(f'{region.role}/{region.track if region.track >= 0 else rank}')
    return names
