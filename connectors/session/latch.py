"""One record that ends once all of its parts have ended."""

from collections.abc import Callable


class CompletionLatch:
    """Calls `finished` once: when all parts have counted down and the latch is sealed.

    Without the seal, parts that end while others are still handed out would finish the record too early.
    """

    def __init__(self, parts: int, finished: Callable[[], None]) -> None:
        self._left = parts + 1
        self._finished = finished

    def count_down(self) -> None:
        """A part has ended."""
        self._left -= 1
        if self._left == 0:
            self._finished()

    def seal(self) -> None:
        """All parts are handed out."""
        self.count_down()
