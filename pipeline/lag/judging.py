"""What the facts mean: seconds behind, rates, states and forecasts. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Final, Literal

from pipeline.lag.facts import WINDOW_MS, Place, Waiting
from pipeline.lag.stages import STAGES
from schemas.topics import TOPICS
from schemas.vitals import PlaceVitals, Vitals

State = Literal["OK", "WARN", "STALL", "STOP"]

STATES: Final[tuple[State, ...]] = ("OK", "WARN", "STALL", "STOP")
"""From best to worst, in Burrow's words. WARN: records have waited all the while, and more come than go. STALL: a
process that lives ends none of those that wait. STOP: nobody takes them, or whoever does gives no sign of life."""
STANDSTILL: Final[frozenset[State]] = frozenset({"STALL", "STOP"})
PATIENCE: Final = 3
"""Of a process's own figures: so many in a row without progress are no accident."""
OVERDUE: Final = 1.5
"""Intervals after which figures are missed: they are told as what they are, the last ones."""
LIMITED_MS: Final = 60_000
BUDGET: Final = "budget"
PACE_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class PlaceLag:
    """One partition before one stage."""

    place: Place
    state: State
    why: str  # a sentence for states other than OK
    oldest: Waiting | None
    oldest_live: Waiting | None
    out_per_s: float | None  # None: no figures of whoever holds it
    pace_per_s: float | None  # the same since it began to end anything, over a minute at most

    @property
    def in_per_s(self) -> float:
        return self.place.unread.arrived * 1000 / WINDOW_MS


@dataclass(frozen=True, slots=True)
class TopicLag:
    """One topic before one stage: its partitions together."""

    stage: str
    topic: str
    places: tuple[PlaceLag, ...]
    in_memory: int | None  # None: no figures
    in_memory_at_ms: int | None
    limited_by: str  # empty: by nothing that was told
    overdue_since_ms: int | None = None  # when figures of the memory were told that newer ones should follow by now

    @property
    def group(self) -> str:
        return self.places[0].place.group

    @property
    def lag(self) -> int:
        return sum(one.place.unread.records for one in self.places)

    @property
    def markers(self) -> int:
        return sum(one.place.markers for one in self.places)

    @property
    def exact(self) -> bool:
        return all(one.place.unread.exact for one in self.places)

    @property
    def state(self) -> State:
        return max((one.state for one in self.places), key=STATES.index)

    @property
    def why(self) -> str:
        return next((one.why for one in self.places if one.state == self.state), "")

    @property
    def oldest(self) -> Waiting | None:
        return oldest_of(one.oldest for one in self.places)

    @property
    def oldest_live(self) -> Waiting | None:
        return oldest_of(one.oldest_live for one in self.places)

    @property
    def in_per_s(self) -> float:
        return sum(one.in_per_s for one in self.places)

    @property
    def out_per_s(self) -> float | None:
        known = [one.out_per_s for one in self.places if one.out_per_s is not None]
        return sum(known) if known else None

    @property
    def drain_s(self) -> float | None:
        """Seconds until nothing waits, if all goes on as now; None where it never would, or nobody knows.

        What goes out is what the vendor's budget lets out: the rate is measured, so the limit is in it.
        """
        if self.lag == 0:
            return 0.0
        gain = sum(one.pace_per_s or 0.0 for one in self.places) - self.in_per_s
        return self.lag / gain if gain > 0 else None

    @property
    def trend(self) -> str:
        """`growing`, `shrinking` or `steady`; empty where it is not known."""
        out = self.out_per_s
        if out is None:
            return ""
        if self.lag == 0 or abs(out - self.in_per_s) * WINDOW_MS / 1000 < 1:
            return "steady"
        return "growing" if self.in_per_s > out else "shrinking"

    def retention_reaches_ms(self, changes_retention_days: int | None = None) -> int | None:
        """When retention reaches the first record that waits; None where none does."""
        heads = [one.place.unread.head_ms for one in self.places if one.place.unread.head_ms is not None]
        settings = TOPICS[self.topic].broker_settings(changes_retention_days)
        return min(heads) + int(settings["retention.ms"]) if heads else None


@dataclass(frozen=True, slots=True)
class Lag:
    """The whole road at one moment."""

    at_ms: int
    topics: tuple[TopicLag, ...]
    processes: tuple[Vitals, ...]  # the newest figures of each
    begins: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Process -> when it began, by its figures of the last minutes in their order; repeats in a row are one."""

    @property
    def places(self) -> tuple[PlaceLag, ...]:
        return tuple(place for topic in self.topics for place in topic.places)

    @property
    def oldest(self) -> tuple[PlaceLag, Waiting] | None:
        """What has waited longest, and where."""
        found = ((one, one.oldest) for one in self.places)
        waiting = [(one, oldest) for one, oldest in found if oldest is not None]
        return min(waiting, key=lambda pair: pair[1].at_ms, default=None)

    def behind_s(self, waiting: Waiting | None) -> float | None:
        """Seconds since the first cause of a record was held; None for none."""
        return None if waiting is None else max(self.at_ms - waiting.at_ms, 0) / 1000

    def stage_behind(self, *, live: bool = False) -> dict[str, float]:
        """Seconds behind by stage; 0 where nothing waits. `live`: without what is bulk."""
        found = dict.fromkeys((stage.name for stage in STAGES), 0.0)
        for topic in self.topics:
            oldest = topic.oldest_live if live else topic.oldest
            found[topic.stage] = max(found[topic.stage], self.behind_s(oldest) or 0.0)
        return found

    def runs(self) -> dict[str, int]:
        """Records that wait, by full sync."""
        total: dict[str, int] = {}
        for one in self.places:
            for run, records in one.place.unread.runs.items():
                total[run] = total.get(run, 0) + records
        return total


def judged(places: Sequence[Place], rows: Sequence[Vitals], now_ms: int) -> Lag:
    """The road, by what the brokers hold and by the figures of the last minutes, oldest first."""
    newest = {row.process: row for row in rows}
    histories = _histories(rows)
    topics = []
    for stage in STAGES:
        limited = _limited(rows, newest, stage.system, now_ms) if stage.system else ""
        for topic in stage.topics:
            ours = tuple(
                _judged(place, histories.get((stage.name, topic, place.partition), ()), now_ms)
                for place in places
                if (place.stage, place.topic) == (stage.name, topic)
            )
            held = _in_memory(newest.values(), ours, now_ms)
            topics.append(
                TopicLag(stage.name, topic, ours, held.records, held.since_ms, limited, held.overdue_since_ms)
            )
    return Lag(now_ms, tuple(topics), tuple(newest.values()), _begins(rows))


def _begins(rows: Sequence[Vitals]) -> Mapping[str, tuple[int, ...]]:
    found: dict[str, list[int]] = {}
    for row in rows:
        told = found.setdefault(row.process, [])
        if not told or told[-1] != row.started_at_ms:
            told.append(row.started_at_ms)
    return {process: tuple(told) for process, told in found.items()}


@dataclass(frozen=True, slots=True)
class _Sample:
    """One place in the figures of one process."""

    row: Vitals
    place: PlaceVitals


def _histories(rows: Iterable[Vitals]) -> Mapping[tuple[str, str, int], list[_Sample]]:
    found: dict[tuple[str, str, int], list[_Sample]] = {}
    for row in rows:
        for place in row.places:
            found.setdefault((place.stage, place.topic, place.partition), []).append(_Sample(row, place))
    return found


def _judged(place: Place, samples: Sequence[_Sample], now_ms: int) -> PlaceLag:
    state, why = _state(place, samples, now_ms)
    waiting = [*place.unread.waiting]
    if samples and fresh(samples[-1].row, now_ms):
        waiting += _held(samples[-1].place, place.position)
    oldest = oldest_of(waiting)
    live = oldest_of(one for one in waiting if not one.bulk)
    out, pace = _out_per_s(samples, now_ms), _pace_per_s(samples, now_ms)
    judged = PlaceLag(place, state, why, oldest, live, out, pace)
    head_ms = place.unread.head_ms
    lasting = state == "OK" and head_ms is not None and now_ms - head_ms > WINDOW_MS
    if lasting and out is not None and judged.in_per_s > out:
        return replace(judged, state="WARN", why="more comes than goes")
    return judged


def _held(place: PlaceVitals, position: int) -> list[Waiting]:
    """What is in memory, as records that wait; what the group has passed since was ended."""
    found = []
    for one in place.in_memory:
        if one.oldest_at_ms is None or one.oldest_offset is None or one.oldest_offset < position:
            continue
        found.append(Waiting(one.oldest_offset, one.oldest_at_ms, one.oldest_at_ms != one.oldest_live_at_ms))
        if one.oldest_live_at_ms is not None:
            found.append(Waiting(one.oldest_offset, one.oldest_live_at_ms, False))
    return found


def _state(place: Place, samples: Sequence[_Sample], now_ms: int) -> tuple[State, str]:
    """STOP or STALL where nothing is ended though records wait: by the pace of the process itself, by no fixed time."""
    head_ms = place.unread.head_ms
    if not place.unread.records or head_ms is None:
        return "OK", ""
    if place.members_known and place.member is None:
        return "STOP", "nobody takes its records"
    patience_ms = PATIENCE * (samples[-1].row.every_ms if samples else 5_000)
    if now_ms - head_ms <= patience_ms:
        return "OK", ""
    if not samples or now_ms - samples[-1].row.at_ms > patience_ms:
        return "STOP", f"{place.member or 'whoever holds it'} gives no sign of life"
    moved_ms = _moved_ms(samples)
    if now_ms - max(head_ms, moved_ms) > patience_ms:
        return "STALL", "nothing is ended though records wait"
    return "OK", ""


def _moved_ms(samples: Sequence[_Sample]) -> int:
    """When figures last told that something was ended; the oldest figures where none did."""
    moved = [
        later.row.at_ms
        for before, later in pairwise(samples)
        if later.place.finished != before.place.finished or later.row.started_at_ms != before.row.started_at_ms
    ]
    return moved[-1] if moved else samples[0].row.at_ms


def _out_per_s(samples: Sequence[_Sample], now_ms: int) -> float | None:
    """Records ended a second, over about WINDOW_MS of one process's figures; 0 where it gives no more."""
    if not samples:
        return None
    last = samples[-1]
    if not fresh(last.row, now_ms):
        return 0.0
    lately = _unbroken(samples)
    first = next((one for one in reversed(lately) if last.row.at_ms - one.row.at_ms >= WINDOW_MS * 0.9), lately[0])
    since_ms, ended = first.row.at_ms, last.place.finished - first.place.finished
    if first is last:  # the first figures that tell of it: it had ended nothing when it began
        if len(lately) < len(samples) and samples[-2].row.started_at_ms == last.row.started_at_ms:
            return None  # it has just gone on
        since_ms, ended = last.row.started_at_ms, last.place.finished
    return max(ended, 0) * 1000 / max(last.row.at_ms - since_ms, 1)


def _pace_per_s(samples: Sequence[_Sample], now_ms: int) -> float | None:
    """Records ended a second since it ended any, for forecasts: a process that goes on again needs seconds to begin.

    None before two figures since then are there: the first tell of a part of their interval only.
    """
    if not samples or not fresh(samples[-1].row, now_ms):
        return None
    lately = [one for one in _unbroken(samples) if samples[-1].row.at_ms - one.row.at_ms <= PACE_MS]
    moved = [
        number for number, (one, other) in enumerate(pairwise(lately)) if other.place.finished > one.place.finished
    ]
    if not moved:
        return None
    first, last = lately[0 if moved[0] == 0 and len(moved) > 1 else moved[0] + 1], lately[-1]
    if first is last:
        return None
    return (last.place.finished - first.place.finished) * 1000 / (last.row.at_ms - first.row.at_ms)


def _unbroken(samples: Sequence[_Sample]) -> Sequence[_Sample]:
    """The newest figures of one process without a gap: it may have stood still in between."""
    begin = len(samples) - 1
    while begin > 0:
        before, row = samples[begin - 1].row, samples[begin].row
        same = (before.process, before.started_at_ms) == (row.process, row.started_at_ms)
        if not same or row.at_ms - before.at_ms > PATIENCE * row.every_ms:
            break
        begin -= 1
    return samples[begin:]


def fresh(row: Vitals, now_ms: int) -> bool:
    """Whether the process that told these figures lives, as far as they tell."""
    return now_ms - row.at_ms <= PATIENCE * row.every_ms


@dataclass(frozen=True, slots=True)
class _InMemory:
    """What processes have taken of one topic and not ended; `records` None: no figures."""

    records: int | None = None
    since_ms: int | None = None
    overdue_since_ms: int | None = None


def _in_memory(rows: Iterable[Vitals], places: Sequence[PlaceLag], now_ms: int) -> _InMemory:
    """By figures that are older than what the brokers told, and may be of a process that is gone.

    It is never more than waits there still, and nothing of a partition that another process holds by now.
    """
    there = {(one.place.stage, one.place.topic, one.place.partition): one.place for one in places}
    records, since, late = list[int](), list[int](), list[int]()
    for row in rows:
        for told in row.places:
            place = there.get((told.stage, told.topic, told.partition))
            if place is None or not fresh(row, now_ms) or (place.members_known and place.member != row.process):
                continue
            records.append(min(sum(one.records for one in told.in_memory), place.unread.records))
            since += [one.at_ms for one in _held(told, place.position)]
            if records[-1] and _is_overdue(row, now_ms):
                late.append(row.at_ms)
    if not records:
        return _InMemory()
    return _InMemory(sum(records), min(since, default=None), min(late, default=None))


def _is_overdue(row: Vitals, now_ms: int) -> bool:
    """Whether the process should have told newer figures by now."""
    return now_ms - row.at_ms > OVERDUE * row.every_ms


def _limited(rows: Sequence[Vitals], newest: Mapping[str, Vitals], system: str, now_ms: int) -> str:
    """The limit of the system that was met lately; BUDGET where requests wait for a place though none was met."""
    met = [
        limit
        for row in newest.values()
        for limit in row.limits
        if limit.system == system and limit.limited_at_ms is not None and now_ms - limit.limited_at_ms < LIMITED_MS
    ]
    if met:
        return met[-1].limited_by
    waits = any(_waits(row, rows, system) for row in newest.values() if fresh(row, now_ms))
    return BUDGET if waits else ""


def _waits(row: Vitals, rows: Sequence[Vitals], system: str) -> bool:
    """Whether, over WINDOW_MS, one request or more waited for its place at any time: what they waited, by time."""
    same = [one for one in rows if (one.process, one.started_at_ms) == (row.process, row.started_at_ms)]
    before = next((one for one in reversed(same) if row.at_ms - one.at_ms >= WINDOW_MS * 0.9), None)
    if before is None:
        return False
    return _waited_ms(row, system) - _waited_ms(before, system) >= row.at_ms - before.at_ms


def _waited_ms(row: Vitals, system: str) -> int:
    return sum(one.sum_ms for one in row.durations if (one.part, one.system) == ("budget", system))


def oldest_of(waiting: Iterable[Waiting | None]) -> Waiting | None:
    """The one whose cause is oldest."""
    return min((one for one in waiting if one is not None), key=lambda one: one.at_ms, default=None)
