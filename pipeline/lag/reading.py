"""Reads from the brokers where every stage stands, and the records behind it. Blocks; changes nothing."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.kafka.admin import Admin, TopicsRefused
from connectors.kafka.cluster import Cluster
from connectors.kafka.members import holders
from connectors.kafka.spans import Found, Span, read_spans
from pipeline.lag.facts import WINDOW_MS, Place, Share, Unread, Waiting
from pipeline.lag.stages import STAGES, StageTopics
from schemas.codec import Codec, MalformedRecord
from schemas.records import Cause
from schemas.registry import UnknownSchema
from schemas.topics import VITALS, TopicAndPartition
from schemas.vitals import Vitals, held

HISTORY_MS: Final = 120_000
"""How far back vital signs are looked at."""
MOST_READ: Final = 50_000
MOST_DECODED: Final = 5_000
"""Records of one place; what is behind them is estimated by what they are."""

StagePlace = tuple[str, str, int]
"""Stage, topic, partition."""


@dataclass(frozen=True, slots=True)
class Brokers:
    """The parts that reading takes; `now_ms` is our clock, which records name too."""

    cluster: Cluster
    codec: Codec
    admin: Admin
    now_ms: Callable[[], int]

    def vitals(self) -> tuple[Vitals, ...]:
        """The figures of the last HISTORY_MS, oldest first. Raises BrokersUnreachable."""
        if VITALS not in self.admin.partitions():
            return ()
        ends = self.admin.end_offsets([VITALS])
        begins = self.admin.offsets_at([VITALS], self.now_ms() - HISTORY_MS)
        found: list[Vitals] = []

        def seen(one: Found) -> bool:
            row = decoded(self.codec, VITALS, one.value)
            if isinstance(row, Vitals):
                found.append(row)
            return True

        read_spans(self.cluster, {place: (begin, ends[place]) for place, begin in begins.items()}, seen)
        return tuple(sorted(found, key=lambda row: row.at_ms))

    def places(self, taken: Mapping[StagePlace, int]) -> tuple[Place, ...]:
        """Every place of every stage; `taken`: up to where one is known to have been taken.

        Raises BrokersUnreachable, and TopicsRefused where topics are not there.

        Positions are asked before ends: what is handled meanwhile makes a stage no better than it is.
        """
        topics = sorted({topic for stage in STAGES for topic in stage.topics})
        missing = sorted(set(topics) - self.admin.partitions().keys())
        if missing:
            raise TopicsRefused(f"{', '.join(missing)} not there: run `pairstream topics apply`")
        positions = {stage.name: self._positions(stage) for stage in STAGES}
        ends, begins = self.admin.end_offsets(topics), self.admin.begin_offsets(topics)
        lately = self.admin.offsets_at(topics, self.now_ms() - WINDOW_MS)
        members = holders(self.cluster, sorted({stage.group for stage in STAGES}))
        readings = {
            place: _Reading(
                [
                    _Part(max(positions[stage.name][place], begins[place]), taken.get((stage.name, *place)))
                    for stage in _stages(place[0])
                ],
                lately.get(place, ends[place]),
                ends[place],
            )
            for place in ends
        }

        def seen(one: Found) -> bool:
            return readings[one.place].take(self.codec, one)

        read_spans(self.cluster, {place: reading.span for place, reading in readings.items()}, seen)
        return tuple(
            Place(
                stage.name,
                stage.group,
                *place,
                positions[stage.name][place],
                begins[place],
                ends[place],
                part.unread(readings[place]),
                (members[stage.group] or {}).get(place),
                members[stage.group] is not None,
            )
            for stage in STAGES
            for place in sorted(place for place in ends if place[0] in stage.topics)
            for part in [readings[place].parts[_stages(place[0]).index(stage)]]
        )

    def _positions(self, stage: StageTopics) -> dict[TopicAndPartition, int]:
        """Where the stage goes on: what its transactions say was handled is ahead of what its group committed."""
        found = self.admin.committed(stage.group, stage.topics)
        if stage.handled is None:
            return found
        handled = self.admin.committed(stage.handled, stage.topics)
        return {place: max(offset, handled[place]) for place, offset in found.items()}


def decoded(codec: Codec, topic: str, value: bytes) -> Any:
    """The record, or None where this build cannot read it: it waits all the same."""
    try:
        return codec.decode(topic, value)
    except (MalformedRecord, UnknownSchema):
        return None


def _stages(topic: str) -> Sequence[StageTopics]:
    return [stage for stage in STAGES if topic in stage.topics]


@dataclass
class _Part:
    """The records of a place from one stage's position on."""

    begin: int
    taken: int | None
    records: int = 0
    head_ms: int | None = None
    oldest: Waiting | None = None
    oldest_live: Waiting | None = None
    shares: dict[str, Share] = field(default_factory=lambda: defaultdict(Share))
    runs: Counter[str] = field(default_factory=Counter)
    mappings: Counter[tuple[str, str]] = field(default_factory=Counter)

    def take(self, offset: int, at_ms: int, told: "_Told | None") -> None:
        first = not self.records
        self.records += 1
        if first:
            self.head_ms = at_ms
        if told is None:
            return
        one = told.waiting
        if first or self.taken is None or offset >= self.taken:  # between them may be what has ended out of order
            self.oldest = _older(self.oldest, one)
            if not one.bulk:
                self.oldest_live = _older(self.oldest_live, one)
        share = self.shares[told.integration]
        live = share.live_at_ms if one.bulk else _least(share.live_at_ms, one.at_ms)
        self.shares[told.integration] = Share(share.records + 1, _least(share.at_ms, one.at_ms), live)
        if told.run_id:
            self.runs[told.run_id] += 1
        if told.mapping:
            self.mappings[told.integration, told.mapping] += 1

    def unread(self, reading: "_Reading") -> Unread:
        left = max(reading.end - max(reading.reached, self.begin), 0) if reading.cut else 0
        records = self.records + round(left * reading.density)
        waiting = tuple(dict.fromkeys(one for one in (self.oldest, self.oldest_live) if one is not None))
        return Unread(
            records,
            reading.arrived,
            not left,
            self.head_ms,
            waiting,
            dict(self.shares),
            dict(self.runs),
            dict(self.mappings),
        )


@dataclass(frozen=True, slots=True)
class _Told:
    """What one record says of itself."""

    integration: str
    waiting: Waiting
    run_id: str | None
    mapping: str | None


@dataclass
class _Reading:
    """One place, read once for every stage that takes it; what arrived lately is counted too."""

    parts: list[_Part]
    lately: int
    end: int
    reached: int = 0
    seen: int = 0
    recent: int = 0
    cut: bool = False  # more is there than is read

    @property
    def span(self) -> Span:
        return min(self.lately, *(part.begin for part in self.parts)), self.end

    @property
    def density(self) -> float:
        """The share of offsets that hold records, among those that were read."""
        return self.seen / max(self.reached - self.span[0], 1)

    @property
    def arrived(self) -> int:
        left = max(self.end - max(self.reached, self.lately), 0) if self.cut else 0
        return self.recent + round(left * self.density)

    def take(self, codec: Codec, one: Found) -> bool:
        offset = one.offset
        self.seen += 1
        self.reached = offset + 1
        self.recent += offset >= self.lately
        wanted = [part for part in self.parts if offset >= part.begin]
        told = _told(codec, one) if any(part.records < MOST_DECODED for part in wanted) else None
        for part in wanted:
            part.take(offset, one.at_ms, told)
        self.cut = self.seen >= MOST_READ
        return not self.cut


def _told(codec: Codec, one: Found) -> _Told:
    record = decoded(codec, one.place[0], one.value)
    integration, caused_ms, bulk = held(record)
    at_ms = one.at_ms if caused_ms is None else caused_ms
    cause: Cause | None = getattr(record, "caused_by", None)
    return _Told(
        integration,
        Waiting(one.offset, at_ms, bulk, cause),
        getattr(record, "run_id", None),
        getattr(record, "mapping", None),
    )


def _older(one: Waiting | None, other: Waiting) -> Waiting:
    return other if one is None or other.at_ms < one.at_ms else one


def _least(*times: int | None) -> int | None:
    return min((one for one in times if one is not None), default=None)


def taken_by(rows: Iterable[Vitals], now_ms: int) -> dict[StagePlace, int]:
    """Up to where connectors have taken each place, by figures that are not older than their interval allows."""
    fresh = (row for row in rows if now_ms - row.at_ms <= 2 * row.every_ms)
    newest = {row.process: row for row in fresh}
    places = (place for row in newest.values() for place in row.places if row.role != "worker")
    return {(place.stage, place.topic, place.partition): place.next_offset for place in places}
