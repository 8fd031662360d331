"""The records of the simulated account, with every version of every value, so that reads can lag behind."""

from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

_VERSIONS_KEPT = 40
ADDITIONAL_EMAILS = "hs_additional_emails"
"""Holds several addresses joined by `;`, each of which finds the record."""


@dataclass(frozen=True)
class Source:
    """The writer of a value: `kind` as in changeSource and property histories, `label` "person" or "api"."""

    kind: str
    source_id: str
    label: str = "person"


@dataclass(frozen=True)
class Version:
    """One value of a property from `time_ms` on; empty text means cleared."""

    time_ms: int
    value: str
    source: Source


@dataclass
class Record:
    """One record; `history` holds the versions of each property, oldest first.

    A merge makes a record as old as one of the two that exists only since `made_ms`.
    """

    record_id: str
    type_id: str
    created_ms: int
    created_by: str
    history: dict[str, list[Version]] = field(default_factory=dict)
    archived_ms: int | None = None
    made_ms: int | None = None

    def value(self, name: str, as_of_ms: int | None = None) -> str | None:
        """A property's value now, or at a past time; None if it never had one."""
        versions = self.history.get(name, ())
        for version in reversed(versions):
            if as_of_ms is None or version.time_ms <= as_of_ms:
                return version.value
        return None

    def values(self, as_of_ms: int | None = None) -> dict[str, str]:
        """Every property that has or had a value."""
        found = {name: self.value(name, as_of_ms) for name in self.history}
        return {name: value for name, value in found.items() if value is not None}

    def is_live(self, as_of_ms: int | None = None) -> bool:
        """Whether the record exists and is not archived, now or at a past time."""
        if as_of_ms is None:
            return self.archived_ms is None
        made_ms = self.created_ms if self.made_ms is None else self.made_ms
        return made_ms <= as_of_ms and (self.archived_ms is None or self.archived_ms > as_of_ms)

    def write(self, name: str, version: Version) -> None:
        """Append a version and forget the oldest."""
        versions = self.history.setdefault(name, [])
        versions.append(version)
        if len(versions) > _VERSIONS_KEPT:
            del versions[1 : len(versions) - _VERSIONS_KEPT + 1]


class Store:
    """Records by type and id; a property searched by value is indexed at its first search."""

    def __init__(self, first_id: int = 101) -> None:
        self._records: dict[str, dict[str, Record]] = {}
        self._order: dict[str, list[int]] = {}
        self._survivors: dict[tuple[str, str], str] = {}
        self._indexes: dict[tuple[str, str], dict[str, list[str]]] = {}
        self._next_id = first_id
        self.created_by_api = 0

    def new_id(self) -> str:
        """An id that no record has had."""
        self._next_id += 1
        return str(self._next_id)

    def add(self, record: Record) -> None:
        """Store a new record; ValueError if its id is taken or not a number."""
        records = self._records.setdefault(record.type_id, {})
        if record.record_id in records or not record.record_id.isdigit():
            raise ValueError(f"{record.type_id} id {record.record_id} is taken or not a number")
        records[record.record_id] = record
        insort(self._order.setdefault(record.type_id, []), int(record.record_id))
        self._next_id = max(self._next_id, int(record.record_id))
        self.created_by_api += record.created_by == "api"
        for name in record.history:
            self._reindex(record, name, None)

    def find(self, type_id: str, record_id: str, *, follow: bool = True) -> Record | None:
        """The record of an id; with `follow`, a merged record's id finds its survivor."""
        while follow and (type_id, record_id) in self._survivors:
            record_id = self._survivors[type_id, record_id]
        return self._records.get(type_id, {}).get(record_id)

    def find_by(self, type_id: str, name: str, value: str) -> list[Record]:
        """The records whose property `name` holds `value`, letter case aside; lowest id first."""
        index = self._indexes.get((type_id, name))
        if index is None:
            index = self._indexes[type_id, name] = {}
            for record in self.all(type_id):
                self._reindex(record, name, None)
        ids = sorted(index.get(value.lower(), ()), key=int)
        return [self._records[type_id][record_id] for record_id in ids]

    def all(self, type_id: str, from_id: int = 0) -> Iterator[Record]:
        """Records in the order of their ids, from `from_id` on."""
        order = self._order.get(type_id, [])
        records = self._records.get(type_id, {})
        for position in range(bisect_left(order, from_id), len(order)):
            yield records[str(order[position])]

    def write(self, record: Record, values: Mapping[str, str], time_ms: int, source: Source) -> None:
        """Give properties new values."""
        for name, value in values.items():
            before = record.value(name)
            record.write(name, Version(time_ms, value, source))
            self._reindex(record, name, before)

    def remove(self, record: Record) -> None:
        """Delete a record without a trace."""
        del self._records[record.type_id][record.record_id]
        self._order[record.type_id].remove(int(record.record_id))
        for (type_id, name), index in self._indexes.items():
            if type_id == record.type_id:
                _unindex(index, record.record_id, name, record.value(name))

    def merge(self, first: Record, other: Record, survivor: Record) -> None:
        """Replace both records by the survivor, and let their ids find it."""
        for merged in (first, other):
            self.remove(merged)
            if merged.record_id != survivor.record_id:
                self._survivors[merged.type_id, merged.record_id] = survivor.record_id
        self.add(survivor)

    def _reindex(self, record: Record, name: str, before: str | None) -> None:
        index = self._indexes.get((record.type_id, name))
        if index is None:
            return
        _unindex(index, record.record_id, name, before)
        for key in _index_keys(name, record.value(name)):
            held = index.setdefault(key, [])
            if record.record_id not in held:
                held.append(record.record_id)


def _index_keys(name: str, value: str | None) -> list[str]:
    if not value:
        return []
    return value.lower().split(";") if name == ADDITIONAL_EMAILS else [value.lower()]


def _unindex(index: dict[str, list[str]], record_id: str, name: str, value: str | None) -> None:
    for key in _index_keys(name, value):
        if record_id in index.get(key, ()):
            index[key].remove(record_id)


def combined(first: Record, other: Record, record_id: str, time_ms: int, source: Source) -> Record:
    """The record made by a merge: the first one's values, the other's where the first has none."""
    values = {**other.values(), **{name: value for name, value in first.values().items() if value}}
    history = {name: [Version(time_ms, value, source)] for name, value in values.items()}
    if record_id == first.record_id:
        kept = {name: [*versions, *history.get(name, ())] for name, versions in first.history.items()}
        return replace(first, created_by="merge", history={**history, **kept})
    return Record(record_id, first.type_id, first.created_ms, "merge", history, made_ms=time_ms)
