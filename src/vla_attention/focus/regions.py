"""From the attention map of one phrase to regions of the image: parts, masks, boxes finer than a patch."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import cv2
import numpy as np

from vla_attention.focus.confidence import Confidence
from vla_attention.focus.figure import find_figure
from vla_attention.focus.region import FocusRegion
from vla_attention.grounding.attention_maps import AttentionMaps

OUTLINE = 0.5       # a part's outline lies where its map falls to this share of the part's own peak
RIVAL = 0.5         # a part whose peak is below this share of the best part's peak is background
MIN_PEAK = 1e-3     # a map that nowhere rises above this looks nowhere
MIN_PIXELS = 12     # a part with fewer pixels is a speck


@dataclass(frozen=True)
class _Part:
    """A connected part of a map: window (x0, y0, x1, y1), mask within the window, sum of the map over it.

    ``point`` (x, y) is the best place to look at by the map alone, where the outline was drawn anew.
    """

    window: tuple[int, int, int, int]
    mask: np.ndarray
    mass: float
    point: tuple[float, float] | None = None


def find_regions(maps: AttentionMaps, index: int, role: str, *, image: np.ndarray | None = None,
                 confidence: Confidence | None = None, plural: bool | None = None,
                 max_regions: int = 5) -> list[FocusRegion]:
    """Find where one phrase looks.

    The finest map that the backend gives (``maps.masks``, else the patch map) is brought to the size of
    the image by linear interpolation, so that an outline falls between patch centres where the values say
    so, and cut into connected parts, each at :data:`OUTLINE` of its own peak. Where the backend has boxes
    (``maps.boxes``), the parts are what lies in them. With the image, the outline of each is corrected by
    colour and edges (:func:`vla_attention.focus.figure.find_figure`), and its box by colour.

    The score is the presence of the phrase times, for a phrase that means one thing, the part's share of
    the attention of all parts: two equally good answers get half each. That of a backend's box is the
    backend's own, or, with ``confidence``, the probability that the region is the thing meant.

    :param index: which phrase of ``maps``.
    :param role: 'target', 'destination' or 'avoid'; kept in the regions.
    :param image: (H, W, 3) uint8 RGB, the image that the maps are of.
    :param confidence: what the scores of this backend's boxes mean.
    :param plural: several regions ("the cups") or the best alone ("the cup"); by default the phrase tells.
    :param max_regions: at most so many regions.
    :return: best first; empty when the map looks nowhere.
    :raises ValueError: no such phrase, a map that is not two-dimensional, ``max_regions`` below 1, an image
        of another size.
    """
    if not 0 <= index < len(maps.phrases):
        raise ValueError(f'index is {index}, but there are {len(maps.phrases)} phrases')
    if max_regions < 1:
        raise ValueError(f'max_regions is {max_regions}; it must be at least 1')
    width, height = maps.image_size
    if image is not None and image.shape != (height, width, 3):
        raise ValueError(f'image has the shape {image.shape}; the maps are of {(height, width, 3)}')
    phrase = maps.phrases[index]
    if plural is None:
        from vla_attention.language import parse_phrase  # loads torch, which focus_node can do without
        plural = parse_phrase(phrase).plural
    grid = _grid(maps.maps[index] if maps.masks is None else maps.masks[index])
    heat = cv2.resize(grid, maps.image_size, interpolation=cv2.INTER_LINEAR)
    boxes = maps.boxes[index] if maps.boxes else None
    if boxes is not None and len(boxes):
        boxes = np.asarray(boxes, float)
        count = max_regions if plural else 1
        if confidence is not None:
            boxes = _with_probabilities(boxes, count, float(maps.presence[index]), width * height, confidence)
        return _from_boxes(heat, boxes, role, phrase, count, image)
    parts = _parts(grid, heat)
    if not parts:
        return []
    presence = min(max(float(maps.presence[index]), 0.0), 1.0)
    total = sum(part.mass for part in parts)
    best = max(part.mass for part in parts)
    scores = [presence * part.mass / (best if plural else total) for part in parts]
    order = np.argsort(scores)[::-1][:max_regions if plural else 1]
    return [_region(heat, parts[i] if image is None else _corrected(parts[i], heat, image), role, phrase,
                    scores[i]) for i in order]


def _grid(grid: np.ndarray) -> np.ndarray:
    """Check a map, and make it float32 without NaN."""
    if grid.ndim != 2 or 0 in grid.shape:
        raise ValueError(f'a map has the shape {grid.shape}; it must be (rows, columns)')
    grid = np.asarray(grid, np.float32)
    return np.where(np.isfinite(grid), grid, np.float32(0))


def _parts(grid: np.ndarray, heat: np.ndarray) -> list[_Part]:
    """Cut a map into connected parts.

    A first cut at a low level, on the backend's own grid, finds what belongs together at most; a second one,
    on the image at :data:`OUTLINE` of the group's own peak, draws each outline and parts neighbours that a
    valley lies between.

    :param grid: the map as the backend gave it.
    :param heat: the same at the size of the image.
    """
    peak = float(heat.max())
    if peak < MIN_PEAK:
        return []
    # interpolation carries a cell's value as far as the next cell's centre
    high = cv2.dilate((grid >= OUTLINE * RIVAL * peak).astype(np.uint8), np.ones((3, 3), np.uint8))
    across, down = heat.shape[1] / grid.shape[1], heat.shape[0] / grid.shape[0]
    parts = []
    for (x0, y0, x1, y1), cells in _components(high, 1):
        left, top, right, bottom = int(x0 * across), int(y0 * down), ceil(x1 * across), ceil(y1 * down)
        group = cv2.resize(cells.astype(np.uint8), (right - left, bottom - top),
                           interpolation=cv2.INTER_NEAREST)
        crop = heat[top:bottom, left:right] * group
        for (a, b, c, d), mask in _components((crop >= OUTLINE * crop.max()).astype(np.uint8), MIN_PIXELS):
            values = crop[b:d, a:c][mask]
            if float(values.max()) >= RIVAL * peak:
                parts.append(_Part((left + a, top + b, left + c, top + d), mask, float(values.sum())))
    return parts


def _components(mask: np.ndarray, least: int) -> list[tuple[tuple[int, int, int, int], np.ndarray]]:
    """Return (window, mask within the window) for each connected part of a uint8 mask."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    found = []
    for label in range(1, count):
        x, y, width, height, area = stats[label].tolist()
        if area >= least:
            window = (x, y, x + width, y + height)
            found.append((window, _crop(labels, window) == label))
    return found


def _with_probabilities(boxes: np.ndarray, count: int, presence: float, pixels: int,
                        confidence: Confidence) -> np.ndarray:
    first = boxes[:count].copy()
    shares = (first[:, 2:4] - first[:, :2]).prod(axis=1) / pixels
    first[:, 4] = confidence.probabilities(presence, boxes[:, 4], shares)
    return first


def _from_boxes(heat: np.ndarray, boxes: np.ndarray, role: str, phrase: str, count: int,
                image: np.ndarray | None) -> list[FocusRegion]:
    """Take the backend's own boxes; the mask is the part of the map in each, all of it where it is flat."""
    height, width = heat.shape
    regions = []
    for x0, y0, x1, y1, score in boxes[:count]:
        box = (float(np.clip(x0, 0, width)), float(np.clip(y0, 0, height)),
               float(np.clip(x1, 0, width)), float(np.clip(y1, 0, height)))
        window = (int(box[0]), int(box[1]), int(np.ceil(box[2])), int(np.ceil(box[3])))
        crop = _crop(heat, window)
        if crop.size == 0:
            continue
        peak = float(crop.max())
        mask = crop >= OUTLINE * peak if peak >= MIN_PEAK else np.ones(crop.shape, bool)
        part = _Part(window, mask, float(crop[mask].sum()))
        if image is not None:
            part = _corrected(part, heat, image)
            box = _floats(part.window)
        region = _region(heat, part, role, phrase, float(np.clip(score, 0.0, 1.0)))
        regions.append(FocusRegion(role, phrase, region.score, box, region.point, region.mask))
    return regions


def _corrected(part: _Part, heat: np.ndarray, image: np.ndarray) -> _Part:
    """Draw a part's outline anew by colour; it stays as it is where colours tell nothing."""
    figure = find_figure(image, _floats(part.window), heat)
    (left, top, _, _), (x0, y0, x1, y1) = figure.window, figure.box
    mask = figure.mask[y0 - top:y1 - top, x0 - left:x1 - left]
    if np.count_nonzero(mask) < MIN_PIXELS:
        return part
    return _Part(figure.box, mask, part.mass, _best_point(_crop(heat, part.window), part))


def _region(heat: np.ndarray, part: _Part, role: str, phrase: str, score: float) -> FocusRegion:
    mask = np.zeros(heat.shape, np.uint8)
    _crop(mask, part.window)[part.mask] = 255
    return FocusRegion(role, phrase, float(score), _floats(part.window),
                       _best_point(_crop(heat, part.window), part), mask)


def _best_point(heat: np.ndarray, part: _Part) -> tuple[float, float]:
    """Return the best place to look: high in the map and deep in the mask, and so always on the region.

    The centre of mass would lie beside a region that is bent or has a hole. What was best before the outline
    was drawn anew stays so if it is still on the region.
    """
    if part.point is not None:
        x, y = (int(value) for value in part.point)
        x0, y0, x1, y1 = part.window
        if x0 <= x < x1 and y0 <= y < y1 and part.mask[y - y0, x - x0]:
            return part.point
    padded = cv2.copyMakeBorder(part.mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, 3)[1:-1, 1:-1]
    row, column = np.unravel_index(int(np.argmax(depth * heat)), depth.shape)
    if not part.mask[row, column]:      # a map that is zero all over the box
        row, column = np.unravel_index(int(np.argmax(depth)), depth.shape)
    return part.window[0] + float(column) + 0.5, part.window[1] + float(row) + 0.5


def _floats(window: tuple[int, int, int, int]) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = window
    return float(x0), float(y0), float(x1), float(y1)


def _crop(array: np.ndarray, window: tuple[int, int, int, int]) -> np.ndarray:
    x0, y0, x1, y1 = window
    return array[y0:y1, x0:x1]
