"""How many threads networks take."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_lock = threading.Lock()
_within, _outside = 0, 1    # threads of this process that are within `one_thread`; what holds outside of it


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep torch to one thread within.

    For what has so little to compute that further threads only spin (on a busy 2-core machine one thread
    took 2 ms of CPU a tick of the moments model and two took 86), and for what runs beside another engine,
    whose time threads that spin double.
    """
    global _within, _outside
    with _lock:     # the number is the thread's own, but one that begins takes that of the last call
        if not _within:
            _outside = torch.get_num_threads()
        _within += 1
        torch.set_num_threads(1)
    try:
        yield
    finally:
        with _lock:
            _within -= 1
            torch.set_num_threads(_outside)


def cores() -> int:
    """Return how many cores this process may use: a container may have fewer than the machine."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:      # macOS, Windows
        return os.cpu_count() or 1
