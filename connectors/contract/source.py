"""The interface by which a system is read: webhooks translated, objects by id, whole types, lookups."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from schemas.records import ActivityEvent, Notification, Operation, Origin, StampedValue
from schemas.values import FieldDefinition

ReadPurpose = Literal["live_read", "bulk_read"]


TOO_FAR_AHEAD_MS: Final = 24 * 3_600_000
"""How far a vendor's clock may be ahead of ours: a later time would make everything that follows stale."""

TOO_LATE_MS: Final = 4 * 24 * 3_600_000
"""How long after its time a notification may come: a journal keeps three days. What an older one tells would be stale
at once, and lost where its time is a wrong one, so that the object is read instead."""


def told_between(received_ms: int) -> tuple[int, int]:
    """The earliest and the latest time of which a notification that came then may tell."""
    return received_ms - TOO_LATE_MS, received_ms + TOO_FAR_AHEAD_MS


MOST_FOUND: Final = 26  # objects of one value that are worth reading: more than are ever a pair's candidates


@dataclass(frozen=True, slots=True)
class Seen:
    """One object as an answer showed it, some time in [at_ms, at_ms + spread_ms] of the vendor's clock.

    `fields` lists the fields the catalog wants of its type; null where the system says "no value". `unknown` are those
    that the answer did not hold at all: archived, or not readable now, which says nothing of their values. `asked_id`
    is the id that was read, where the system resolves it to another object (a merge). `unsettled` are fields of an
    associated object that is named but not there: gone for good, or too new for a read that lags. That they hold no
    value is to be believed only if later reads say so too.
    """

    object_id: str
    fields: Mapping[str, StampedValue]
    at_ms: int
    spread_ms: int
    asked_id: str | None = None
    unknown: tuple[str, ...] = ()
    unsettled: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Gone:
    """An object that was asked for and is not there; `merged_into` is the survivor of a merge."""

    object_id: str
    at_ms: int
    spread_ms: int
    merged_into: str | None = None


@dataclass(frozen=True, slots=True)
class News:
    """One object in a notification; `complete`: the notification shows the whole object, and no read is needed.

    A read for the rest counts only if it is not older than `at_ms`, the vendor's time of the happening. `ours`: the
    system names the app it tells as who did it. `of_deletion`: it tells that the object is gone, at no time that could
    be believed, so that a read that finds none bears it out.
    """

    object_type: str
    object_id: str
    operation: Operation
    fields: Mapping[str, StampedValue]
    at_ms: int
    spread_ms: int
    complete: bool
    merged_into: str | None = None
    ours: bool = False
    of_deletion: bool = False


@dataclass(frozen=True, slots=True)
class AssociatedNews:
    """An object in a notification of which other objects show fields.

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
    origin: Origin = "webhook"  # how the system told it


@dataclass(frozen=True, slots=True)
class ObjectPage:
    """One page of a whole object type; `cursor` None at the end.

    `listed_first` is the id of the first row where a page may be of rows that are no objects any more.
    """

    objects: Sequence[Seen]
    cursor: str | None
    listed_first: str | None = None

    @property
    def first_id(self) -> str | None:
        """The id of the first object; None for an empty page."""
        return self.listed_first or (self.objects[0].object_id if self.objects else None)


class Source(Protocol):
    """Reads a system."""

    def translate(self, notification: Notification) -> Translated:
        """A stored webhook request in our words. Raises ValueError where its body is none of the system's."""
        ...

    async def read(self, object_type: str, ids: Sequence[str], purpose: ReadPurpose) -> Sequence[Seen | Gone]:
        """The objects by id, each seen or gone; at most `read_size` ids."""
        ...

    async def page(self, object_type: str, cursor: str | None) -> ObjectPage:
        """The next page of a crawl, oldest object first where the system can."""
        ...

    async def count(self, object_type: str) -> int | None:
        """How many objects of the type there are, as far as one call tells it; None where it does not."""
        ...

    async def look_up(
        self, object_type: str, field: FieldDefinition, values: Sequence[str], purpose: ReadPurpose
    ) -> Sequence[Seen]:
        """The objects whose field holds one of the values; at most `read_size` values.

        Of a value that many hold at least MOST_FOUND are shown. An object may hold another value than was asked for: a
        secondary email leads to its contact.
        """
        ...

    @property
    def read_size(self) -> int: ...
