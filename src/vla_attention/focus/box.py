"""The oriented box around a thing of which one side is seen."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vla_attention.focus import depth as depths
from vla_attention.focus.footprint import footprint
from vla_attention.focus.intrinsics import Intrinsics
from vla_attention.focus.plane import cross
from vla_attention.focus.surface import Surface

FITTED = 1600       # points that the box is fitted to, at most
MIRRORED = 400      # points that are mirrored to guess the hidden side, at most
FROM_ABOVE = 0.9    # cosine of the angle between line of sight and normal above which sides are hardly seen
AROUND = (3, 7)     # pixels from a thing within which lies what it stands on, seen from above
ON_TABLE = 0.02     # a thing whose lowest point is seen nearer than this to the table stands on it, in metres


@dataclass(frozen=True)
class Box:
    """``center`` (3,) and ``size`` (3,) in metres; ``axes`` (3, 3), its columns are the box's own x, y, z."""

    center: np.ndarray
    size: np.ndarray
    axes: np.ndarray


def fit_box(surface: Surface, intrinsics: Intrinsics) -> Box:
    """Put a box around a thing: z along the normal of what it stands on, x along its longer side.

    The rectangle around what is seen from above gives the sides (:func:`footprint`). What is hidden is
    guessed by symmetry, as far as the camera could not see it (Bohg et al., "Mind the gap", ICRA 2011).
    Without a plane the box has the camera's axes, with z against the line of sight.
    """
    thin = max(1, len(surface.points) // FITTED)
    points = surface.points[::thin].astype(np.float64)
    hidden = np.empty((0, 3))
    if surface.plane is None:
        normal, u, v = np.array([0.0, 0.0, -1.0]), np.array([1.0, 0.0, 0.0]), np.array([0.0, -1.0, 0.0])
        heights = points @ normal
        bottom, top = depths.ends(heights)
    else:
        normal = surface.plane.normal
        u, v = surface.plane.axes()
        heights = points @ normal - surface.plane.offset
        bottom, top = depths.ends(heights)
        near_top = heights > top - max(0.08 * top, 3 * depths.noise_at(float(points[0, 2])))
        crown = points.compress(near_top, axis=0)
        least, most = (cv2.reduce(crown, 0, end)[0] for end in (cv2.REDUCE_MIN, cv2.REDUCE_MAX))
        crest = (least + most) / 2
        if bottom < ON_TABLE:
            bottom = 0.0
        elif -crest @ normal > FROM_ABOVE * np.linalg.norm(crest):      # its sides are hardly seen
            bottom = _support(surface, bottom)
        elif bottom < 2 * (top - bottom) and _table_below(surface, crest, intrinsics):
            bottom = 0.0
        if top > ON_TABLE and len(crown) >= 8:
            hidden = _hidden_side(surface, points, crest, intrinsics)
    flat = np.stack([u, v], axis=1)
    (x, y), (long, short), turn = footprint(points @ flat, hidden @ flat,
                                            np.sqrt(thin) * depths.middle(points[:, 2]) / intrinsics.fx)
    along = np.cos(turn) * u + np.sin(turn) * v
    base = surface.plane.offset if surface.plane is not None else 0.0
    center = x * u + y * v + (base + (bottom + top) / 2) * normal
    if cross(normal, along)[0] < 0:     # of two turns that look the same, the one whose y goes right
        along = -along
    axes = np.stack([along, cross(normal, along), normal], axis=1)
    thinnest = 1e-3     # a sheet of paper has a thickness too
    return Box(center, np.maximum((long, short, top - bottom), thinnest), axes)


def _support(surface: Surface, bottom: float) -> float:
    """Return how high above the plane that is which a thing seen from above stands on: what lies around it.

    :param bottom: height of the lowest that is seen of the thing, in metres.
    """
    assert surface.plane is not None
    near, far = (cv2.dilate(surface.mask.astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
                 for reach in AROUND)
    heights = surface.plane.height(surface.cloud[(far > near) & np.isfinite(surface.cloud[..., 2])])
    lower = heights[heights < bottom]
    if len(lower) < 8:
        return bottom
    support = depths.middle(lower)
    return 0.0 if support < ON_TABLE else support


def _table_below(surface: Surface, crest: np.ndarray, intrinsics: Intrinsics) -> bool:
    """Tell whether what is seen right below the thing is the table that it stands on.

    A ball hides the place where it touches the table, but the table begins on the camera's side of its
    middle. Below a block on a block is a block; below a thing in the air, table that lies behind it.

    :param crest: (3,) the middle of what is highest.
    """
    assert surface.plane is not None
    normal = surface.plane.normal
    foot = crest - 0.02 * normal
    focal = np.array([intrinsics.fx, intrinsics.fy])
    down = focal * (foot[:2] / foot[2] - crest[:2] / crest[2])
    length = float(np.linalg.norm(down))
    if length < 0.1 * intrinsics.fx * 0.02 / crest[2]:     # seen from straight above there is no below
        return True
    dx, dy = np.round(6 * down / length)
    outline = surface.mask.astype(np.uint8)
    shift = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    shifted = cv2.warpAffine(outline, shift, (outline.shape[1], outline.shape[0]))
    below = surface.cloud[(shifted > 0) & (cv2.dilate(outline, np.ones((5, 5), np.uint8)) == 0)]
    below = below[np.isfinite(below[:, 2])]
    if len(below) < 8:
        return True
    if np.mean(surface.plane.height(below) < ON_TABLE / 2) < 0.5:
        return False
    towards = -crest + (crest @ normal) * normal
    return bool(np.mean((below - crest) @ towards > 0) > 0.25)


def _hidden_side(surface: Surface, points: np.ndarray, crest: np.ndarray,
                 intrinsics: Intrinsics) -> np.ndarray:
    """Mirror what is seen at the upright axis of the thing; keep what the camera could not have seen.

    The axis goes through the middle of what is highest: the rim of a cup, the top of a ball, the lid of a
    box. A mirrored point is kept where it falls behind the thing's own visible surface.

    :param crest: (3,) a point of the axis.
    :return: (K, 3) metres.
    """
    assert surface.plane is not None
    normal = surface.plane.normal
    seen = points[::max(1, len(points) // MIRRORED)]
    offset = crest - seen
    mirrored = seen + 2 * (offset - (offset @ normal)[:, None] * normal)
    x0, y0, x1, y1 = surface.window
    seen_at = intrinsics.project(mirrored)
    columns, rows = (np.round(at).astype(int) - start for at, start in zip(seen_at, (x0, y0), strict=True))
    within = (columns >= 0) & (rows >= 0) & (columns < x1 - x0) & (rows < y1 - y0)
    mirrored, columns, rows = mirrored[within], columns[within], rows[within]
    z = surface.cloud[rows, columns, 2]
    return mirrored[surface.solid[rows, columns] & (mirrored[:, 2] > z)]
