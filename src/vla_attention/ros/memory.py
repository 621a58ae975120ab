"""Memory for images is kept for the next image, not given back to the system in between."""

from __future__ import annotations

import ctypes

# mallopt(3) of glibc
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
LARGEST = 4 << 20   # bytes: a colour image of 1280x720 has 2.8 MB
SPARE = 32 << 20    # bytes that may lie free at the end of the heap
ARENAS = 2          # heaps of a process; as glibc comes, each of a middleware's dozen threads gets its own


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
