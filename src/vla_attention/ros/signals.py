"""SIGINT and SIGTERM end a node in order, whenever they come and however many."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class SignalGuard:
    """Takes SIGINT and SIGTERM of a process in which rclpy runs.

    rclpy's own handlers end the context, which ends the executor between two callbacks. The one thing left to
    do here is to interrupt what takes long (:meth:`interruptible`), once: more than one signal comes as a
    rule, because Ctrl-C on ``ros2 launch`` reaches the nodes at once and launch sends them another.
    """

    def __init__(self) -> None:
        self._came = False
        self._interruptible = False

    def install(self) -> None:
        """Take the signals, in the main thread and before ``rclpy.init``, whose handlers call these."""
        for each in SIGNALS:
            signal.signal(each, self._take)

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let the first signal raise KeyboardInterrupt in the block, at once where it has come before."""
        before, self._interruptible = self._interruptible, True
        try:
            if self._came:
                raise KeyboardInterrupt
            yield
        finally:
            self._interruptible = before

    @staticmethod
    def ignore() -> None:
        """Take no more signals: there is nothing left but the end of the process."""
        for each in SIGNALS:
            signal.signal(each, signal.SIG_IGN)

    def _take(self, number: int, frame: FrameType | None) -> None:
        first, self._came = not self._came, True
        if first and self._interruptible:
            raise KeyboardInterrupt


guard = SignalGuard()   # of this process
