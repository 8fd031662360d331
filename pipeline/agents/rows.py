"""One partition's rows: kept as the bytes that were committed, decoded when they are touched."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Generic, TypeVar

from pipeline.agents.state import RowStore, StateLog
from schemas.codec import HEADER, MalformedRecord

HOT_ROWS: Final = 256
"""Rows of a partition that stay decoded: those touched last."""
ROWS_AT_ONCE: Final = 2_000

RowT = TypeVar("RowT")


class MemoryRows:
    """Encoded rows in a dict. Keys and bytes are nothing to look through for the garbage collector."""

    def __init__(self) -> None:
        self._rows: dict[str, bytes] = {}
        self.next_offset = 0

    def get(self, key: str) -> bytes | None:
        return self._rows.get(key)

    def keys(self) -> Iterable[str]:
        return self._rows.keys()

    def put(self, rows: Mapping[str, bytes | None], next_offset: int) -> None:
        for key, value in rows.items():
            if value is None:
                self._rows.pop(key, None)
            else:
                self._rows[key] = value
        self.next_offset = next_offset

    def close(self) -> None:
        self._rows = {}


class Rows(Generic[RowT]):
    """Decoded rows over a store of encoded ones; those touched last stay decoded."""

    def __init__(self, store: RowStore, hot_rows: int = HOT_ROWS) -> None:
        self._store = store
        self._hot_rows = hot_rows
        self._hot: OrderedDict[str, RowT] = OrderedDict()  # the one touched last comes last
        self._decode: Callable[[bytes], Any] | None = None

    @property
    def next_offset(self) -> int:
        """How far into the state topic they reach."""
        return self._store.next_offset

    def get(self, key: str, /) -> RowT | None:
        """Raises MalformedRecord, or UnknownSchema, for bytes that this build cannot read."""
        row = self._hot.get(key)
        if row is not None:
            self._hot.move_to_end(key)
            return row
        value = self._store.get(key)
        if value is None or self._decode is None:
            return None
        decoded: RowT = self._decode(value)
        self._warm(key, decoded)
        return decoded

    def keys(self) -> Iterable[str]:
        return self._store.keys()

    def restore(self, log: StateLog) -> int:
        """Read on to the end of the state topic; returns how many rows were read. Blocks.

        One row of each schema is decoded, so that one of a newer build stops this process before anything is decided:
        raises UnknownSchema. A single row whose bytes are no record ends the records that touch it, not this partition.
        """
        self._decode = log.decode
        self._hot.clear()
        count, seen = 0, set[bytes]()
        chunk: dict[str, bytes | None] = {}
        for row in log.restore(self.next_offset):
            count += 1
            chunk[row.key] = row.value
            if row.value is not None and row.value[: HEADER.size] not in seen:
                seen.add(row.value[: HEADER.size])
                _check(row.value, log)
            if len(chunk) >= ROWS_AT_ONCE:
                self._store.put(chunk, row.next_offset)
                chunk = {}
            reached = row.next_offset
        if chunk:
            self._store.put(chunk, reached)
        return count

    def apply(self, changed: Mapping[str, RowT | None], written: Mapping[str, bytes | None]) -> None:
        """Take over what a step changed, decoded and as it was committed."""
        self._store.put(written, self.next_offset)
        for key, row in changed.items():
            if row is None:
                self._hot.pop(key, None)
            else:
                self._warm(key, row)

    def close(self) -> None:
        self._hot.clear()
        self._store.close()

    def _warm(self, key: str, row: RowT) -> None:
        self._hot[key] = row
        self._hot.move_to_end(key)
        if len(self._hot) > self._hot_rows:
            self._hot.popitem(last=False)


def _check(value: bytes, log: StateLog) -> None:
    try:
        log.decode(value)
    except MalformedRecord:
        return  # said in the letter of each record that touches the row
