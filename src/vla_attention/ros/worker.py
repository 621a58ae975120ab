"""Work on the newest item alone, in a thread of its own, so that callbacks return at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


class NewestWorker:
    """One waiting slot and one thread.

    An item put in while another is in work waits; an item put in while one waits replaces it. So the
    work is always on what is newest, and nothing queues up.
    """

    def __init__(self, work: Callable[[Any], None], *, failed: Callable[[Exception], None]) -> None:
        """Start the thread.

        :param work: called with each item, in the worker's thread.
        :param failed: called with what ``work`` raised; the worker goes on with the next item.
        """
        self._work = work
        self._failed = failed
        self._ready = threading.Condition()
        self._slot: list[Any] = []
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name='newest-worker', daemon=True)
        self._thread.start()

    def put(self, item: Any) -> bool:
        """Leave an item for the thread; return whether it replaced one that nobody had begun."""
        with self._ready:
            replaced = bool(self._slot)
            self._slot[:] = [item]
            self._ready.notify()
        return replaced

    def stop(self, timeout: float = 10.0) -> bool:
        """Finish the item in work, drop the one that waits; return whether the thread ended in time."""
        with self._ready:
            self._stopped = True
            self._slot.clear()
            self._ready.notify()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._ready:
                self._ready.wait_for(lambda: self._slot or self._stopped)
                if self._stopped:
                    return
                item = self._slot.pop()
            try:
                self._work(item)
            except Exception as error:
                self._failed(error)
