"""One batch of timeline events on its way; halves find out what is bad in a refused one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from connectors.contract.catalog import Catalog
from connectors.contract.errors import ConnectorError, Missing, Refused, UnknownResult
from connectors.contract.sink import OwnershipLost
from connectors.contract.timeline import EventResult, EventSent, RefusedEvent, SendAgain, TargetGone, Unsure
from connectors.http.batches import filled, halves
from connectors.http.messages import Call
from connectors.hubspot.client import HubSpotClient
from connectors.hubspot.lookups import read_record
from connectors.hubspot.protocol import Record
from schemas.records import TimelineEvent

UNDECLARED: Final = "unknown_field"
CONFLICT: Final = 409


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An event as its type takes it; `left_out` counts the attributes that the type does not have.

    `told` is the event as it is sent: on the timeline of the survivor, where its record was merged into another.
    """

    event: TimelineEvent
    type_name: str
    properties: Mapping[str, str] = field(repr=False)
    left_out: int = 0
    survivor: str | None = None

    @property
    def told(self) -> TimelineEvent:
        return self.event if self.survivor is None else self.event.on(self.survivor)

    def without(self, name: str) -> "Occurrence":
        rest = {key: text for key, text in self.properties.items() if key != name}
        return replace(self, properties=rest, left_out=self.left_out + len(self.properties) - len(rest))


Group = tuple[Occurrence, ...]


class EventKind(Protocol):
    """What tells one kind of events from the other."""

    def call(self, group: Group) -> Call[None]: ...

    @property
    def deduplicated(self) -> bool:
        """Whether HubSpot keeps the same event once: then 409 means that it is there, and a repeat does no harm."""
        ...


class Undeclared:
    """Properties that HubSpot said a type does not have; forgotten when the streamed events change."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._of = catalog.events
        self._known: set[tuple[str, str]] = set()

    def add(self, type_name: str, property: str) -> None:
        self._known.add((type_name, property))

    def cut(self, occurrence: Occurrence) -> Occurrence:
        if self._of is not self._catalog.events:
            self._of, self._known = self._catalog.events, set()
        for name in [name for name in occurrence.properties if (occurrence.type_name, name) in self._known]:
            occurrence = occurrence.without(name)
        return occurrence


class EventBatch:
    """One batch on its way: what came of some events, the groups still to be sent."""

    def __init__(self, client: HubSpotClient, kind: EventKind, undeclared: Undeclared) -> None:
        self._client = client
        self._kind = kind
        self._undeclared = undeclared
        self._groups: list[Group] = []
        self.results: list[EventResult] = []

    def add(self, occurrence: Occurrence) -> None:
        whole = self._groups[0] if self._groups else ()
        self._groups = [(*whole, self._undeclared.cut(occurrence))]

    async def run(self) -> Sequence[EventResult]:
        """Until every event has its result. An error that comes first is raised; a later one leaves the rest."""
        try:
            while self._groups:
                await self._send_next()
        except (ConnectorError, OwnershipLost):
            if not self.results:
                raise
            # the integration would repeat what is done already; what is wrong shows again when the rest is tried
            self.results += [SendAgain(one.event) for group in self._groups for one in group]
        return self.results

    async def _send_next(self) -> None:
        """Send the first group; it leaves the list only once its answer is known, or cannot be."""
        group = self._groups[0]
        try:
            await self._client.send(self._kind.call(group))
        except UnknownResult:
            if not self._kind.deduplicated:
                self._groups.pop(0)
                self.results += [Unsure(one.event) for one in group]
            raise
        except (Refused, Missing) as refusal:
            self._groups[:1] = await self._smaller(group, refusal)
        else:
            self._groups.pop(0)
            self.results += [EventSent(one.event, one.left_out) for one in group]

    async def _smaller(self, group: Group, refusal: Refused | Missing) -> list[Group]:
        """What to send instead of a refused group. Only the first property blamed is sure to be refused."""
        fields = refusal.fields if isinstance(refusal, Refused) else ()
        blamed = next((name for name in fields if any(name in one.properties for one in group)), None)
        if blamed is not None:
            return self._without(blamed, group, refusal.reason)
        return halves(group) if len(group) > 1 else await self._alone(group[0], refusal)

    def _without(self, blamed: str, group: Group, reason: str) -> list[Group]:
        types = dict.fromkeys(one.type_name for one in group)
        if reason == UNDECLARED and len(types) > 1:
            # another type may have it
            return [tuple(one for one in group if one.type_name == name) for name in types]
        concerned = tuple(one for one in group if blamed in one.properties)
        others = tuple(one for one in group if blamed not in one.properties)
        if reason == UNDECLARED:
            self._undeclared.add(group[0].type_name, blamed)
        elif len(concerned) > 1:
            return filled(others, *halves(concerned))
        return [(*others, *(one.without(blamed) for one in concerned))]

    async def _alone(self, one: Occurrence, refusal: Refused | Missing) -> list[Group]:
        """A single event is refused, and no property of it: it is there already, or its object is not, or it is bad."""
        event = one.event
        if refusal.status == CONFLICT and self._kind.deduplicated:
            self.results.append(EventSent(event, one.left_out))
            return []
        try:
            target = await read_record(self._client, event.object_type, one.told.object_id, (), "live_read")
        except Refused:
            target = None
        if target is None or isinstance(target, Record):
            self.results.append(RefusedEvent(event, refusal.reason))
        elif target.merged_into is not None:
            # the survivor shows what happened to either
            return [(replace(one, survivor=target.merged_into),)]
        else:
            self.results.append(TargetGone(event, target.at_ms, target.spread_ms))
        return []
