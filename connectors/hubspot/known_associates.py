"""Which record another one shows, and that record's fields, for as long as their webhooks and stamps vouch for them.

A contact's change moves no association: reading it anew for each cost three calls in place of one. What is known is
given on with the stamps of its own read, so it never passes for newer than it is.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from connectors.hubspot.associated import associated_types
from connectors.hubspot.object_types import ObjectTypes
from connectors.hubspot.protocol import WebhookEvent
from schemas.records import StampedValue

Fields = Mapping[str, StampedValue]
K = TypeVar("K")
V = TypeVar("V")

KNOWN_S: Final = 300.0
"""How long a read vouches: an app that does not subscribe to associations hears of none."""

LAGGING_S: Final = 60.0
"""A read begun so soon after news may show what was before them."""

REMEMBERED: Final = 50_000


@dataclass(frozen=True, slots=True)
class Link:
    """The associate a record shows, None for none, with the stamp of the read that told so."""

    other: str | None
    at_ms: int
    spread_ms: int


@dataclass(frozen=True, slots=True)
class AssociatePlace:
    """Records of one type, and the associated type whose properties they show."""

    object_type: str
    other: str
    names: tuple[str, ...]


class KnownAssociates:
    """What one account's reads have shown lately, and the news since; `monotonic` in seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self.now = monotonic
        self._links: dict[tuple[str, str, str], tuple[float, Link]] = {}
        self._fields: dict[tuple[AssociatePlace, str], tuple[float, Fields]] = {}
        self._moved: dict[tuple[str, str], float] = {}
        self._changed: dict[tuple[str, str], float] = {}

    def moved(self, object_type: str, object_id: str) -> None:
        """News, or a doubt, of the record's associations or of its being there: what was read before is void."""
        _note(self._moved, (object_type, object_id), self.now())

    def changed(self, object_type: str, object_id: str) -> None:
        """News of the record's own fields."""
        _note(self._changed, (object_type, object_id), self.now())

    def doubted(self, object_type: str, object_id: str, others: Iterable[str]) -> None:
        """Nothing counts that the record is known to show, of any of these types."""
        self.moved(object_type, object_id)
        for other in others:
            _, link = self._links.get((object_type, object_id, other), (0.0, None))
            if link is not None and link.other is not None:
                self.changed(other, link.other)

    def keep_links(self, place: AssociatePlace, links: Mapping[str, Link], begun: float) -> None:
        """What a read that began then showed of associations."""
        for object_id, link in links.items():
            _keep(self._links, (place.object_type, object_id, place.other), begun, link)

    def keep_fields(self, place: AssociatePlace, fields: Mapping[str, Fields], begun: float) -> None:
        """What a read that began then showed of associates' fields, by their ids."""
        for other_id, values in fields.items():
            _keep(self._fields, (place, other_id), begun, values)

    def links(self, place: AssociatePlace, ids: Iterable[str]) -> dict[str, Link]:
        """The associations that are still vouched for."""
        found = {}
        for object_id in ids:
            begun, link = self._links.get((place.object_type, object_id, place.other), (None, None))
            if begun is None or link is None or not self._vouched(begun, self._moved, (place.object_type, object_id)):
                continue
            if link.other is None or self._vouched(begun, self._moved, (place.other, link.other)):
                found[object_id] = link
        return found

    def fields(self, place: AssociatePlace, ids: Iterable[str]) -> dict[str, Fields]:
        """The fields of associates that are still vouched for."""
        found = {}
        for other_id in ids:
            begun, fields = self._fields.get((place, other_id), (None, None))
            if begun is None or fields is None:
                continue
            key = (place.other, other_id)
            if self._vouched(begun, self._moved, key) and self._vouched(begun, self._changed, key):
                found[other_id] = fields
        return found

    def _vouched(self, begun: float, news: Mapping[tuple[str, str], float], key: tuple[str, str]) -> bool:
        newest = news.get(key)
        return self.now() - begun < KNOWN_S and (newest is None or begun > newest + LAGGING_S)


def note_news(known: KnownAssociates, event: WebhookEvent, types: ObjectTypes) -> None:
    """Have what was read of associations before these news count no more."""
    if event.association is not None:
        one = event.association
        for type_id, object_id in ((one.from_type_id, one.from_id), (one.to_type_id, one.to_id)):
            for name in _names(type_id, types) if object_id else ():
                known.moved(name, object_id or "")
        return
    ids = [event.object_id]
    if event.merge is not None:
        ids += [event.merge.survivor_id, *event.merge.merged_ids]
    for name in _names(event.object_type_id, types):
        for object_id in ids:
            (known.changed if event.happening in ("changed", "modified") else known.moved)(name, object_id)


def _names(type_id: str | None, types: ObjectTypes) -> set[str]:
    """The words for a type, mapped or shown; all of them where the event names no type."""
    if type_id is None:
        return {*types.catalog.object_types, *associated_types(types.catalog)}
    return {name for name in (types.name(type_id), types.associated(type_id)) if name is not None}


def _note(news: dict[tuple[str, str], float], key: tuple[str, str], now: float) -> None:
    news.pop(key, None)
    news[key] = now
    while len(news) > REMEMBERED or (news and next(iter(news.values())) < now - KNOWN_S - LAGGING_S):
        del news[next(iter(news))]


def _keep(kept: dict[K, tuple[float, V]], key: K, begun: float, value: V) -> None:
    """The latest read counts: two may end in another order than they began."""
    before = kept.pop(key, None)
    kept[key] = before if before is not None and before[0] > begun else (begun, value)
    if len(kept) > REMEMBERED:
        del kept[next(iter(kept))]
