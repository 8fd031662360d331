"""Waiting until something on this machine is ready: a deadline, and an early end if it died."""

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable

from pipeline.local.process import ChildProcess

_POLL_S = 0.1
_ANSWER_S = 2.0
# The proxy settings of the environment are for the outside world, not for 127.0.0.1.
_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


def answers(url: str) -> bool:
    """True if `url` answers with a 2xx status now; somebody else there, who speaks no HTTP, does not."""
    try:
        with _open(url, timeout=_ANSWER_S) as response:
            return 200 <= int(response.status) < 300
    except (urllib.error.URLError, OSError, http.client.HTTPException):
        return False


def says_alive(url: str) -> bool | None:
    """What `/health/live` at `url` says: False where it answers 503; None without an answer that tells."""
    try:
        with _open(url, timeout=_ANSWER_S):
            return True
    except urllib.error.HTTPError as error:
        return False if error.code == 503 else None
    except (OSError, http.client.HTTPException):
        return None


def wait_until(ready: Callable[[], bool], process: ChildProcess, deadline_s: float) -> str | None:
    """None once `ready` says so; else what went wrong, for an error message."""
    deadline = time.monotonic() + deadline_s
    while not ready():
        if process.ended() is not None:
            return "ended while starting"
        if time.monotonic() > deadline:
            return f"did not answer within {deadline_s:.0f} s"
        time.sleep(_POLL_S)
    return None
