"""The health check of a container: ends a role that lives and does nothing.

Docker marks a container unhealthy and leaves it running, so the probe ends the container's first process itself where
`/health/live` answers that nothing moves; its restart policy does the rest. No answer at all only fails the check.
"""

import os
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Final

WITHIN_S: Final = 3.0
FIRST_PROCESS: Final = 1
# The proxy settings of the environment are for the outside world, not for 127.0.0.1.
_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


def probe(url: str, end: Callable[[], None]) -> int:
    """0 where the role lives, 1 where not; `end` is called where it says itself that nothing moves."""
    try:
        with _open(url, timeout=WITHIN_S):
            return 0
    except urllib.error.HTTPError as error:
        if error.code == 503:
            end()
        return 1
    except OSError:
        return 1


def _end() -> None:
    os.kill(FIRST_PROCESS, signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(probe(f"http://127.0.0.1:{os.environ['PAIRSTREAM_HEALTH_PORT']}/health/live", _end))
