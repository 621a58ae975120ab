"""What a person sees: the image with attention as heat and focus regions drawn over it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from vla_attention.focus.region import FocusRegion
from vla_attention.view.text import draw_text, text_size

# RGB; told apart by people with a colour vision deficiency too (Okabe and Ito, 2008)
ROLE_COLOURS = {'target': (0, 158, 115), 'destination': (0, 114, 178), 'avoid': (213, 94, 0)}
BANNER = (32, 32, 32)


def heat(attention: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Colour an attention map.

    :param attention: (rows, cols) float, 0..1; values outside are clipped, NaN counts as 0.
    :param size: (width, height) of the result in pixels.
    :returns: (height, width, 3) uint8 RGB, dark blue (0) over green to yellow (1), the viridis map.
    :raises ValueError: ``attention`` is not a 2-D array.
    """
    if attention.ndim != 2:
        raise ValueError(f'attention must be (rows, cols), got {attention.shape}')
    levels = (np.clip(np.nan_to_num(attention), 0, 1) * 255).astype(np.uint8)
    smooth = cv2.resize(levels, size, interpolation=cv2.INTER_CUBIC)
    return cv2.cvtColor(cv2.applyColorMap(smooth, cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB)


def draw_heat(image: np.ndarray, attention: np.ndarray, opacity: float = 0.6) -> np.ndarray:
    """Lay an attention map over an image: little attention darkens it, much lets it shine through in colour.

    :param image: (H, W, 3) uint8 RGB.
    :param attention: (rows, cols) float, 0..1.
    :param opacity: 0..1, of the heat where attention is 1.
    :returns: (H, W, 3) uint8 RGB.
    """
    height, width = image.shape[:2]
    levels = np.clip(np.nan_to_num(attention), 0, 1).astype(np.float32)
    share = opacity * (0.4 + 0.6 * cv2.resize(levels, (width, height), interpolation=cv2.INTER_LINEAR))
    colour = heat(attention, (width, height))
    return cv2.blendLinear(colour, image, share, 1 - share)


def draw_overlay(image: np.ndarray, regions: Sequence[FocusRegion] = (), *,
                 attention: np.ndarray | None = None, phase: str = '',
                 importance: float | None = None) -> np.ndarray:
    """Draw what the stack knows about an image.

    :param image: (H, W, 3) uint8 RGB; left as it is.
    :param regions: the focus regions: outline of the mask, box, point and "phrase score" of each.
    :param attention: (rows, cols) float, 0..1, drawn as heat below the regions.
    :param phase: name of the phase of the motion, written at the bottom.
    :param importance: 0..1, drawn as a bar beside the phase.
    :returns: (H, W, 3) uint8 RGB.
    :raises ValueError: the image is of another shape or dtype.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f'image must be (H, W, 3) uint8, got {image.shape} {image.dtype}')
    canvas = image.copy() if attention is None else draw_heat(image, attention)
    thickness = max(1, round(min(image.shape[:2]) / 240))
    for region in reversed(regions):    # best last, on top
        _draw_region(canvas, region, thickness)
    for region in reversed(regions):
        _draw_label(canvas, region)
    if phase:
        _draw_phase(canvas, phase, importance)
    return canvas


def _draw_region(canvas: np.ndarray, region: FocusRegion, thickness: int) -> None:
    colour = ROLE_COLOURS.get(region.role, (255, 255, 255))
    if region.mask.shape == canvas.shape[:2]:
        outlines, _ = cv2.findContours(region.mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        cv2.drawContours(canvas, outlines, -1, (255, 255, 255), thickness + 1, cv2.LINE_AA)
        cv2.drawContours(canvas, outlines, -1, colour, thickness, cv2.LINE_AA)
    x0, y0, x1, y1 = (round(float(value)) for value in region.box)
    cv2.rectangle(canvas, (x0, y0), (x1, y1), colour, thickness + 1, cv2.LINE_AA)
    point = (round(float(region.point[0])), round(float(region.point[1])))
    cv2.circle(canvas, point, 3 * thickness + 1, (255, 255, 255), -1, cv2.LINE_AA)
    cv2.circle(canvas, point, 2 * thickness + 1, colour, -1, cv2.LINE_AA)


def _draw_label(canvas: np.ndarray, region: FocusRegion) -> None:
    height, width = canvas.shape[:2]
    size = max(12, round(height / 30))
    label = f'{region.phrase} {region.score:.2f}'
    label_width, label_height = text_size(label, size)
    x = int(np.clip(region.box[0], 0, max(0, width - label_width - 6)))
    above = int(region.box[1]) - label_height - 6
    y = above if above >= 0 else min(int(region.box[3]), height - label_height - 6)
    colour = ROLE_COLOURS.get(region.role, BANNER)
    cv2.rectangle(canvas, (x, y), (x + label_width + 6, y + label_height + 6), colour, -1)
    draw_text(canvas, label, (x + 3, y + 3), size, (255, 255, 255))


def _draw_phase(canvas: np.ndarray, phase: str, importance: float | None) -> None:
    height, width = canvas.shape[:2]
    size = max(14, round(height / 24))
    text_width, text_height = text_size(phase, size)
    top = height - text_height - 10
    canvas[top:] = canvas[top:] // 3 + np.asarray(BANNER, np.uint8) // 2
    draw_text(canvas, phase, (6, top + 5), size, (255, 255, 255))
    if importance is not None:
        left, right = text_width + 18, width - 8
        fill = left + round((right - left) * float(np.clip(importance, 0, 1)))
        cv2.rectangle(canvas, (left, top + 8), (right, height - 8), (90, 90, 90), 1)
        cv2.rectangle(canvas, (left, top + 8), (fill, height - 8), (230, 159, 0), -1)
