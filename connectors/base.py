"""What a system has to offer so that the runner can read it, write it and set it up; each on a few lines.

`connectors/<system>/source.py` is a Source, `sink.py` a Sink, `setup.py` a Setup; `connectors/registry.py` names them.
Every coroutine here raises the errors of `connectors.errors`; retrying, parking and dead letters are the runner's.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from connectors.clock import Clock
from schemas.configuration import DescribedField
from schemas.records import ActivityEvent, Notification, Operation, StampedValue
from schemas.values import FieldDefinition, FieldValue, System

ReadPurpose = Literal["live_read", "bulk_read"]


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
class Translated:
    """One notification in our words; `unreadable` counts items of a batch that could not be understood."""

    news: Sequence[News] = ()
    activity: Sequence[ActivityEvent] = ()
    unreadable: int = 0


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

    @property
    def read_size(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Write:
    """Fields of one object to be written; null clears."""

    object_type: str
    object_id: str
    fields: Mapping[str, FieldValue]


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


class OwnershipLost(RuntimeError):
    """This process may not own the integration any more: nothing may be written until it knows."""


@dataclass(frozen=True, slots=True)
class Provisioned:
    """What setting up left behind; `webhook_secret` signs the system's webhooks where it makes one."""

    webhook_secret: str | None = None


class Setup(Protocol):
    """Makes a system ready for an integration; every call may be repeated."""

    async def describe(self, wanted: Mapping[str, Sequence[str]]) -> Sequence[DescribedField]:
        """The definitions of the fields that mappings are to use, by object type; those that exist."""
        ...

    async def provision(self, create: Sequence[DescribedField]) -> Provisioned:
        """Make what is missing: fields, webhook subscription."""
        ...

    async def probe(self) -> None:
        """The cheapest authorised read: raises where the system cannot be worked with."""
        ...


class Catalog:
    """The fields that the mappings use, by object type; replaced as a whole when a mapping is applied."""

    def __init__(self) -> None:
        self._wanted: Mapping[str, tuple[str, ...]] = {}
        self._definitions: Mapping[str, Mapping[str, FieldDefinition]] = {}

    def replace(
        self, wanted: Mapping[str, tuple[str, ...]], definitions: Mapping[str, Mapping[str, FieldDefinition]]
    ) -> None:
        self._wanted, self._definitions = wanted, definitions

    @property
    def object_types(self) -> tuple[str, ...]:
        return tuple(self._wanted)

    def wanted(self, object_type: str) -> tuple[str, ...]:
        """The fields to read of a type: sources, targets and match fields of its mappings."""
        return self._wanted.get(object_type, ())

    def definition(self, object_type: str, name: str) -> FieldDefinition:
        """What is known of a field; text where nothing is."""
        found = self._definitions.get(object_type, {}).get(name)
        return found or FieldDefinition(name, "string")

    def known(self, object_type: str, name: str) -> bool:
        return name in self._definitions.get(object_type, {})


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


@dataclass(frozen=True, slots=True)
class Account:
    """One opened account or environment."""

    system: System
    source: Source
    sink: Sink
    setup: Setup
    close: Callable[[], Awaitable[None]]
