"""Our own recent writes: a notification that only repeats them needs no read."""

from typing import Final

from connectors.contract.source import News
from schemas.values import FieldValue

REMEMBERED_WRITES: Final = 10_000


class RecentWrites:
    """The last values written here, so that their echoes need no read."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str, str], tuple[FieldValue, int]] = {}
        self._ends: dict[tuple[str, str], int] = {}

    def wrote(self, object_type: str, object_id: str, name: str, value: FieldValue, at_ms: int) -> None:
        self._values.pop((object_type, object_id, name), None)
        self._values[object_type, object_id, name] = (value, at_ms)
        if len(self._values) > REMEMBERED_WRITES:
            del self._values[next(iter(self._values))]

    def spread_ms(self, object_type: str, object_id: str, at_ms: int, spread_ms: int) -> int:
        """The spread of an answer that ends after the one before it.

        Two answers of one object within a second carry the same `Date`, but the second was made after the first.
        """
        until_ms = max(at_ms + spread_ms, self._ends.get((object_type, object_id), 0) + 1)
        if spread_ms == 0 or until_ms > at_ms + 2 * spread_ms:
            return spread_ms
        self._ends.pop((object_type, object_id), None)
        self._ends[object_type, object_id] = until_ms
        if len(self._ends) > REMEMBERED_WRITES:
            del self._ends[next(iter(self._ends))]
        return until_ms - at_ms

    def echoed(self, news: News) -> bool:
        """Whether every field of the notification is as we wrote it."""
        return bool(news.fields) and all(
            self._values.get((news.object_type, news.object_id, name)) == (value.value, value.at_ms)
            for name, value in news.fields.items()
        )
