"""Many parts, one end."""

from collections.abc import Callable


class CompletionLatch:
    """Calls `finished` once, when all parts have ended and all of them were handed out."""

    def __init__(self, parts: int, finished: Callable[[], None]) -> None:
        self._left = parts + 1
        self._finished = finished

    def one(self) -> None:
        self._left -= 1
        if self._left == 0:
            self._finished()

    def start(self) -> None:
        self.one()
