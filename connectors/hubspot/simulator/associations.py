"""The associations between records, with HubSpot's association types and its primary companies."""

import zlib
from collections.abc import Iterable, Iterator

from connectors.hubspot.simulator.definitions import ObjectType
from connectors.simulation.calls import Json

_PLAIN = {
    ("0-1", "0-2"): 279,
    ("0-2", "0-1"): 280,
    ("0-1", "0-3"): 4,
    ("0-3", "0-1"): 3,
    ("0-3", "0-2"): 341,
    ("0-2", "0-3"): 342,
}
_PRIMARY = {("0-1", "0-2"): 1, ("0-2", "0-1"): 2, ("0-3", "0-2"): 5, ("0-2", "0-3"): 6}
_PRIMARY_IDS = frozenset(_PRIMARY.values())
_HUBSPOT_IDS = _PRIMARY_IDS | frozenset(_PLAIN.values())

Key = tuple[str, str, str]
_COMPANY = "0-2"


def plain_type(from_type: ObjectType, to_type: ObjectType) -> int:
    """The id of the association without a label."""
    pair = (from_type.type_id, to_type.type_id)
    return _PLAIN.get(pair) or 10_000 + zlib.crc32("|".join(pair).encode()) % 1_000_000


def primary_type(from_type: ObjectType, to_type: ObjectType) -> int | None:
    """The id of the primary association, if the pair of types has one."""
    return _PRIMARY.get((from_type.type_id, to_type.type_id))


def is_primary(type_ids: Iterable[int]) -> bool:
    """Whether one of an association's types marks the other end as the primary one."""
    return any(type_id in _PRIMARY_IDS for type_id in type_ids)


def types_wire(type_ids: Iterable[int]) -> list[Json]:
    """`associationTypes` of an answer."""
    return [
        {
            "category": "HUBSPOT_DEFINED" if type_id in _HUBSPOT_IDS else "USER_DEFINED",
            "typeId": type_id,
            "label": "Primary" if type_id in _PRIMARY_IDS else None,
        }
        for type_id in sorted(type_ids)
    ]


class Associations:
    """Both directions of every association, by (from type, from id, to type)."""

    def __init__(self) -> None:
        self._links: dict[Key, dict[str, set[int]]] = {}

    def linked(self, from_type: ObjectType, from_id: str, to_type: ObjectType) -> Iterator[tuple[str, frozenset[int]]]:
        """(to id, type ids) in the order of the ids; there may be 50,000."""
        links = self._links.get((from_type.type_id, from_id, to_type.type_id), {})
        return ((to_id, frozenset(links[to_id])) for to_id in sorted(links, key=int))

    def link(self, from_type: ObjectType, from_id: str, to_type: ObjectType, to_id: str, *, primary: bool) -> None:
        """Join two records; a new primary takes the mark from the former one. Labels not named are dropped."""
        for one, one_id, other, other_id in _both(from_type, from_id, to_type, to_id):
            if primary and other.type_id == _COMPANY:
                # a record has one primary company; a company is primary for many records
                self._unmark(one, one_id, other)
            marked = primary_type(one, other) if primary else None
            types = {plain_type(one, other), *([marked] if marked else [])}
            self._links.setdefault((one.type_id, one_id, other.type_id), {})[other_id] = types

    def unlink(self, from_type: ObjectType, from_id: str, to_type: ObjectType, to_id: str) -> bool:
        """Separate two records; returns whether they were joined."""
        found = False
        for one, one_id, other, other_id in _both(from_type, from_id, to_type, to_id):
            found |= self._links.get((one.type_id, one_id, other.type_id), {}).pop(other_id, None) is not None
        return found

    def move(self, kind: ObjectType, old_id: str, new_id: str, types: Iterable[ObjectType]) -> None:
        """Move one record's associations to another, as a merge does."""
        for other in types:
            for other_id, type_ids in self.linked(kind, old_id, other):
                self.unlink(kind, old_id, other, other_id)
                self.link(kind, new_id, other, other_id, primary=bool(type_ids & _PRIMARY_IDS))

    def _unmark(self, from_type: ObjectType, from_id: str, to_type: ObjectType) -> None:
        for to_id, type_ids in self.linked(from_type, from_id, to_type):
            if type_ids & _PRIMARY_IDS:
                self.link(from_type, from_id, to_type, to_id, primary=False)


def _both(
    from_type: ObjectType, from_id: str, to_type: ObjectType, to_id: str
) -> Iterator[tuple[ObjectType, str, ObjectType, str]]:
    yield from_type, from_id, to_type, to_id
    yield to_type, to_id, from_type, from_id
