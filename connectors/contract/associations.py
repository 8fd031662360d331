"""The interface of a system whose objects show fields of associated ones."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from connectors.contract.source import ReadPurpose
from schemas.records import StampedValue


@dataclass(frozen=True, slots=True)
class AssociatedFields:
    """The fields that objects of one type show of an associated object, by the names they have there.

    They hold for objects whose `id_field` is that object's id; seen some time in [at_ms, at_ms + spread_ms].
    """

    object_type: str
    fields: Mapping[str, StampedValue]
    at_ms: int
    spread_ms: int


@dataclass(frozen=True, slots=True)
class ReaderIdsPage:
    """Ids of objects of one type that may show an associated object; `cursor` None at the end."""

    ids: Sequence[str]
    cursor: str | None


class AssociatedSource(Protocol):
    """Reads what objects show of associated ones, in a system that has such fields."""

    def shown_by(self, object_type: str) -> Sequence[str]:
        """The mapped types whose objects show fields of this type."""
        ...

    def id_field(self, object_type: str) -> str:
        """The field by which an object says which object of this type it shows."""
        ...

    def doubt(self, object_type: str, object_ids: Iterable[str]) -> None:
        """What these objects show was doubted: their next read relies on nothing that was read before."""
        ...

    async def shown(
        self, object_type: str, object_id: str, notified: Mapping[str, StampedValue], purpose: ReadPurpose
    ) -> Sequence[AssociatedFields]:
        """The fields that others show of the object; `notified` holds newer values that its notifications named.

        Nothing where the object is not there; else an item for each type of `shown_by`.
        """
        ...

    async def showing(
        self, object_type: str, object_id: str, by_type: str, cursor: str | None, purpose: ReadPurpose
    ) -> ReaderIdsPage:
        """The next page of the objects of `by_type` that are associated with the object; none where it is gone."""
        ...
