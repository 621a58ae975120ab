"""Attention over a stream: some images are looked at, and what was seen is followed through those between.

A look takes longer than an image lasts. So it is taken in a thread beside, of the newest image, every
fraction of a second, while regions of the last look are carried over to each image as it comes
(:mod:`focus.following`), which takes a few milliseconds. What cannot be followed is looked at before it is
answered.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from vla_attention.focus import Follower
from vla_attention.pipeline import Look

GRACE = 0.2     # seconds beside two looks' time by which a look may be late before it is no longer followed


class Sight(NamedTuple):
    """The answer for one image, and whether it was followed there and not looked at."""

    look: Look
    followed: bool


@dataclass(frozen=True)
class _Looked:
    look: Look
    follower: Follower
    time: float


class StreamAttention:
    """Answers each image of a stream; one thread calls :meth:`see`, another one :meth:`look_ahead`."""

    def __init__(self, attend: Callable[[np.ndarray, float], Look], *, every: Callable[[], float],
                 holds: Callable[[Look], bool] = lambda look: True) -> None:
        """Start without anything seen.

        :param attend: looks at one image (H, W, 3) uint8 RGB of a time; never called by two threads at once.
        :param every: seconds from one look to the next; 0: each image is looked at.
        :param holds: whether a look still answers what is asked now.
        """
        self._attend = attend
        self._every = every
        self._holds = holds
        self._attending = threading.Lock()
        self._last: _Looked | None = None
        self._took = 0.0        # seconds of a look, smoothed
        self._generation = 0

    def forget(self) -> None:
        """Begin anew: another camera, or time has jumped."""
        self._generation += 1
        self._last = None

    def see(self, image: np.ndarray, stamp: float, *, look: bool = False) -> Sight:
        """Answer one image: by following, else by a look.

        :param image: (H, W, 3) uint8 RGB.
        :param stamp: seconds at which it was taken.
        :param look: by a look in any case.
        :raises Exception: whatever ``attend`` raises.
        """
        may = self._every() > 0 and not look
        last = self._last
        answer = self._follow(image, stamp) if may else None
        if answer is None:
            with self._attending:   # a look beside that was under way may be what was missing
                if may and self._last is not last:
                    answer = self._follow(image, stamp)
                if answer is None:
                    return Sight(self._look(image, stamp).look, False)
        return Sight(answer, True)

    def due(self, stamp: float) -> bool:
        """Tell whether an image of that time should go to :meth:`look_ahead`."""
        last, every = self._last, self._every()
        return (every > 0 and not self._attending.locked()
                and (last is None or not 0 <= stamp - last.time < every))

    def look_ahead(self, image: np.ndarray, stamp: float) -> None:
        """Look at an image, so that those to come are followed from it."""
        with self._attending:
            last = self._last
            if last is None or not 0 <= last.time - stamp < GRACE:      # :meth:`see` was there first
                self._look(image, stamp)

    def _look(self, image: np.ndarray, stamp: float) -> _Looked:
        began, generation = time.monotonic(), self._generation
        look = self._attend(image, stamp)
        looked = _Looked(look, Follower(image, look.regions), stamp)
        took = time.monotonic() - began
        self._took = took if not self._took else 0.8 * self._took + 0.2 * took
        if generation == self._generation:
            self._last = looked
        return looked

    def _follow(self, image: np.ndarray, stamp: float) -> Look | None:
        """Return the last look, moved to an image; None where that cannot be."""
        last = self._last
        if last is None or not self._holds(last.look):
            return None
        if not 0 <= stamp - last.time <= self._every() + 2 * self._took + GRACE:
            return None
        regions = last.follower.move(image)
        if regions is None:
            return None
        look = replace(last.look, regions=tuple(regions))
        if look.maps is None:
            return look
        maps = [last.follower.carry(values, role, phrase) for values, role, phrase
                in zip(look.maps.maps, look.query.roles, look.query.phrases, strict=True)]
        return replace(look, maps=replace(look.maps, maps=np.stack(maps)))
