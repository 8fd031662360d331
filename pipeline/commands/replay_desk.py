"""Replays of a running installation: what is chosen, what it would write, and its row."""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.kafka.latest import latest_row, latest_rows
from connectors.kafka.reading import Found, read_to_end
from connectors.kafka.table import TableReader
from pipeline.agents.configuration import Configuration, IntegrationView
from pipeline.commands.session import known
from pipeline.operations import OperationRefused
from pipeline.operations.actor import who
from pipeline.operations.positions import Position, offsets
from pipeline.process import Process, now_ms
from pipeline.provisioning.mapping_writes import as_applied
from pipeline.replay.choice import CHANGES, NOTIFICATIONS, REPLAYABLE, Choice, named_places, places
from pipeline.replay.observing import SEEN, Place
from pipeline.replay.pace import records_per_s
from pipeline.replay.publishing import again, decoded
from pipeline.replay.rehearsal import Rehearsal, Rehearsed, Rows
from schemas.operating import Replay
from schemas.records import Notification, ObjectMapping
from schemas.runs import run_id_at
from schemas.topics import (
    INTEGRATIONS,
    MAPPINGS,
    MATCHES,
    OBJECTS_STATE,
    PAIRS_STATE,
    REPLAYS,
    TOPICS,
    USERFLOW_ACTIVITY,
    TopicAndPartition,
    object_key,
)
from schemas.values import SYSTEMS

WHY_NOT: Final[Mapping[str, str]] = {
    MATCHES: "on newer state an object that left its pair would join it again (decision 0010)",
}


class NoReplay(OperationRefused):
    """It cannot be replayed; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person asks for."""

    name: str
    begin: Position | None = None
    end: Position | None = None
    topics: tuple[str, ...] = ()
    mapping: str | None = None
    wanted: tuple[str, str, str] | None = None  # system, type, id
    activity: bool = False
    edited: tuple[ObjectMapping, ...] | None = None  # the mappings of a file that is not in force; None: those that are


@dataclass(slots=True)
class Planned:
    """What a replay would publish, and what that would lead to."""

    row: Replay
    view: IntegrationView
    rehearsed: Rehearsed
    causes: set[Place] = field(default_factory=set)
    by_topic: dict[str, int] = field(default_factory=dict)  # records of each topic that are published
    left_out: int = 0  # activity that was not asked for
    retained_from_ms: dict[str, int] = field(default_factory=dict)
    retention_days: int = 0  # of changes
    per_s: float | None = None  # records, as replays took lately; None: there was none to go by

    @property
    def records(self) -> int:
        return sum(self.by_topic.values())

    @property
    def about_s(self) -> int | None:
        """How long it will take, by how long others took."""
        return None if self.per_s is None else round(self.records / self.per_s)


def check_object(asked: Asked, view: IntegrationView) -> None:
    """That the object is of a type that is mapped: of a mistyped one nothing would be found. Raises NoReplay."""
    if asked.wanted is None:
        return
    named, object_type, _ = asked.wanted
    types = {mapping.object_type(system) for mapping in view.mappings.values() for system in SYSTEMS if system == named}
    if object_type not in types:
        raise NoReplay(
            f"{asked.name} maps no {object_type} of {named}; there are: {', '.join(sorted(types)) or 'none'}"
        )


class ReplayDesk:
    """What one command knows of replays."""

    def __init__(self, process: Process, tables: TableReader) -> None:
        self._process = process
        self._tables = tables
        self._admin = process.admin()

    @property
    def rows(self) -> Mapping[str, Replay]:
        return {key: row for key, row in self._tables.table(REPLAYS).items() if isinstance(row, Replay)}

    def row(self, replay_id: str) -> Replay:
        """Raises NoReplay."""
        if replay_id not in self.rows:
            raise NoReplay(f"no replay {replay_id}: `pairstream replay status` shows those there were")
        return self.rows[replay_id]

    def newest(self, replay_id: str) -> Replay:
        """Its row as it is on the brokers by now; blocks."""
        value = latest_row(self._process.cluster, REPLAYS, self._process.settings.partitions, replay_id)
        row = None if value is None else self._process.codec.decode(REPLAYS, value)
        return row if isinstance(row, Replay) else self.row(replay_id)

    def check(self, name: str) -> None:
        """That there is such an integration. Raises OperationRefused."""
        known(self._tables.table(INTEGRATIONS), name)

    def view(self, name: str, edited: tuple[ObjectMapping, ...] | None = None) -> IntegrationView:
        """The integration as it is in force, or would be with other mappings. Raises OperationRefused."""
        self.check(name)
        configuration = Configuration()
        mappings, parts = self._tables.table(MAPPINGS), self._tables.table(INTEGRATIONS)
        if edited is not None:
            mappings, parts = as_applied(name, edited, mappings, parts)
        for topic, rows in ((MAPPINGS, mappings), (INTEGRATIONS, parts)):
            for key, record in rows.items():
                configuration.apply(topic, key, record)
        view = configuration.view(name)
        if view is None or not view.connected:
            raise NoReplay(f"{name} is disconnected: its records belong to no connection that is in force")
        return view

    def new_row(self, asked: Asked) -> Replay:
        """The row of a replay that has not begun; blocks. Raises NoReplay."""
        view, topics = self.view(asked.name, asked.edited), topics_of(asked)
        if asked.mapping is not None and asked.mapping not in view.mappings:
            names = ", ".join(sorted(view.mappings))
            raise NoReplay(f"{asked.name} has no mapping {asked.mapping}; there are: {names}")
        check_object(asked, view)
        ends = offsets(asked.end or Position(end=True), topics, self._admin)
        begins = offsets(asked.begin or Position(), topics, self._admin)
        begins = {place: min(at, ends[place]) for place, at in begins.items()}
        at_ms = now_ms()
        return Replay(
            replay_id=run_id_at(at_ms, uuid.uuid4().hex[:4]),
            integration=asked.name,
            connection=view.connection,
            state="running",
            by=who(),
            started_at_ms=at_ms,
            updated_at_ms=at_ms,
            topics=topics,
            begins=named_places(begins),
            ends=named_places(ends),
            reached=named_places(begins),
            before=named_places(self._admin.end_offsets(SEEN)),
            mapping=asked.mapping,
            object_key=None if asked.wanted is None else object_key(asked.name, view.connection, *asked.wanted),
        )

    def choice(self, row: Replay, view: IntegrationView) -> Choice:
        """Which records the replay takes. Raises NoReplay where its connection is over."""
        if view.connection != row.connection:
            raise NoReplay(f"{row.integration} was connected anew: the records of before belong to other accounts")
        mappings = [one for one in view.mappings.values() if row.mapping in (None, one.name)]
        types = frozenset((system, one.object_type(system)) for one in mappings for system in SYSTEMS)
        return Choice(row.integration, row.connection, types, row.object_key)

    def plan(self, row: Replay, edited: tuple[ObjectMapping, ...] | None = None) -> Planned:
        """Read what is chosen and rehearse what is not published yet, by `edited` mappings where given; blocks."""
        view = self.view(row.integration, edited)
        choice = self.choice(row, view)
        rehearsal = self._rehearsal(row, view)
        planned = Planned(row, view, rehearsal.found, retention_days=self._process.settings.changes_retention_days)
        reached = places(row.reached)
        for found, record in self._chosen(row, choice):
            sent = again(found, record)
            cause = getattr(sent, "caused_by", None)
            if cause is not None:
                planned.causes.add((cause.topic, cause.partition, cause.offset))
            if found.offset < reached[found.topic, found.partition]:
                continue
            planned.by_topic[found.topic] = planned.by_topic.get(found.topic, 0) + 1
            if not isinstance(record, Notification):
                rehearsal.handle(found.key.decode(errors="replace"), sent)
        planned.left_out = self._activity_left_out(row, choice)
        planned.per_s = records_per_s(self.rows.values())
        planned.retained_from_ms = {topic: self._retained_from_ms(topic) for topic in row.topics}
        return planned

    def _rehearsal(self, row: Replay, view: IntegrationView) -> Rehearsal:
        process, settings = self._process, self._process.settings
        prefix = f"{row.integration}:{row.connection}:"

        def rows(topic: str) -> Rows[Any]:
            values = latest_rows(process.cluster, topic, settings.partitions, prefix, lambda *_: None)
            return Rows(values, lambda value: process.codec.decode(topic, value))

        hold_ms, interval_ms = settings.event_hold_s * 1000, settings.lookup_interval_s * 1000
        needed = set(row.topics) - set(NOTIFICATIONS)  # what notifications lead to is read from the systems first
        empty: Rows[Any] = Rows({}, lambda value: value)
        objects, pairs = (rows(OBJECTS_STATE), rows(PAIRS_STATE)) if needed else (empty, empty)
        return Rehearsal(view, objects, pairs, now_ms(), hold_ms, interval_ms)

    def _chosen(self, row: Replay, choice: Choice) -> Iterator[tuple[Found, Any]]:
        begins, ends = places(row.begins), places(row.ends)
        for found in read_to_end(self._process.cluster, begins, ends):
            record = decoded(found, self._process.codec)
            if choice.takes(record, found.headers):
                yield found, record

    def _activity_left_out(self, row: Replay, choice: Choice) -> int:
        """Activity between the same times that was not asked for; all that is retained where offsets were named."""
        if USERFLOW_ACTIVITY in row.topics or not set(row.topics) & set(CHANGES):
            return 0
        process = self._process
        begins = dict.fromkeys(self._admin.end_offsets([USERFLOW_ACTIVITY]), 0)
        found = read_to_end(process.cluster, begins)
        return sum(1 for one in found if choice.takes(decoded(one, process.codec), one.headers))

    def _retained_from_ms(self, topic: str) -> int:
        """When the oldest record of a topic was written; 0 where it holds none."""
        begins = self._admin.begin_offsets([topic])
        ends = self._admin.end_offsets([topic])
        spans: dict[TopicAndPartition, int] = {place: at for place, at in begins.items() if at < ends[place]}
        first = {place: min(at + 1, ends[place]) for place, at in spans.items()}
        return min((one.at_ms for one in read_to_end(self._process.cluster, spans, first)), default=0)


def topics_of(asked: Asked) -> tuple[str, ...]:
    """Raises NoReplay for a topic whose records are not to be handled twice."""
    topics = asked.topics or CHANGES
    for topic in topics:
        if topic not in REPLAYABLE:
            why = WHY_NOT.get(
                topic, "its records are what others lead to" if topic in TOPICS else "there is no such topic"
            )
            raise NoReplay(f"{topic} cannot be replayed: {why}. Fix: name one of {', '.join(REPLAYABLE)}")
    if asked.wanted is not None and set(topics) & set(NOTIFICATIONS):
        raise NoReplay("one notification tells of many objects. Fix: leave out --object, or replay changes")
    return (*topics, USERFLOW_ACTIVITY) if asked.activity and USERFLOW_ACTIVITY not in topics else tuple(topics)
