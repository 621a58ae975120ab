"""An episode at a glance: key frames with their focus area, timeline of phases, curve of importance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from vla_attention.moments.moment import PHASES, Moment
from vla_attention.view.text import draw_text, line_height, text_size

# colours that stay apart in print and for colour-blind eyes (Okabe and Ito, 2008), RGB
PHASE_COLOURS = {'idle': (170, 170, 170), 'approach': (86, 180, 233), 'grasp': (213, 94, 0),
                 'move': (0, 158, 115), 'place': (204, 121, 167), 'retreat': (230, 159, 0)}
EVENT_COLOURS = {'grasp': (170, 60, 0), 'release': (150, 60, 110), 'drop': (200, 0, 0)}
INK, PAPER, FAINT, LEADER = (40, 40, 40), (255, 255, 255), (225, 225, 225), (150, 150, 150)
WIDTH, MARGIN, GAP = 2100, 60, 14
CURVE_HEIGHT, BAR_HEIGHT = 230, 46
SMALL, NORMAL = 24, 28
KEY_FRAMES = 7
MOST_FRAMES = (WIDTH - 2 * MARGIN + GAP) // (GAP + 1)   # a column each
TALLEST = 1.5       # of a column's width: taller images are drawn narrower
EVENT_ROWS = 2      # of labels of events; what has no room in these is left out, its mark stays
STEPS = (*(base / 10 ** power for power in (3, 2, 1) for base in (1, 2, 5)), 1, 2, 5, 10, 15, 30,
         60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400)     # seconds between two marks
ROUNDING = 1e-3     # of a step: times since 1970 are exact to a fraction of a microsecond alone
UNITS = ((3600.0, 'h'), (60.0, 'min'), (0.0, 's'))     # from which step on times are told in which unit


def key_frames(moments: Sequence[Moment], count: int) -> list[int]:
    """Choose the frames to show: events and the height of each phase first, then what is far from those.

    :returns: at most ``count`` indices, rising.
    :raises ValueError: ``count`` is below 1.
    """
    if count < 1:
        raise ValueError(f'count must be 1 or more, got {count}')
    if len(moments) <= count:
        return list(range(len(moments)))
    if count == 1:      # no room for both ends: what matters most
        return [max(range(len(moments)), key=lambda index: (bool(moments[index].events),
                                                            moments[index].importance))]
    chosen = {0, len(moments) - 1}
    events = [index for index, moment in enumerate(moments) if moment.events]
    runs: list[list[int]] = []
    for index, moment in enumerate(moments):
        if runs and moments[runs[-1][-1]].phase == moment.phase:
            runs[-1].append(index)
        else:
            runs.append([index])
    runs = [run for run in sorted(runs, key=len, reverse=True) if len(run) > 1]
    peaks = [max(run, key=lambda index: (moments[index].importance, -abs(index - run[len(run) // 2])))
             for run in runs]
    spacing = max(1, len(moments) // (3 * count))
    for index in events + peaks:
        if len(chosen) < count and all(abs(index - other) >= spacing for other in chosen):
            chosen.add(index)
    while len(chosen) < count:
        chosen.add(max(range(len(moments)), key=lambda index: min(abs(index - other) for other in chosen)))
    return sorted(chosen)


def draw_filmstrip(frames: Sequence[tuple[np.ndarray, Moment]], count: int = KEY_FRAMES) -> np.ndarray:
    """Draw an episode.

    :param frames: (image (H, W, 3) uint8 RGB, its moment), in the order of time.
    :param count: how many key frames, 1 to 132.
    :returns: (height, 2100, 3) uint8 RGB.
    :raises ValueError: there is no frame, or ``count`` is out of range.
    """
    return draw_episode([moment for _, moment in frames],
                        {index: image for index, (image, _) in enumerate(frames)}, count)


def draw_episode(moments: Sequence[Moment], images: Mapping[int, np.ndarray],
                 count: int = KEY_FRAMES) -> np.ndarray:
    """Draw an episode of which not every image is at hand; see :func:`draw_filmstrip`.

    :param moments: of every frame, in the order of time.
    :param images: those of :func:`key_frames` at least, by their index: (H, W, 3) uint8 RGB.
    :raises ValueError: there is no frame, or ``count`` is out of range.
    """
    if not 1 <= count <= MOST_FRAMES:
        raise ValueError(f'count must be 1 to {MOST_FRAMES}, got {count}')
    if not moments:
        raise ValueError('moments is empty: there is nothing to draw')
    chosen = key_frames(moments, count)
    slot = (WIDTH - 2 * MARGIN - GAP * (count - 1)) // count
    rows, columns = images[chosen[0]].shape[:2]
    scale = min(slot / columns, TALLEST * slot / rows)
    thumb_width, thumb_height = max(1, round(columns * scale)), max(1, round(rows * scale))
    text = line_height(SMALL)
    axis = _Axis(moments[0].time, moments[-1].time)
    events = _event_labels(moments, axis)
    strip_top = MARGIN // 2
    bar_top = strip_top + thumb_height + 2 * text + 66
    curve_top = bar_top + BAR_HEIGHT + 66 + text * max((label.row for label in events), default=0)
    height = curve_top + CURVE_HEIGHT + 3 * text + 76
    canvas = np.full((height, WIDTH, 3), PAPER, np.uint8)

    for place, index in enumerate(chosen):
        middle = MARGIN + place * (slot + GAP) + slot // 2
        left = middle - thumb_width // 2
        moment = moments[index]
        canvas[strip_top:strip_top + thumb_height, left:left + thumb_width] = _thumbnail(
            images[index], moment, (thumb_width, thumb_height))
        colour = PHASE_COLOURS[moment.phase]
        cv2.rectangle(canvas, (left, strip_top), (left + thumb_width - 1, strip_top + thumb_height - 1),
                      colour, 4)
        _centred(canvas, f'{axis.caption(moment.time)}  {moment.phase}', middle,
                 strip_top + thumb_height + 6, SMALL, INK)
        _centred(canvas, f'importance {moment.importance:.2f}', middle,
                 strip_top + thumb_height + 8 + text, SMALL, (110, 110, 110))
        foot = strip_top + thumb_height + 14 + 2 * text
        cv2.line(canvas, (middle, foot), (axis.x(moment.time), bar_top - 4), LEADER, 2, cv2.LINE_AA)
    _draw_phases(canvas, moments, axis, bar_top)
    _draw_curve(canvas, moments, chosen, axis, curve_top)
    for label in events:
        draw_text(canvas, label.text, (label.left, curve_top - 44 - text * label.row), SMALL, label.colour)
    _draw_legend(canvas, curve_top + CURVE_HEIGHT + 2 * text + 30)
    return canvas


def time_step(span: float) -> float:
    """Return the seconds between two marks of a time axis, such that it has 2 to 13 of them.

    :param span: of the axis, in seconds; below a millisecond the mark at 0 is the only one.
    """
    if span <= 0:
        return 1.0
    spaces = 12 + ROUNDING      # between 13 marks
    return next((step for step in STEPS if span <= spaces * step), 86400.0 * math.ceil(span / spaces / 86400))


class _Axis:
    """From seconds to columns, and to what is written of a time."""

    def __init__(self, first: float, last: float) -> None:
        self.first, self.last = first, max(last, first + 1e-3)
        self.span = last - first
        self.step = time_step(self.span)
        self.unit = next(name for least, name in UNITS if self.step >= least)
        self._seconds = max(1.0, next(least for least, _ in UNITS if self.step >= least))
        self._decimals = max(0, -math.floor(math.log10(self.step / self._seconds) + 1e-9))

    def x(self, time: float) -> int:
        share = (time - self.first) / (self.last - self.first)
        return round(MARGIN + share * (WIDTH - 2 * MARGIN))

    def marks(self) -> list[tuple[int, str]]:
        """Return column and text of each mark."""
        times = [mark * self.step for mark in range(1 + math.floor(self.span / self.step + ROUNDING))]
        return [(self.x(self.first + time), f'{time / self._seconds:.{self._decimals}f}') for time in times]

    def caption(self, time: float) -> str:
        """Return a time since the beginning, one decimal finer than the marks are apart."""
        return f'{(time - self.first) / self._seconds:.{self._decimals + 1}f} {self.unit}'


@dataclass(frozen=True)
class _EventLabel:
    text: str
    left: int
    row: int        # 0 next to the curve, 1 above it
    colour: tuple[int, int, int]


def _event_labels(moments: Sequence[Moment], axis: _Axis) -> list[_EventLabel]:
    """Set the names of events side by side in rows, so that none lies on another."""
    ends = [MARGIN] * EVENT_ROWS
    labels = []
    for moment in moments:
        if not moment.events:
            continue
        text = '+'.join(moment.events)
        width = text_size(text, SMALL)[0]
        left = min(max(axis.x(moment.time) - width // 2, MARGIN), WIDTH - MARGIN - width)
        row = next((row for row, end in enumerate(ends) if end <= left), None)
        if row is not None:
            ends[row] = left + width + GAP
            labels.append(_EventLabel(text, left, row, EVENT_COLOURS[moment.events[0]]))
    return labels


def readable_on(ground: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return the colour of letters, dark or white, that has the more contrast to its ground."""
    return max((PAPER, INK), key=lambda colour: contrast(colour, ground))


def contrast(first: tuple[int, int, int], second: tuple[int, int, int]) -> float:
    """Return the contrast of two sRGB colours, 1 to 21, as WCAG 2.2 defines it."""
    def luminance(colour: tuple[int, int, int]) -> float:
        parts = [value / 255 for value in colour]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
                            for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted((luminance(first), luminance(second)))
    return (light + 0.05) / (dark + 0.05)


def _centred(canvas: np.ndarray, text: str, middle: int, top: int, size: int,
             colour: tuple[int, int, int]) -> None:
    draw_text(canvas, text, (middle - text_size(text, size)[0] // 2, top), size, colour)


def _thumbnail(image: np.ndarray, moment: Moment, size: tuple[int, int]) -> np.ndarray:
    """Shrink a frame; what lies outside the focus area is dimmed."""
    thumb = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    if moment.focus_area is None:
        return thumb
    scale = np.array([size[0] / image.shape[1], size[1] / image.shape[0]] * 2)
    x0, y0, x1, y1 = (round(float(value)) for value in np.array(moment.focus_area) * scale)
    dimmed = (thumb * 0.62 + 255 * 0.05).astype(np.uint8)
    dimmed[y0:y1, x0:x1] = thumb[y0:y1, x0:x1]
    cv2.rectangle(dimmed, (x0, y0), (x1 - 1, y1 - 1), (255, 255, 255), 3)
    cv2.rectangle(dimmed, (x0, y0), (x1 - 1, y1 - 1), PHASE_COLOURS[moment.phase], 2)
    return dimmed


def _ends(moments: Sequence[Moment], axis: _Axis) -> list[float]:
    """Return until when each frame counts; a frame that is alone has the whole axis."""
    return [*(moment.time for moment in moments[1:]), axis.last]


def _draw_phases(canvas: np.ndarray, moments: Sequence[Moment], axis: _Axis, top: int) -> None:
    ends = _ends(moments, axis)
    for moment, end in zip(moments, ends, strict=True):
        cv2.rectangle(canvas, (axis.x(moment.time), top), (max(axis.x(end) - 1, axis.x(moment.time)),
                                                           top + BAR_HEIGHT), PHASE_COLOURS[moment.phase], -1)
    begin = 0
    for index in range(1, len(moments) + 1):
        if index == len(moments) or moments[index].phase != moments[begin].phase:
            phase = moments[begin].phase
            left, right = axis.x(moments[begin].time), axis.x(ends[index - 1])
            if text_size(phase, NORMAL)[0] + 10 < right - left:
                _centred(canvas, phase, (left + right) // 2, top + 3, NORMAL,
                         readable_on(PHASE_COLOURS[phase]))
            begin = index
    for moment in moments:
        for event in moment.events:
            x = axis.x(moment.time)
            corner = np.array([[x, top + BAR_HEIGHT + 2], [x - 10, top + BAR_HEIGHT + 20],
                               [x + 10, top + BAR_HEIGHT + 20]], np.int32)
            cv2.fillConvexPoly(canvas, corner, EVENT_COLOURS[event], cv2.LINE_AA)


def _draw_curve(canvas: np.ndarray, moments: Sequence[Moment], chosen: Sequence[int], axis: _Axis,
                top: int) -> None:
    def y(importance: float) -> int:
        return round(top + CURVE_HEIGHT * (1 - importance))

    for level in (0.0, 0.25, 0.5, 0.75, 1.0):
        cv2.line(canvas, (MARGIN, y(level)), (WIDTH - MARGIN, y(level)), FAINT, 2)
        label = f'{level:g}'
        draw_text(canvas, label, (MARGIN - 8 - text_size(label, SMALL - 4)[0], y(level) - 16), SMALL - 4,
                  (110, 110, 110))
    points = np.array([[axis.x(moment.time), y(moment.importance)] for moment in moments], np.int32)
    for first, second, moment in zip(points[:-1], points[1:], moments[:-1], strict=True):
        area = np.array([[first[0], y(0)], first, second, [second[0], y(0)]], np.int32)
        pale = tuple(int(255 - (255 - value) * 0.35) for value in PHASE_COLOURS[moment.phase])
        cv2.fillConvexPoly(canvas, area, pale)
    cv2.polylines(canvas, [points.reshape(-1, 1, 2)], False, INK, 3, cv2.LINE_AA)
    for index in chosen:
        cv2.circle(canvas, tuple(int(value) for value in points[index]), 8, PAPER, -1, cv2.LINE_AA)
        cv2.circle(canvas, tuple(int(value) for value in points[index]), 7,
                   PHASE_COLOURS[moments[index].phase], -1, cv2.LINE_AA)
    for moment, point in zip(moments, points, strict=True):
        for event in moment.events:
            for begin in range(top, y(0), 14):
                cv2.line(canvas, (int(point[0]), begin), (int(point[0]), min(begin + 7, y(0))),
                         EVENT_COLOURS[event], 2)
    for x, text in axis.marks():
        cv2.line(canvas, (x, y(0)), (x, y(0) + 8), INK, 2)
        _centred(canvas, text, x, y(0) + 10, SMALL - 2, INK)
    _centred(canvas, f'time in {axis.unit}', WIDTH // 2, y(0) + 10 + line_height(SMALL), SMALL - 2,
             (110, 110, 110))


def _draw_legend(canvas: np.ndarray, top: int) -> None:
    draw_text(canvas, 'importance', (MARGIN, top), SMALL, INK)
    cv2.line(canvas, (MARGIN + 150, top + 18), (MARGIN + 200, top + 18), INK, 3, cv2.LINE_AA)
    x = MARGIN + 250
    for phase in PHASES:
        cv2.rectangle(canvas, (x, top + 6), (x + 26, top + 30), PHASE_COLOURS[phase], -1)
        draw_text(canvas, phase, (x + 36, top), SMALL, INK)
        x += 36 + text_size(phase, SMALL)[0] + 34
