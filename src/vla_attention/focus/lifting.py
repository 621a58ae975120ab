"""From a region of the image to a thing in space."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np

from vla_attention.focus.box import fit_box
from vla_attention.focus.intrinsics import Intrinsics
from vla_attention.focus.pose import quaternion
from vla_attention.focus.region import FocusRegion, point_on
from vla_attention.focus.surface import SURROUNDINGS, separate

MIN_POINTS = 30         # fewer points carry no box
MIN_SHARE = 0.1         # of the outline from the map must have a depth reading
LEAST_BREADTH = 16      # pixels across a thing of those that are worked on, at least
# pixels around a thing that are worked on, about: of large things every second, third; twice as many take
# half as long again, for centres that are 0.15 mm better
WORKED_ON = 14_000


def lift(region: FocusRegion, depth: np.ndarray, intrinsics: Intrinsics,
         image: np.ndarray | None = None) -> FocusRegion:
    """Find the thing of a region in space.

    :param depth: (H, W) float32 metres along the optical axis, NaN (or 0) where there is no reading, pixel
        for pixel the image that the region is of. Of large things not every pixel becomes a point.
    :param image: (H, W, 3) uint8 RGB, for the colours of the points, and to follow a thing beyond an outline
        that holds a part of it alone.
    :return: the region with centre, size, orientation, points (and colours) in the optical frame, its mask
        corrected by the depth; or unchanged but for ``no_3d``, which says why.
    :raises ValueError: depth or image of another size than the region's mask, or of another type.
    """
    if depth.shape != region.mask.shape:
        raise ValueError(f'depth is {depth.shape[1]}x{depth.shape[0]} and the image '
                         f'{region.mask.shape[1]}x{region.mask.shape[0]}; they must be registered')
    if depth.dtype != np.float32:
        raise ValueError(f'depth is {depth.dtype}; it must be float32 metres (see decode_depth)')
    if image is not None and image.shape != (*depth.shape, 3):
        raise ValueError(f'image has the shape {image.shape}; it must be {(*depth.shape, 3)}')
    left, top, width, height = cv2.boundingRect(region.mask)
    said = region.mask[top:top + height, left:left + width] > 0
    readings = int(np.count_nonzero(said & (depth[top:top + height, left:left + width] > 0)))
    pixels = int(np.count_nonzero(said))
    needed = math.ceil(max(MIN_POINTS, MIN_SHARE * pixels))
    if readings < needed:
        return replace(region, no_3d=f'{readings} of {pixels} pixels have a depth reading; '
                                            f'{needed} are needed')
    step = _step(region.box, pixels)
    surface = separate(region.mask, region.box, depth, intrinsics, step, image)
    count = len(surface.points)
    if count < MIN_POINTS:
        left_over = f'{count * step ** 2} points are left of {readings} readings'
        return replace(region, no_3d=f'{left_over} after edges are cut and the table is taken away')
    box = fit_box(surface, intrinsics.thinned(step))
    mask, outer = _at_full_size(surface.mask, surface.window[:2], step, depth.shape)
    return replace(
        region, mask=mask,
        box=outer,
        point=point_on(mask, region.point),
        center=box.center, size=box.size, orientation=quaternion(box.axes),
        points=surface.points, colors=surface.colors)


def _step(box: tuple[float, float, float, float], pixels: int) -> int:
    """Return which pixels are worked on: all of what is small or thin, every second or third of others."""
    length = max(box[2] - box[0], box[3] - box[1])
    side = (1 + 2 * SURROUNDINGS) * length
    breadth = pixels / max(length, 1.0)
    return max(1, round(min(side / np.sqrt(WORKED_ON), breadth / LEAST_BREADTH)))


def _at_full_size(mask: np.ndarray, corner: tuple[int, int], step: int, size: tuple[int, ...],
                  ) -> tuple[np.ndarray, tuple[float, float, float, float]]:
    """Bring the mask of a window of a thinned image into a mask (H, W) uint8 0/255 of the whole image.

    :param corner: column and row of the thinned image where the window begins.
    :return: and the box (x0, y0, x1, y1) around it.
    """
    full = np.zeros(size, np.uint8)
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    left, top, right, bottom = max(0, left - 1), max(0, top - 1), left + width + 1, top + height + 1
    mask = mask[top:bottom, left:right]     # with a rim that is not of it, to which its border is drawn
    x, y = step * (corner[0] + left), step * (corner[1] + top)
    part = full[y:y + step * mask.shape[0], x:x + step * mask.shape[1]]
    if step > 1:
        spread = np.array([[step, 0, 0], [0, step, 0]], np.float32)     # pixel i of the mask is i * step here
        mask = cv2.warpAffine(mask.astype(np.float32), spread, part.shape[::-1],
                              borderMode=cv2.BORDER_REPLICATE) >= 0.5
    part[mask] = 255
    left, top, width, height = cv2.boundingRect(part)
    return full, (float(x + left), float(y + top), float(x + left + width), float(y + top + height))
