"""Waiting on a condition with a deadline, never for luck."""

import os
import time
from collections.abc import Callable


def eventually(condition: Callable[[], bool], deadline_s: float = 10.0) -> bool:
    """True as soon as the condition holds, False if it did not within the deadline."""
    deadline = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
