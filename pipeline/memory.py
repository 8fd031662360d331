"""How processes that hold much treat memory: what a backlog took is given back; garbage is looked for seldom."""

import ctypes
import gc
from collections.abc import Mapping
from typing import Final

TRIM_THRESHOLD: Final = -1  # these three as in glibc's malloc.h
MMAP_THRESHOLD: Final = -3
ARENA_MAX: Final = -8
GARBAGE_OBJECTS: Final = 50_000  # what a step makes forms no cycles: a search finds nothing

SETTINGS: Final[Mapping[int, int]] = {
    TRIM_THRESHOLD: 262_144,
    MMAP_THRESHOLD: 262_144,  # a fetch of megabytes is mapped for itself; else each one raises the threshold
    ARENA_MAX: 2,  # the step's threads would have one each, and what one frees is of no use to another
}


def give_memory_back() -> bool:
    """Set the C library's allocator; False where it is not glibc's, which alone has these settings."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return all(mallopt(setting, value) == 1 for setting, value in SETTINGS.items())


def search_seldom() -> None:
    """Let the garbage collector look at new objects only, and not often: what is loaded by now lives as long as we."""
    search_less()
    gc.collect()
    gc.freeze()


def search_less() -> None:
    """For a command, which ends soon: a hundred thousand letters would be searched again and again as they come."""
    gc.set_threshold(GARBAGE_OBJECTS)
