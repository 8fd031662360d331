"""One batch of timeline events being sent; halving a refused batch finds the bad events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from connectors.contract.catalog import Catalog
from connectors.contract.errors import OTHER_OBJECT, ConnectorError, Missing, Refused, UnknownResult
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
MOST_LED_ON: Final = 5
"""How often an event follows a merge: a read leads to the last survivor at once, and some servers lead in a circle."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An event in the form of its type; `left_out` counts the attributes that the type lacks.

    `told` is the event as sent: on the survivor's timeline if its record was merged into another.
    """

    event: TimelineEvent
    type_name: str
    properties: Mapping[str, str] = field(repr=False)
    left_out: int = 0
    survivor: str | None = None
    led_on: int = 0  # how often its record was found to be merged into another

    @property
    def told(self) -> TimelineEvent:
        return self.event if self.survivor is None else self.event.on(self.survivor)

    def without(self, name: str) -> "Occurrence":
        rest = {key: text for key, text in self.properties.items() if key != name}
        return replace(self, properties=rest, left_out=self.left_out + len(self.properties) - len(rest))


Group = tuple[Occurrence, ...]


class EventKind(Protocol):
    """The calls and limits that differ between app events and custom events."""

    def call(self, group: Group) -> Call[None]: ...

    @property
    def deduplicated(self) -> bool:
        """Whether HubSpot stores a repeated event once: then 409 means stored already, and a repeat is harmless."""
        ...


class Undeclared:
    """Properties that HubSpot reported missing from a type; forgotten when the streamed events change."""

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
    """One batch being sent: the results so far, and the groups still to send."""

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
        """Run until every event has a result. Raises a first error; a later one leaves the remaining events `Again`."""
        try:
            while self._groups:
                await self._send_next()
        except (ConnectorError, OwnershipLost):
            if not self.results:
                raise
            # raising now would make the integration repeat finished events; the retry of the rest shows the error again
            self.results += [SendAgain(one.event) for group in self._groups for one in group]
        return self.results

    async def _send_next(self) -> None:
        """Send the first group; remove it from the list only when its answer is known, or can never be."""
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
        """The groups that replace a refused one. Only the first blamed property is sure to be refused."""
        fields = refusal.fields if isinstance(refusal, Refused) else ()
        blamed = next((name for name in fields if any(name in one.properties for one in group)), None)
        if blamed is not None:
            return self._without(blamed, group, refusal.reason)
        return halves(group) if len(group) > 1 else await self._alone(group[0], refusal)

    def _without(self, blamed: str, group: Group, reason: str) -> list[Group]:
        types = dict.fromkeys(one.type_name for one in group)
        if reason == UNDECLARED and len(types) > 1:
            # another type may have the property
            return [tuple(one for one in group if one.type_name == name) for name in types]
        concerned = tuple(one for one in group if blamed in one.properties)
        others = tuple(one for one in group if blamed not in one.properties)
        if reason == UNDECLARED:
            self._undeclared.add(group[0].type_name, blamed)
        elif len(concerned) > 1:
            return filled(others, *halves(concerned))
        return [(*others, *(one.without(blamed) for one in concerned))]

    async def _alone(self, one: Occurrence, refusal: Refused | Missing) -> list[Group]:
        """One event refused without a blamed property: already stored, its object missing, or the event bad."""
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
        elif target.merged_into is not None and one.led_on == MOST_LED_ON:
            self.results.append(RefusedEvent(event, OTHER_OBJECT))
        elif target.merged_into is not None:
            # the survivor's timeline shows the events of both records
            return [(replace(one, survivor=target.merged_into, led_on=one.led_on + 1),)]
        else:
            self.results.append(TargetGone(event, target.at_ms, target.spread_ms))
        return []
