"""The interface of a system that has timelines, and how each event can end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from connectors.contract.sink import MayWrite
from schemas.records import TimelineEvent


@dataclass(frozen=True, slots=True)
class EventSent:
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


EventResult = EventSent | TargetGone | RefusedEvent | Unsure | SendAgain


class Timeline(Protocol):
    """Puts events on the timelines of objects that exist; the one verb names objects by id, so it creates none."""

    @property
    def batch_size(self) -> int: ...

    async def send(self, events: Sequence[TimelineEvent], may_write: MayWrite) -> Sequence[EventResult]:
        """Send a batch, oldest first; one result for each event.

        `may_write` is asked straight before each request that writes; where it says no, `OwnershipLost` is raised.
        """
        ...
