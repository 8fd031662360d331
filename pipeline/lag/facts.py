"""What the brokers hold between a stage and the end of one partition. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.records import Cause

WINDOW_MS = 10_000
"""What rates are taken over."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One record that waits: where it stands, since when its first cause is known, and that cause."""

    offset: int
    at_ms: int  # our clock
    bulk: bool
    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class Share:
    """What waits of one integration."""

    records: int = 0
    at_ms: int | None = None  # the oldest
    live_at_ms: int | None = None  # the oldest that is not bulk


@dataclass(frozen=True, slots=True)
class Unread:
    """The records between a position and the end. `exact` is False where only the first of them were read."""

    records: int = 0
    arrived: int = 0  # records of the last WINDOW_MS, read or not
    exact: bool = True
    head_ms: int | None = None  # the brokers' time of the first: since when it could be taken
    waiting: tuple[Waiting, ...] = ()  # the oldest and the oldest live ones: the first, and those not taken yet
    shares: Mapping[str, Share] = field(default_factory=dict)  # by integration
    runs: Mapping[str, int] = field(default_factory=dict)  # records by full sync
    mappings: Mapping[tuple[str, str], int] = field(default_factory=dict)  # records by integration and mapping


@dataclass(frozen=True, slots=True)
class Place:
    """One partition as one stage stands before it."""

    stage: str
    group: str
    topic: str
    partition: int
    position: int  # where the stage goes on, as far as anybody knows
    begin: int  # the first offset that is retained
    end: int
    unread: Unread
    member: str | None  # who holds it
    members_known: bool

    @property
    def markers(self) -> int:
        """Offsets without a record that somebody reads: transaction markers, and what was aborted."""
        return max(self.end - max(self.position, self.begin), 0) - self.unread.records
