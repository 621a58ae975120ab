"""Regions from frame to frame: the same number for the same thing, and outlines that do not flicker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt

import cv2
import numpy as np

from vla_attention.focus.region import FocusRegion, point_on
from vla_attention.grounding.box_matching import gap, pairs, unlikeness
from vla_attention.timing import JUMP

REACH = 1.0         # mean sides of two boxes; a region farther than this from where a track should be is new
PATIENCE = 2.0      # seconds that a number is kept for a thing that is out of sight
SUDDEN = 0.5        # an edge that moves by this share of the box against expectation is followed at once


@dataclass
class _Track:
    number: int
    region: FocusRegion     # the last one, smoothed
    edges: np.ndarray       # (4,) x0, y0, x1, y1
    speed: np.ndarray       # (4,) pixels a second
    outline: np.ndarray     # (h, w) float32 over the box: how much of late each pixel was in the mask
    seen: float             # seconds

    def expected(self, time: float) -> np.ndarray:
        return self.edges + self.speed * (time - self.seen)


class Tracker:
    """Gives regions their numbers and smooths them over time.

    Boxes are smoothed by an alpha-beta filter, which follows a thing that moves evenly without lag; beta
    follows from alpha by Kalata's relation (1984). Masks are averaged in the coordinates of the box, so they
    move with it. A number is never given twice.
    """

    def __init__(self, smoothing: float = 0.5) -> None:
        """Make a tracker without tracks.

        :param smoothing: 0 (regions as they come) to below 1 (hardly any change from frame to frame).
        :raises ValueError: ``smoothing`` is not in that range.
        """
        self.smoothing = smoothing
        self._tracks: list[_Track] = []
        self._next = 0
        self._time = float('-inf')

    @property
    def smoothing(self) -> float:
        """How much of what was stays, 0 to below 1; it may be set at any time."""
        return self._smoothing

    @smoothing.setter
    def smoothing(self, value: float) -> None:
        if not 0 <= value < 1:
            raise ValueError(f'smoothing is {value}; it must be at least 0 and below 1')
        self._smoothing = value

    def reset(self) -> None:
        """Forget all tracks: a new instruction, another camera."""
        self._tracks.clear()

    def update(self, regions: Sequence[FocusRegion], time: float) -> list[FocusRegion]:
        """Return the regions of one frame, smoothed and with ``track`` set.

        Phrases stay in their order; of each, the region comes first whose smoothed score is the best.

        A thing that comes back after frames without it begins where it is, however it was expected to move.

        :param time: the frame's stamp in seconds; one more than 0.5 s before the last resets the tracker.
        """
        if time < self._time - JUMP:
            self.reset()
        elif time < self._time:     # out of order: as if it had been taken with the last one
            time = self._time
        before, self._time = self._time, time
        self._tracks = [track for track in self._tracks if time - track.seen <= PATIENCE]
        matches = self._match(regions, time)
        answer = []
        for index, region in enumerate(regions):
            track = matches.get(index)
            if track is None:
                track = self._begin(region, time)
            else:
                self._follow(track, region, time, missed=track.seen < before)
            answer.append(track.region)
        turns: dict[tuple[str, str], int] = {}
        for region in regions:
            turns.setdefault((region.role, region.phrase), len(turns))
        return sorted(answer, key=lambda region: (turns[region.role, region.phrase], -region.score))

    def _match(self, regions: Sequence[FocusRegion], time: float) -> dict[int, _Track]:
        """Pair regions with tracks of the same role and phrase, the best pair first."""
        if not regions or not self._tracks:
            return {}
        boxes = np.array([region.box for region in regions], float)
        expected = np.stack([track.expected(time) for track in self._tracks])
        before = np.stack([track.edges for track in self._tracks])
        apart = np.minimum(gap(boxes, expected), gap(boxes, before))
        asked = [[(region.role, region.phrase) == (track.region.role, track.region.phrase)
                  for track in self._tracks] for region in regions]
        # of two that are as near (an apple on a plate), the one of like size
        cost = np.where(np.array(asked) & (apart < REACH), apart + unlikeness(boxes, expected), np.inf)
        return {index: self._tracks[number] for index, number in pairs(cost)}

    def _begin(self, region: FocusRegion, time: float) -> _Track:
        region = replace(region, track=self._next)
        track = _Track(self._next, region, np.array(region.box, float), np.zeros(4),
                       _inside(region).astype(np.float32), time)
        self._next += 1
        self._tracks.append(track)
        return track

    def _follow(self, track: _Track, region: FocusRegion, time: float, *, missed: bool) -> None:
        keep = self.smoothing
        passed = time - track.seen
        expected = track.expected(time)
        surprise = np.asarray(region.box) - expected
        if (keep == 0 or missed or region.mask.shape != track.region.mask.shape
                or np.abs(surprise).max() > SUDDEN * _side(expected)):
            track.speed = np.zeros(4)       # a part of it appeared or was hidden: that is no motion
            track.edges = np.array(region.box, float)
            track.outline = _inside(region).astype(np.float32)
            track.region = replace(region, track=track.number)
        else:
            alpha = 1 - keep
            beta = 2 * (2 - alpha) - 4 * sqrt(1 - alpha)
            track.edges = expected + alpha * surprise
            if passed > 0:      # the same moment again tells nothing of how it moves
                track.speed = track.speed + beta * surprise / passed
            track.region = self._smoothed(track, region)
        track.seen = time

    def _smoothed(self, track: _Track, region: FocusRegion) -> FocusRegion:
        height, width = region.mask.shape
        x0, y0, x1, y1 = (round(float(value)) for value in track.edges)
        size = (max(1, x1 - x0), max(1, y1 - y0))
        fresh = cv2.resize(_inside(region).astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
        old = cv2.resize(track.outline, size, interpolation=cv2.INTER_LINEAR)
        track.outline = self.smoothing * old + (1 - self.smoothing) * fresh
        mask = np.zeros_like(region.mask)
        left, top, right, bottom = max(0, x0), max(0, y0), min(width, x0 + size[0]), min(height, y0 + size[1])
        if right > left and bottom > top:
            part = track.outline[top - y0:bottom - y0, left - x0:right - x0]
            mask[top:bottom, left:right] = (part >= 0.5) * np.uint8(255)
        if not mask[top:bottom, left:right].any():
            mask = region.mask
        limits = (width, height, width, height)
        box = np.clip(track.edges, 0, limits)
        score = self.smoothing * track.region.score + (1 - self.smoothing) * region.score
        return replace(region, track=track.number, score=score, mask=mask, point=point_on(mask, region.point),
                       box=(float(box[0]), float(box[1]), float(box[2]), float(box[3])))


def _inside(region: FocusRegion) -> np.ndarray:
    """Return the part of the mask in the box, (h, w) bool, at least one pixel.

    Those are the pixels whose middle is in it: as many as it is drawn with again.
    """
    height, width = region.mask.shape
    x0, y0, x1, y1 = (max(0, round(float(value))) for value in region.box)
    x0, y0 = min(x0, width - 1), min(y0, height - 1)
    return region.mask[y0:max(y1, y0 + 1), x0:max(x1, x0 + 1)] > 0


def _side(box: np.ndarray) -> float:
    return max(1.0, float(box[2] - box[0] + box[3] - box[1]) / 2)
