"""Work on the newest item alone, in a thread of its own, so that callbacks return at once."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

# niceness of work that no result waits for: on two busy cores the others' 95th percentile is a third less
BACKGROUND = 10


class NewestWorker:
    """A waiting slot (or a few) and one thread.

    An item put in while another is in work waits; where all slots are taken, the oldest that waits makes
    room. So with one slot the work is always on what is newest, and nothing queues up.

    Where items come steadily, one that has waited long is nearly as old as the next one is near: then the
    next one is awaited (``max_wait``), for whoever acts on a result cares for its age.
    """

    def __init__(self, work: Callable[[Any], None], *, failed: Callable[[Exception], None],
                 slots: int = 1, max_wait: Callable[[], float] = lambda: 1.0,
                 niceness: int = 0) -> None:
        """Start the thread.

        :param work: called with each item, in the worker's thread.
        :param failed: called with what ``work`` raised; the worker goes on with the next item.
        :param slots: how many items may wait.
        :param max_wait: share (0..1) of the period in which items come that one may have waited when it could
            be begun; 1: whatever waits is begun at once. It takes effect with one slot.
        :param niceness: of the thread, 0 to 19 (Linux; no effect elsewhere): how far it gives way to others
            where the processor is short.
        """
        self._work = work
        self._failed = failed
        self._niceness = niceness
        self._max_wait = max_wait
        self._came = 0.0                    # when the last item came (monotonic seconds)
        self._period: float | None = None   # in which items come, smoothed
        self._ready = threading.Condition()
        self._waiting: deque[Any] = deque(maxlen=slots)
        self._stopped = False
        self._begun: float | None = None    # when the item in work was begun (monotonic seconds)
        self._thread = threading.Thread(target=self._run, name='newest-worker', daemon=True)
        self._thread.start()

    def put(self, item: Any) -> bool:
        """Leave an item for the thread; return whether it replaced one that nobody had begun."""
        now = time.monotonic()
        with self._ready:
            if self._came:
                gap = now - self._came
                self._period = gap if self._period is None else 0.8 * self._period + 0.2 * gap
            self._came = now
            replaced = len(self._waiting) == self._waiting.maxlen
            self._waiting.append(item)
            self._ready.notify()
        return replaced

    def busy_for(self) -> float:
        """Return for how many seconds the item in work has been worked on; 0 where none is."""
        begun = self._begun
        return 0.0 if begun is None else time.monotonic() - begun

    def stop(self, timeout: float = 10.0) -> bool:
        """Finish the item in work, drop the one that waits; return whether the thread ended in time."""
        with self._ready:
            self._stopped = True
            self._waiting.clear()
            self._ready.notify()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        if self._niceness and sys.platform == 'linux':      # where threads have a niceness of their own
            this = (os.PRIO_PROCESS, threading.get_native_id())
            os.setpriority(*this, max(self._niceness, os.getpriority(*this)))   # less nice needs a privilege
        while True:
            with self._ready:
                self._ready.wait_for(lambda: self._waiting or self._stopped)
                if self._waiting.maxlen == 1 and not self._stopped:
                    self._await_fresher()
                if self._stopped:
                    return
                item = self._waiting.popleft()
            self._begun = time.monotonic()
            try:
                self._work(item)
            except Exception as error:
                self._failed(error)
            finally:
                self._begun = None

    def _await_fresher(self) -> None:
        came = self._came
        seconds = patience(time.monotonic() - came, self._period, self._max_wait())
        if seconds > 0:
            self._ready.wait_for(lambda: self._came != came or self._stopped, seconds)


def patience(waited: float, period: float | None, max_wait: float) -> float:
    """Return for how many seconds the next item is worth waiting for, rather than beginning what waits.

    Waiting makes the result younger by ``waited`` and later by the rest of the period; at half a period
    (``max_wait`` 0.5) both are equal. The next item is given as long again as it should still take, and not
    awaited where it is overdue: the stream may have ended.

    :param waited: seconds since what waits has come.
    :param period: seconds from one item to the next; None where only one has come.
    :param max_wait: share (0..1) of the period that an item may have waited.
    """
    if period is None or waited <= max_wait * period:
        return 0.0
    return max(0.0, 2 * (period - waited))
