"""Memory for images is kept for the next image; what a busy moment left over goes back to the system."""

from __future__ import annotations

import ctypes
import time

# mallopt(3) of glibc
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
LARGEST = 4 << 20   # bytes: a colour image of 1280x720 has 2.8 MB
SPARE = 32 << 20    # bytes that may lie free at the end of the heap
ARENAS = 2          # heaps of a process; as glibc comes, each of a middleware's dozen threads gets its own
EVERY = 60.0        # seconds from one tidying up to the next


def keep_image_memory() -> bool:
    """Let malloc keep what an image took; return whether the C library is one that can be told so.

    As it comes, glibc returns the memory of a freed image at once, and the kernel hands out and clears each
    of its 225 pages anew for the next one: 19,000 page faults a second in ``overlay_node`` at 30 Hz and
    640x480, a tenth of a core.
    """
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt is None:     # musl, macOS
        return False
    told = ((M_MMAP_THRESHOLD, LARGEST), (M_TRIM_THRESHOLD, SPARE), (M_ARENA_MAX, ARENAS))
    return all([mallopt(what, value) for what, value in told])


class Leftovers:
    """Memory that malloc holds free between what is used: after a burst of messages, some tens of megabytes.

    Without this a process that is used to the same images stays as large as its busiest moment made it, and
    looks as if it leaked.
    """

    def __init__(self) -> None:
        """Start the clock."""
        self._trim = getattr(ctypes.CDLL(None), 'malloc_trim', None)    # glibc alone has it
        self._due = time.monotonic() + EVERY

    def give_back(self) -> bool:
        """Return free pages to the system if :data:`EVERY` has passed since the last time (1 to 3 ms).

        :returns: whether any were returned.
        """
        now = time.monotonic()
        if self._trim is None or now < self._due:
            return False
        self._due = now + EVERY
        return bool(self._trim(0))


leftovers = Leftovers()     # of the process; its nodes share a heap
