"""What a system has to offer so that the runner can read it, write it and set it up; each on a few lines.

`connectors/<system>/source.py` is a Source, `sink.py` a Sink, `setup.py` a Setup; `connectors/registry.py` names them.
Every coroutine here raises the errors of `connectors.errors`; retrying, parking and dead letters are the runner's.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from connectors.catalog import Catalog
from connectors.clock import Clock
from schemas.configuration import DescribedEvent, DescribedField, DescribedType
from schemas.records import ActivityEvent, Notification, Operation, StampedValue, TimelineEvent
from schemas.values import FieldDefinition, FieldValue, System

ReadPurpose = Literal["live_read", "bulk_read"]

TOO_FAR_AHEAD_MS: Final = 24 * 3_600_000
"""By how much a vendor's clock can be ahead of ours: what is said to happen later would make all that follows stale."""

MOST_FOUND: Final = 26  # objects of one value that are worth reading: more than are ever a pair's candidates


@dataclass(frozen=True, slots=True)
class Seen:
    """One object as an answer showed it, some time in [at_ms, at_ms + spread_ms] of the vendor's clock.

    `fields` lists every field the catalog wants of its type; null where the system has none. `asked_id` is the id that
    was read, where the system resolves it to another object (a merge).
    """

    object_id: str
    fields: Mapping[str, StampedValue]
    at_ms: int
    spread_ms: int
    asked_id: str | None = None


@dataclass(frozen=True, slots=True)
class Gone:
    """An object that was asked for and is not there; `merged_into` is the survivor of a merge."""

    object_id: str
    at_ms: int
    spread_ms: int
    merged_into: str | None = None


@dataclass(frozen=True, slots=True)
class News:
    """What a notification tells of one object; `complete` where it shows the whole object and no read is needed.

    A read for the rest counts only if it is not older than `at_ms`, the vendor's time of the happening.
    """

    object_type: str
    object_id: str
    operation: Operation
    fields: Mapping[str, StampedValue]
    at_ms: int
    spread_ms: int
    complete: bool
    merged_into: str | None = None


@dataclass(frozen=True, slots=True)
class AssociatedNews:
    """What a notification tells of an object of which others show fields.

    `changed`: `fields` are those it names, by the object's own names; `back`: it was away; `gone` since `at_ms`.
    """

    object_type: str
    object_id: str
    kind: Literal["changed", "back", "gone"]
    at_ms: int
    fields: Mapping[str, StampedValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Translated:
    """One notification in our words; `unreadable` counts items of a batch that could not be understood."""

    news: Sequence[News] = ()
    activity: Sequence[ActivityEvent] = ()
    unreadable: int = 0
    associated: Sequence[AssociatedNews] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a whole object type; `cursor` None at the end."""

    found: Sequence[Seen]
    cursor: str | None


class Source(Protocol):
    """Reads a system."""

    def translate(self, notification: Notification) -> Translated:
        """A stored webhook request in our words. Raises ValueError where its body is none of the system's."""
        ...

    async def read(self, object_type: str, ids: Sequence[str], purpose: ReadPurpose) -> Sequence[Seen | Gone]:
        """The objects by id, each seen or gone; at most `read_size` ids."""
        ...

    async def page(self, object_type: str, cursor: str | None) -> Page:
        """The next page of a crawl, oldest object first where the system can."""
        ...

    async def look_up(self, object_type: str, field: FieldDefinition, values: Sequence[str]) -> Sequence[Seen]:
        """The objects whose field holds one of the values; at most `read_size` values.

        Of a value that many hold at least MOST_FOUND are shown. An object may hold another value than was asked for: a
        secondary email leads to its contact.
        """
        ...

    @property
    def read_size(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Shown:
    """What the objects of one type show of an associated object, by the names they show it under.

    It holds for those of them whose `id_field` is that object's id; seen some time in [at_ms, at_ms + spread_ms].
    """

    object_type: str
    fields: Mapping[str, StampedValue]
    at_ms: int
    spread_ms: int


@dataclass(frozen=True, slots=True)
class ShowingPage:
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

    async def shown(
        self, object_type: str, object_id: str, told: Mapping[str, StampedValue], purpose: ReadPurpose
    ) -> Sequence[Shown]:
        """What is to be shown of the object, with what notifications told of it where the read is older.

        Nothing where it is not there; else an item for each of `shown_by`.
        """
        ...

    async def showing(
        self, object_type: str, object_id: str, by_type: str, cursor: str | None, purpose: ReadPurpose
    ) -> ShowingPage:
        """The next page of the objects of `by_type` that are associated with the object; none where it is gone."""
        ...


@dataclass(frozen=True, slots=True)
class Write:
    """Fields of one object to be written; null clears. Bulk ones leave room for live ones."""

    object_type: str
    object_id: str
    fields: Mapping[str, FieldValue]
    bulk: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """What the target holds of the written fields; `equal` where it held them before and nothing was sent."""

    write: Write
    stored: Mapping[str, FieldValue]
    at_ms: int
    spread_ms: int
    equal: bool = False


@dataclass(frozen=True, slots=True)
class Vanished:
    """The target is not there; nothing was written."""

    write: Write
    at_ms: int
    spread_ms: int
    merged_into: str | None = None


@dataclass(frozen=True, slots=True)
class RefusedFields:
    """These fields of the write are refused for good; the others have a result of their own."""

    write: Write
    fields: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Again:
    """This write failed alone and may succeed later."""

    write: Write


WriteResult = Answered | Vanished | RefusedFields | Again


class Sink(Protocol):
    """Writes a system. Never creates an object: there is no verb for it."""

    @property
    def batch_size(self) -> int: ...

    @property
    def in_flight(self) -> int:
        """How many batches may be under way at once."""
        ...

    async def write(self, writes: Sequence[Write], may_write: Callable[[], bool]) -> Sequence[WriteResult]:
        """Write a batch of different objects of one type, each once.

        `may_write` is asked straight before each request that writes; where it says no, `OwnershipLost` is raised.
        """
        ...


@dataclass(frozen=True, slots=True)
class Sent:
    """The event is on the timeline, by this request or an earlier one; `left_out` counts attributes it lacks there."""

    event: TimelineEvent
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class TargetGone:
    """The object whose timeline it is for is not there, and no other has taken its place."""

    event: TimelineEvent
    at_ms: int
    spread_ms: int


@dataclass(frozen=True, slots=True)
class RefusedEvent:
    """The event is refused for good."""

    event: TimelineEvent
    reason: str


@dataclass(frozen=True, slots=True)
class Unsure:
    """The event may be on the timeline; sent again it could be there twice."""

    event: TimelineEvent


@dataclass(frozen=True, slots=True)
class SendAgain:
    """This event was not sent yet."""

    event: TimelineEvent


EventResult = Sent | TargetGone | RefusedEvent | Unsure | SendAgain


class Timeline(Protocol):
    """Puts events on the timelines of objects that exist; the one verb names objects by id, so it creates none."""

    @property
    def batch_size(self) -> int: ...

    async def send(self, events: Sequence[TimelineEvent], may_write: Callable[[], bool]) -> Sequence[EventResult]:
        """Send a batch, oldest first; one result for each event.

        `may_write` is asked straight before each request that writes; where it says no, `OwnershipLost` is raised.
        """
        ...


class OwnershipLost(RuntimeError):
    """This process may not own the integration any more: nothing may be written until it knows."""


@dataclass(frozen=True, slots=True)
class Provisioned:
    """What setting up left behind; `webhook_secret` signs the system's webhooks where it makes one."""

    webhook_secret: str | None = None


@dataclass(frozen=True, slots=True)
class Described:
    """What a system says of what mappings are to use; whatever does not exist is left out."""

    fields: Sequence[DescribedField] = ()
    types: Sequence[DescribedType] = ()
    events: Sequence[DescribedEvent] = ()


class Setup(Protocol):
    """Makes a system ready for an integration; every call may be repeated."""

    async def describe(self, wanted: Mapping[str, Sequence[str]]) -> Described:
        """The definitions of the fields that mappings are to use, by object type; those that exist."""
        ...

    async def provision(
        self, object_types: Sequence[str], create: Sequence[DescribedField], events: Sequence[DescribedEvent] = ()
    ) -> Provisioned:
        """Make what is missing: fields, types of timeline events, the webhook subscription for these object types."""
        ...

    async def probe(self) -> None:
        """The cheapest authorised read: raises where the system cannot be worked with."""
        ...

    async def withdraw(self) -> None:
        """Take the webhook subscription back; fields that were made are the customer's by now."""
        ...


@dataclass(frozen=True, slots=True)
class Opening:
    """What a system is given for one integration."""

    integration: str
    connection: int
    account: str
    options: Mapping[str, str]  # plain settings of the section of the integration file
    secrets: Mapping[str, str] = field(repr=False)  # opened
    catalog: Catalog
    clock: Clock
    api_url: str | None  # None: the vendor's own, by region where it has several
    api_version: str
    webhook_url: str  # where the receiver takes this integration's webhooks
    store_grant: Callable[[str], Awaitable[None]]  # keeps a new refresh token
    incident: Callable[[str, str], Awaitable[None]]  # (stable reason, sentence without field values)
    connected: Callable[[str], bool] = lambda _: True  # whether an integration of that name is connected here


@dataclass(frozen=True, slots=True)
class Account:
    """One opened account or environment."""

    system: System
    source: Source
    sink: Sink
    setup: Setup
    close: Callable[[], Awaitable[None]]
    timeline: Timeline | None = None  # None: the system has no timelines
    associated: AssociatedSource | None = None  # None: no object shows fields of another
