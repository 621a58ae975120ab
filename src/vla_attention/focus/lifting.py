"""From a region of the image to a thing in space."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from vla_attention.focus.box import fit_box
from vla_attention.focus.intrinsics import Intrinsics
from vla_attention.focus.pose import quaternion
from vla_attention.focus.region import FocusRegion, point_on
from vla_attention.focus.surface import separate

MIN_POINTS = 30         # fewer points carry no box
MIN_SHARE = 0.1         # of the outline from the map must have a depth reading


def lift(region: FocusRegion, depth: np.ndarray, intrinsics: Intrinsics,
         image: np.ndarray | None = None) -> FocusRegion:
    """Find the thing of a region in space.

    :param depth: (H, W) float32 metres along the optical axis, NaN (or 0) where there is no reading, pixel
        for pixel the image that the region is of.
    :param image: (H, W, 3) uint8 RGB, for the colours of the points.
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
    if readings < max(MIN_POINTS, MIN_SHARE * pixels):
        return replace(region, no_3d=f'{readings} of {pixels} pixels have a depth reading')
    surface = separate(region.mask, region.box, depth, intrinsics)
    count = int(np.count_nonzero(surface.solid))
    if count < MIN_POINTS:
        return replace(region, no_3d=f'{count} points are left of {readings} readings after edges are cut '
                                     'and the table is taken away')
    box = fit_box(surface, intrinsics)
    x0, y0, x1, y1 = surface.window
    mask = np.zeros_like(region.mask)
    mask[y0:y1, x0:x1][surface.mask] = 255
    left, top, width, height = cv2.boundingRect(surface.mask.astype(np.uint8))
    return replace(
        region, mask=mask,
        box=(float(x0 + left), float(y0 + top), float(x0 + left + width), float(y0 + top + height)),
        point=point_on(mask, region.point),
        center=box.center, size=box.size, orientation=quaternion(box.axes),
        points=surface.cloud[surface.solid],
        colors=None if image is None else image[y0:y1, x0:x1][surface.solid])

