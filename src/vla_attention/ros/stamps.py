"""Bring together messages of several topics that belong to one image, by their stamps.

message_filters does much of this, but its Python ApproximateTimeSynchronizer drops the lowest stamp when a
queue is full: after stamps go back (a bag that starts over) it drops what is new and stays silent. It also
knows no inputs that may be absent, and takes subscriptions of its own. So this is used on every installation.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection
from itertools import pairwise
from statistics import median
from typing import Any

from vla_attention.timing import JUMP

QUEUE = 300         # messages of each topic that are kept at most
LEAST_MEMORY = 500_000_000  # nanoseconds that messages are kept at least
PATIENCE = 500_000_000  # nanoseconds that a reference waits, by the stamps of later ones


class StampMatcher:
    """Matches one topic's messages with those of others, newest first.

    Stamps of ``exact`` topics must be equal; of ``near`` topics the nearest counts, if it is not farther than
    half the period in which the topic's own messages come, nor than ``slop``. A nearest one is taken when a
    later one has come too: until then an exact one may still be on its way.
    """

    def __init__(self, reference: str, near: Collection[str], *, slop: Callable[[], float],
                 memory: Callable[[], float], missed: Callable[[str, int | None], None]) -> None:
        """Make a matcher; any thread may put.

        :param reference: the topic that each match is for; when a newer one matches, older ones are dropped.
        :param near: the topics that need not match exactly.
        :param slop: the farthest that a near one may be, in seconds.
        :param memory: how long messages are kept at most, in seconds of their stamps; they are kept half as
            long again as the reference has been late of late.
        :param missed: told the topic that a dropped reference lacked, and how many nanoseconds away its
            nearest message was (None: there was none).
        """
        self._reference = reference
        self._near = near
        self._slop = slop
        self._memory = memory
        self._late = 0.0        # nanoseconds by which the reference has come later than near topics
        self._missed = missed
        self._lock = threading.Lock()
        self._queues: dict[str, OrderedDict[int, Any]] = {}
        self._first: dict[str, int] = {}    # the first stamp of each near topic
        self._waiting: dict[int, Collection[str]] = {}      # stamp of the reference -> topics that it needs

    def put(self, topic: str, stamp: int, message: Any,
            needed: Collection[str] = ()) -> dict[str, Any] | None:
        """Take a message; return the match that it completes, by topic, or None.

        :param stamp: nanoseconds.
        :param needed: with a message of the reference topic, the topics that it has to be matched with.
        """
        with self._lock:
            queue = self._queues.setdefault(topic, OrderedDict())
            if queue and stamp < next(reversed(queue)) - JUMP * 1e9:
                queue.clear()       # stamps started over
                self._first.pop(topic, None)
                if topic == self._reference:
                    self._waiting.clear()
            queue[stamp] = message
            if topic in self._near:
                self._first.setdefault(topic, stamp)
            if topic == self._reference:
                newest = [next(reversed(self._queues[name])) for name in self._near if self._queues.get(name)]
                self._late = max([0.95 * self._late] + [float(have - stamp) for have in newest])
            oldest = stamp - min(self._memory() * 1e9, max(LEAST_MEMORY, 1.5 * self._late))
            while len(queue) > QUEUE or next(iter(queue)) < oldest:
                queue.popitem(last=False)
            if topic == self._reference:
                self._waiting[stamp] = needed
                self._give_up([have for have in self._waiting
                               if have < stamp - PATIENCE or have not in queue])
            return self._match()

    def find(self, topic: str, stamp: int) -> Any | None:
        """Return the message of exactly this stamp, or None."""
        with self._lock:
            queue = self._queues.get(topic)
            return queue.get(stamp) if queue else None

    def _match(self) -> dict[str, Any] | None:
        for stamp in sorted(self._waiting, reverse=True):
            match = {topic: self._find(topic, stamp) for topic in self._waiting[stamp]}
            if all(message is not None for message in match.values()):
                match[self._reference] = self._queues[self._reference][stamp]
                del self._waiting[stamp]
                self._give_up([have for have in self._waiting if have < stamp])
                return match
        return None

    def _find(self, topic: str, stamp: int) -> Any | None:
        queue = self._queues.get(topic)
        if not queue:
            return None
        if stamp in queue:
            return queue[stamp]
        if topic not in self._near or next(reversed(queue)) < stamp:
            return None
        nearest = min(queue, key=lambda have: abs(have - stamp))
        return queue[nearest] if abs(nearest - stamp) <= self._reach(queue) else None

    def _reach(self, queue: OrderedDict[int, Any]) -> float:
        periods = [later - earlier for earlier, later in pairwise(sorted(queue))]
        return min([self._slop() * 1e9] + ([median(periods) / 2] if periods else []))

    def _give_up(self, stamps: Collection[int]) -> None:
        for stamp in stamps:
            for topic in self._waiting.pop(stamp):
                if self._find(topic, stamp) is None:
                    queue = self._queues.get(topic)
                    ahead = self._first.get(topic, stamp) - stamp
                    if 0 < ahead <= self._memory() * 1e9:   # farther, and the clocks are not in step
                        break       # of an image from before the topic was taken: nothing is wrong
                    self._missed(topic, min(abs(have - stamp) for have in queue) if queue else None)
                    break
