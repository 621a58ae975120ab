"""What a person sees: the image with attention as heat and focus regions drawn over it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from vla_attention.focus.region import FocusRegion
from vla_attention.view.text import draw_text, shortened, text_size

# RGB; told apart by people with a colour vision deficiency too (Okabe and Ito, 2008)
ROLE_COLOURS = {'target': (0, 158, 115), 'destination': (0, 114, 178), 'avoid': (213, 94, 0)}
RANKS = {role: rank for rank, role in enumerate(ROLE_COLOURS)}     # whose label gets its place first
BANNER = (32, 32, 32)
LEAST_BAR = 20      # pixels: a shorter bar of importance tells nothing
_Rectangle = tuple[int, int, int, int]      # x0, y0, x1, y1; the last column and row are no longer in it


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
    :param regions: the focus regions: outline of the mask, box, point and "phrase score" of each. No label
        hides another, and none a point: targets get their place first, then destinations, then the others,
        each role in the order given. A label for which no place is left is left out; a phrase without room
        is shortened, its score never.
    :param attention: (rows, cols) float, 0..1, drawn as heat below the regions.
    :param phase: name of the phase of the motion, written at the bottom.
    :param importance: 0..1, drawn as a bar beside the phase where that leaves room for one.
    :returns: (H, W, 3) uint8 RGB.
    :raises ValueError: the image is of another shape or dtype.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f'image must be (H, W, 3) uint8, got {image.shape} {image.dtype}')
    canvas = image.copy() if attention is None else draw_heat(image, attention)
    thickness = max(1, round(min(image.shape[:2]) / 240))
    for region in reversed(regions):    # best last, on top
        _draw_region(canvas, region, thickness)
    bottom = _draw_phase(canvas, phase, importance) if phase else image.shape[0]
    _draw_labels(canvas, regions, 3 * thickness + 2, bottom)
    for region in reversed(regions):    # above the labels: the point is what an arm acts on
        _draw_point(canvas, region, thickness)
    return canvas


def _draw_region(canvas: np.ndarray, region: FocusRegion, thickness: int) -> None:
    colour = ROLE_COLOURS.get(region.role, (255, 255, 255))
    if region.mask.shape == canvas.shape[:2]:
        outlines, _ = cv2.findContours(region.mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        cv2.drawContours(canvas, outlines, -1, (255, 255, 255), thickness + 1, cv2.LINE_AA)
        cv2.drawContours(canvas, outlines, -1, colour, thickness, cv2.LINE_AA)
    x0, y0, x1, y1 = (round(float(value)) for value in region.box)
    cv2.rectangle(canvas, (x0, y0), (x1, y1), colour, thickness + 1, cv2.LINE_AA)


def _draw_point(canvas: np.ndarray, region: FocusRegion, thickness: int) -> None:
    colour = ROLE_COLOURS.get(region.role, (255, 255, 255))
    point = (round(float(region.point[0])), round(float(region.point[1])))
    cv2.circle(canvas, point, 3 * thickness + 1, (255, 255, 255), -1, cv2.LINE_AA)
    cv2.circle(canvas, point, 2 * thickness + 1, colour, -1, cv2.LINE_AA)


def _draw_labels(canvas: np.ndarray, regions: Sequence[FocusRegion], radius: int, bottom: int) -> None:
    """Write to each region what it is; ``radius`` pixels around each point stay free where that can be."""
    height, width = canvas.shape[:2]
    size = max(12, round(height / 30))
    points = [(round(float(x)) - radius, round(float(y)) - radius, round(float(x)) + radius + 1,
               round(float(y)) + radius + 1) for x, y in (region.point for region in regions)]
    labels: list[_Rectangle] = []
    for region in sorted(regions, key=_rank):
        text = _label(region, size, width - 7)
        label_width, label_height = (value + 7 for value in text_size(text, size))
        place = _place(region.box, (label_width, label_height), (width, bottom), labels, points)
        if place is None:
            continue
        x, y = place
        labels.append((x, y, x + label_width, y + label_height))
        colour = ROLE_COLOURS.get(region.role, BANNER)
        cv2.rectangle(canvas, (x, y), (x + label_width - 1, y + label_height - 1), colour, -1)
        draw_text(canvas, text, (x + 3, y + 3), size, (255, 255, 255))


def _rank(region: FocusRegion) -> int:
    return RANKS.get(region.role, len(RANKS))


def _label(region: FocusRegion, size: int, width: int) -> str:
    """Return phrase and score, or on a very narrow image the score alone."""
    score = f' {region.score:.2f}'
    spare = width - text_size(score, size)[0] - 2   # rounded, parts may be shorter than the whole
    text = shortened(region.phrase, size, spare) + score
    return text if text_size(text, size)[0] <= width else score.strip()


def _place(box: Sequence[float], extent: tuple[int, int], room: tuple[int, int],
           labels: Sequence[_Rectangle], points: Sequence[_Rectangle]) -> tuple[int, int] | None:
    """Find the upper left corner of a label.

    Above the box, below it, inside at its top, else the free place that is nearest to the first of these.

    :param extent: (width, height) of the label.
    :param room: (width, height) of what labels may cover.
    :returns: None where there is no place beside ``labels``.
    """
    width, height = extent
    right, low = room[0] - width, room[1] - height     # as far as the corner may go
    if right < 0 or low < 0:        # an image too small for a label: the first stands there cut off
        return None if labels else (0, 0)
    x0, y0, _, y1 = (int(value) for value in box)
    x = min(max(x0, 0), right)
    for y in (y0 - height + 1, y1 + 1, y0):
        if 0 <= y <= low and not any(_meet((x, y, x + width, y + height), taken)
                                     for taken in (*labels, *points)):
            return x, y
    for taken in ((*labels, *points), labels):      # a point may be on a label before the label is lost
        place = _nearest((x, min(max(y0 - height + 1, 0), low)), extent, (right, low), taken)
        if place is not None:
            return place
    return None


def _meet(first: _Rectangle, second: _Rectangle) -> bool:
    return first[0] < second[2] and second[0] < first[2] and first[1] < second[3] and second[1] < first[3]


def _nearest(wish: tuple[int, int], extent: tuple[int, int], last: tuple[int, int],
             taken: Sequence[_Rectangle]) -> tuple[int, int] | None:
    """Return the corner nearest to ``wish`` with which a rectangle meets none that is taken.

    One that cannot be nearer touches what is in its way, so the edges of those are all there is to try.
    """
    width, height = extent
    blocks = np.array(taken, int).reshape(-1, 4)
    xs = np.concatenate([[wish[0], 0, last[0]], blocks[:, 2], blocks[:, 0] - width])
    ys = np.concatenate([[wish[1], 0, last[1]], blocks[:, 3], blocks[:, 1] - height])
    x, y = (values.ravel() for values in np.meshgrid(xs[(xs >= 0) & (xs <= last[0])],
                                                     ys[(ys >= 0) & (ys <= last[1])]))
    meets = ((x[:, None] < blocks[:, 2]) & (blocks[:, 0] < x[:, None] + width)
             & (y[:, None] < blocks[:, 3]) & (blocks[:, 1] < y[:, None] + height)).any(axis=1)
    if meets.all():
        return None
    far = np.where(meets, np.inf, np.hypot(x - wish[0], y - wish[1]))
    nearest = int(np.argmin(far))
    return int(x[nearest]), int(y[nearest])


def _draw_phase(canvas: np.ndarray, phase: str, importance: float | None) -> int:
    """Write the phase at the bottom; return the row where that begins."""
    height, width = canvas.shape[:2]
    size = max(14, round(height / 24))
    text_width, text_height = text_size(phase, size)
    top = max(0, height - text_height - 10)
    canvas[top:] = canvas[top:] // 3 + np.asarray(BANNER, np.uint8) // 2
    draw_text(canvas, phase, (6, top + 5), size, (255, 255, 255))
    left, right = text_width + 18, width - 8
    if importance is not None and right - left >= LEAST_BAR and height - 8 > top + 8:
        fill = left + round((right - left) * float(np.clip(importance, 0, 1)))
        cv2.rectangle(canvas, (left, top + 8), (right, height - 8), (90, 90, 90), 1)
        cv2.rectangle(canvas, (left, top + 8), (fill, height - 8), (230, 159, 0), -1)
    return top
