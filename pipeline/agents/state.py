"""One partition's state as the step sees it: its topic, the store of its rows, and what a step changes of them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from schemas.making import made_quickly

RowT = TypeVar("RowT")
RowT_co = TypeVar("RowT_co", covariant=True)


@made_quickly
@dataclass(frozen=True, slots=True)
class Output:
    """A record a step gives to the next topic; `partition` only where it does not follow from the key."""

    topic: str
    key: str
    record: Any  # any of schemas.records: the codec checks it against the topic
    partition: int | None = None


class StoredRow(Protocol):
    """One row as the state topic holds it; `value` None deletes the key; reading goes on at `next_offset`."""

    @property
    def key(self) -> str: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def next_offset(self) -> int: ...


class StateLog(Protocol):
    """The compacted topic behind one partition's state. Every method blocks; the step calls them on a thread."""

    def open(self) -> None:
        """Fence every earlier owner of the partition."""

    def restore(self, offset: int) -> Iterator[StoredRow]:
        """The committed rows from an offset to the present end."""

    def handled(self, topics: Sequence[str]) -> Mapping[str, int]:
        """Per input topic the offset behind the last record whose effects were committed."""

    def starts(self, topics: Sequence[str]) -> Mapping[str, int]:
        """Per input topic the offset of the first record that is still there, as far as the brokers tell."""

    def commit(
        self, outputs: Sequence[Output], rows: Mapping[str, Any], handled: Mapping[str, int]
    ) -> Mapping[str, bytes | None]:
        """Write outputs, changed rows (None deletes) and where each input topic goes on in one transaction.

        Returns the rows as they were written.
        """

    def decode(self, value: bytes) -> Any:
        """The row behind stored bytes."""

    def close(self) -> None:
        """Let go of the partition."""


class StoreFailed(RuntimeError):
    """The store of a partition's rows cannot be used: the process ends, and the next start makes the store anew."""


class RowStore(Protocol):
    """One partition's encoded rows by key, and the offset of the state topic up to which it holds them."""

    next_offset: int

    def get(self, key: str) -> bytes | None: ...

    def keys(self) -> Iterable[str]:
        """Every key, in no order."""

    def put(self, rows: Mapping[str, bytes | None], next_offset: int) -> None:
        """Change rows (None deletes) and the offset together."""

    def close(self) -> None:
        """Let go of what it holds."""


class Readable(Protocol[RowT_co]):
    """Rows by key: committed ones, or an overlay over them."""

    def get(self, key: str, /) -> RowT_co | None: ...

    def keys(self) -> Iterable[str]: ...


class Overlay(Generic[RowT]):
    """Rows as a step sees them: its own changes over those below."""

    def __init__(self, below: Readable[RowT]) -> None:
        self._below = below
        self.changed: dict[str, RowT | None] = {}

    def get(self, key: str, /) -> RowT | None:
        return self.changed[key] if key in self.changed else self._below.get(key)

    def keys(self) -> Iterable[str]:
        return {*self._below.keys(), *self.changed}

    def put(self, key: str, row: RowT | None) -> None:
        """Change a row; None deletes it. An equal row is no change, so nothing is written for it."""
        known = self.get(key)
        if row is not known and row != known:
            self.changed[key] = row

    def keys_after(self, cursor: str | None, prefix: str) -> Iterable[str]:
        """Keys with a prefix in their order, from behind the cursor on: a slice of work on all state starts here."""
        return sorted(key for key in self.keys() if key.startswith(prefix) and (cursor is None or key > cursor))
