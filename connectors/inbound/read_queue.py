"""Reads for notifications and requests, coalesced per object and taken in batches."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Final

from connectors.contract.source import Gone, News, Seen
from connectors.http.meter import Meter, Stopwatch
from schemas.records import Cause, Origin, StampedValue

REPEATS_S: Final = (0.5, 2.0, 10.0, 60.0)
"""Waits before a read is repeated that is older than its notification: HubSpot's reads lag behind its webhooks."""

REMEMBERED_DELETIONS: Final = 10_000


@dataclass(frozen=True, slots=True)
class ReadReason:
    """One reason for a read."""

    object_type: str
    object_id: str
    news: News | None
    origin: Origin
    run_id: str | None
    bulk: bool
    caused_by: Cause | None
    finished: Callable[[], None]
    later_than: Mapping[str, StampedValue] = field(default_factory=dict)  # what was known as it was asked for


@dataclass(slots=True, eq=False)
class Pending:
    """An object to be read, with every reason for it."""

    object_type: str
    object_id: str
    not_before: float
    waits: Stopwatch  # what its reads waited for
    asks: list[ReadReason] = field(default_factory=list)
    repeats: int = 0
    failures: int = 0  # reads of it that failed
    published_early: bool = False  # the values that its notifications name were published before the read

    @property
    def bulk(self) -> bool:
        return all(ask.bulk for ask in self.asks)

    @property
    def notified(self) -> Mapping[str, StampedValue]:
        """The newest value that a notification names, for each field."""
        newest: dict[str, StampedValue] = {}
        for ask in self.asks:
            for name, value in (ask.news.fields if ask.news else {}).items():
                if name not in newest or value.at_ms >= newest[name].at_ms:
                    newest[name] = value
        return newest

    @property
    def later_than(self) -> Mapping[str, StampedValue]:
        """What was known of fields before the read: as the latest to ask for it has them."""
        return {name: known for ask in self.asks for name, known in ask.later_than.items()}

    @property
    def floor_ms(self) -> int:
        """A read counts only if it is not older than this."""
        return max((ask.news.at_ms for ask in self.asks if ask.news), default=0)

    def lags(self, answer: Seen | Gone, deleted_ms: int | None = None) -> bool:
        """Whether the answer is older than the notifications; a deletion notified since then explains a missing one."""
        if isinstance(answer, Gone):
            explained = answer.merged_into is not None or (deleted_ms is not None and deleted_ms >= self.floor_ms)
            told = any(ask.news and ask.news.of_deletion for ask in self.asks) and self.floor_ms == 0
            return not explained and not told and any(ask.news for ask in self.asks)
        if answer.unsettled:
            return True
        if answer.at_ms + answer.spread_ms >= self.floor_ms:
            return False
        notified = self.notified
        return not notified or any(
            name in answer.fields and answer.fields[name].value != value.value for name, value in notified.items()
        )

    def repeat_after_s(self) -> float | None:
        """How long until the next try; None when it was tried often enough."""
        return REPEATS_S[self.repeats] if self.repeats < len(REPEATS_S) else None


class ReadQueue:
    """Objects that wait for a read; those with bulk reasons only wait behind all others."""

    def __init__(self, meter: Meter) -> None:
        """`meter` says what holds up what is queued."""
        self._meter = meter
        self._live: dict[tuple[str, str], Pending] = {}
        self._bulk: dict[tuple[str, str], Pending] = {}

        self._deleted: dict[tuple[str, str], int] = {}  # the time of the newest deletion that was notified

    def __len__(self) -> int:
        return len(self._live) + len(self._bulk)

    def lagging(self, object_type: str, object_id: str) -> bool:
        """Whether the object waits for a repeated read, and its notifications' values were published already."""
        pending = self._live.get((object_type, object_id))
        return pending is not None and pending.published_early

    def note_deletion(self, object_type: str, object_id: str, at_ms: int) -> None:
        """A notification says that the object is gone: a read that waits to confirm a lag is due at once."""
        key = (object_type, object_id)
        self._deleted[key] = max(at_ms, self._deleted.pop(key, at_ms))
        if len(self._deleted) > REMEMBERED_DELETIONS:
            del self._deleted[next(iter(self._deleted))]
        pending = self._live.get(key)
        if pending is not None and pending.repeats:
            pending.not_before = 0.0

    def deleted_ms(self, pending: Pending) -> int | None:
        """When a notification says that the object was deleted; None where none says so."""
        return self._deleted.get((pending.object_type, pending.object_id))

    def add(self, ask: ReadReason, not_before: float) -> None:
        """Ask for a read; a read that waits already serves this reason too."""
        key = (ask.object_type, ask.object_id)
        pending = self._live.get(key) or self._bulk.pop(key, None)
        if pending is None:
            pending = Pending(*key, not_before, Stopwatch(self._meter))
        elif pending.repeats == 0:
            earlier = min if ask.news is not None else max
            pending.not_before = earlier(pending.not_before, not_before)
        pending.asks.append(ask)
        self._keep(pending)

    def take(self, most: int, now: float, *, bulk: bool = True, meter: Meter | None = None) -> list[Pending]:
        """Objects of one type that are due, live ones first, oldest first; `bulk` says whether bulk ones may go.

        `meter` says what their read waits for.
        """
        waiting = (self._live, self._bulk) if bulk else (self._live,)
        for pendings in waiting:
            due = (pending for pending in pendings.values() if pending.not_before <= now)
            first = next(due, None)
            if first is not None:
                chosen = [first, *islice((one for one in due if one.object_type == first.object_type), most - 1)]
                for pending in chosen:
                    pending.waits.go_on(meter or self._meter)
                    del pendings[pending.object_type, pending.object_id]
                return chosen
        return []

    def part_of_batch(self, full: int, now: float) -> str | None:
        """The object type of the live reads to be taken next; None where none is due, or they fill a batch already."""
        due = (pending.object_type for pending in self._live.values() if pending.not_before <= now)
        first = next(due, None)
        together = 1 + sum(1 for _ in islice((one for one in due if one == first), full - 1))
        return first if together < full else None

    def put_back(self, pending: Pending, not_before: float) -> None:
        """Read the object again later; reasons that came meanwhile join."""
        key = (pending.object_type, pending.object_id)
        newer = self._live.pop(key, None) or self._bulk.pop(key, None)
        if newer is not None:
            pending.asks += newer.asks
            pending.published_early = pending.published_early and newer.published_early
            not_before = min(not_before, newer.not_before)
        pending.not_before = not_before
        pending.waits.go_on(self._meter)
        self._keep(pending)

    def next_due(self, *, bulk: bool = True) -> float | None:
        pendings = chain(self._live.values(), self._bulk.values() if bulk else ())
        return min((pending.not_before for pending in pendings), default=None)

    def _keep(self, pending: Pending) -> None:
        pendings = self._bulk if pending.bulk else self._live
        pendings[pending.object_type, pending.object_id] = pending
