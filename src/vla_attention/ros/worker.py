"""Work on the newest item alone, in a thread of its own, so that callbacks return at once."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any


class NewestWorker:
    """A waiting slot (or a few) and one thread.

    An item put in while another is in work waits; where all slots are taken, the oldest that waits makes
    room. So with one slot the work is always on what is newest, and nothing queues up.
    """

    def __init__(self, work: Callable[[Any], None], *, failed: Callable[[Exception], None],
                 slots: int = 1) -> None:
        """Start the thread.

        :param work: called with each item, in the worker's thread.
        :param failed: called with what ``work`` raised; the worker goes on with the next item.
        :param slots: how many items may wait.
        """
        self._work = work
        self._failed = failed
        self._ready = threading.Condition()
        self._waiting: deque[Any] = deque(maxlen=slots)
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name='newest-worker', daemon=True)
        self._thread.start()

    def put(self, item: Any) -> bool:
        """Leave an item for the thread; return whether it replaced one that nobody had begun."""
        with self._ready:
            replaced = len(self._waiting) == self._waiting.maxlen
            self._waiting.append(item)
            self._ready.notify()
        return replaced

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
        while True:
            with self._ready:
                self._ready.wait_for(lambda: self._waiting or self._stopped)
                if self._stopped:
                    return
                item = self._waiting.popleft()
            try:
                self._work(item)
            except Exception as error:
                self._failed(error)
