"""SIGINT and SIGTERM end a node in order, whenever they come and however many."""

from __future__ import annotations

import signal
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class SignalGuard:
    """Of SIGINT and SIGTERM the first interrupts the main thread; those after it change nothing.

    More than one comes as a rule: Ctrl-C in the terminal of ``ros2 launch`` reaches nodes at once, and launch
    sends them another. To be installed before ``rclpy.init``, whose own handlers (which end the context and
    wake the executor) call these.
    """

    def __init__(self) -> None:
        self._interrupted = False

    def install(self) -> None:
        """Take the signals from here on; the main thread alone may call this."""
        for each in SIGNALS:
            signal.signal(each, self._take)

    def hold_off(self) -> None:
        """Interrupt nothing any more: the orderly end has begun."""
        self._interrupted = True

    @staticmethod
    def ignore() -> None:
        """Take no more signals: there is nothing left but the end of the process."""
        for each in SIGNALS:
            signal.signal(each, signal.SIG_IGN)

    def _take(self, number: int, frame: FrameType | None) -> None:
        if not self._interrupted:
            self._interrupted = True
            raise KeyboardInterrupt
