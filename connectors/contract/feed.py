"""The interface of a system that is asked for its news, where it sends none: a journal, a poll, a slow crawl."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from connectors.contract.source import Seen

DAY_MS: Final = 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class FeedSettings:
    """How often systems are asked for news; `pipeline/config.py` has each with its meaning."""

    journal_interval_s: float = 2.0
    poll_interval_s: float = 10.0
    index_lag_s: float = 300.0
    archived_interval_s: float = 60.0
    patrol_per_s: float = 20.0  # objects of one type, in a crawl of what gives no news
    seen_interval_s: float = 30.0
    most_seen: int = 1_000  # objects of one type that are read again at once because they were active lately


@dataclass(frozen=True, slots=True)
class Kept:
    """How far a feed was pulled: `position` in the feed's own words, kept at `at_ms` of our clock."""

    position: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Pulled:
    """One pull's news: they are published in this order, and only then is `position` kept.

    `bodies` are notifications as `Source.translate` reads them, `objects` whole ones of the feed's type. Nothing more
    is due before `wait_s`. `gap` is the reason why news were lost for good: only a full sync can bring them.
    """

    position: str
    bodies: Sequence[bytes] = ()
    objects: Sequence[Seen] = ()
    wait_s: float = 0.0
    gap: str | None = None


class Feed(Protocol):
    """One row of news, pulled by the owner of the integration's partition alone."""

    @property
    def object_type(self) -> str | None:
        """The type whose reading it needs; None where it is about several."""
        ...

    async def pull(self, kept: Kept | None, now_ms: int) -> Pulled:
        """The next news after what was kept; `kept` None: nothing was yet. Any pull may be repeated.

        `now_ms` is our clock. Bounded in memory and calls.
        """
        ...


class Feeds(Protocol):
    """The feeds of an account, as its catalog asks for them now."""

    def names(self) -> Sequence[str]:
        """The feeds there are to be; a name is part of the key of what is kept."""
        ...

    def open(self, name: str) -> Feed:
        """A feed that has pulled nothing yet."""
        ...

    def patrolled(self) -> Sequence[str]:
        """The object types to be crawled slowly, again and again: some of their changes are no news anywhere."""
        ...
