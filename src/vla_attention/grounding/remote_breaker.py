"""When to ask the pool and when not to: a circuit breaker."""

from __future__ import annotations

import threading


class CircuitBreaker:
    """Counts failures in a row; open, nobody is kept waiting for a pool that is away.

    Closed: ask. Open: do not; a probe, each time after a longer wait, finds out when the pool is back
    (M. Nygard, "Release It!", 2nd ed. 2018, chapter 5). Any thread may call.
    """

    def __init__(self, failures: int = 3, first_wait: float = 0.5, longest_wait: float = 10.0) -> None:
        """Begin closed.

        :param failures: so many in a row open it.
        :param first_wait: seconds before the first probe; each failure doubles it up to ``longest_wait``.
        """
        self._failures = failures
        self._waits = (first_wait, longest_wait)
        self._lock = threading.Lock()
        self._count = 0
        self._open = False
        self._wait = first_wait
        self._reason = ''

    @property
    def closed(self) -> bool:
        """Whether to ask."""
        with self._lock:
            return not self._open

    @property
    def reason(self) -> str:
        """Why it is open, '' while it is closed."""
        with self._lock:
            return self._reason if self._open else ''

    @property
    def wait(self) -> float:
        """Seconds until the next probe while it is open."""
        with self._lock:
            return self._wait

    def succeeded(self) -> None:
        """Take note of an answer: close."""
        with self._lock:
            self._count, self._open, self._wait, self._reason = 0, False, self._waits[0], ''

    def failed(self, reason: str) -> bool:
        """Take note of a failure; return whether this one opened it."""
        with self._lock:
            self._reason = reason
            if self._open:
                self._wait = min(2 * self._wait, self._waits[1])
                return False
            self._count += 1
            self._open = self._count >= self._failures
            return self._open
