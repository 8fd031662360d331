"""Changing the partition count: copy every topic, prove the copies, then make the topics anew from them.

Kafka only adds partitions, and a key then stands elsewhere than its state. So each topic is deleted and made anew, from
a copy that was proven before the first deletion (decision 0035). A crash costs a repeat of the step it fell into.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from connectors.kafka.admin import Admin
from connectors.kafka.cluster import Cluster
from connectors.kafka.groups import BrokersUnreachable, ConsumerGroup
from connectors.kafka.moving import Handled, Made, Mover, NotMoved, Shape
from connectors.kafka.reading import read_to_end
from connectors.kafka.topology import STAGE_TOPICS, groups_of, handled_group, transactional_ids
from connectors.kafka.transactions import Produced, TransactionalWriter, TransactionFailed
from pipeline.operations.moved_topics import JOURNAL, KEY, Journal, RepartitionRefused, TopicWork, moved, staged
from pipeline.operations.stop_check import Installation
from schemas.records import StateCommand
from schemas.topics import STATE_COMMANDS, TOPICS, WORKER_GROUP, Topic, TopicAndPartition

TRANSACTIONAL_ID: Final = "pairstream-repartition"
GROUP: Final = "pairstream-repartition"
"""A transaction wants a group's name; nothing is committed for it."""

Say = Callable[[str], None]


class TakenOver(RepartitionRefused):
    """Somebody else goes on with this change: this one does nothing more."""


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """What is known of a topic before it is copied."""

    shape: Shape
    records: int  # at most: offsets, which markers and older rows count too
    left: int  # of them, those that some group has not handled; markers among them


def plan(installation: Installation, mover: Mover) -> dict[str, TopicPlan]:
    """What there is of every topic. Raises RepartitionRefused where one is missing."""
    shapes, admin = mover.shapes(TOPICS), installation.admin
    if missing := [name for name in TOPICS if name not in shapes]:
        raise RepartitionRefused(f"{', '.join(missing)}: not there. Fix: `pairstream topics apply`")
    begins, ends = admin.begin_offsets(TOPICS), admin.end_offsets(TOPICS)
    found = {}
    for name, shape in shapes.items():
        places = [(name, number) for number in range(shape.partitions)]
        handled = positions(admin, name, shape.partitions) if groups_of(name) else {}
        lowest = {place: max(min(handled.get(place[1], {"": ends[place]}).values()), begins[place]) for place in places}
        found[name] = TopicPlan(
            shape,
            sum(ends[place] - begins[place] for place in places),
            sum(max(ends[place] - lowest[place], 0) for place in places),
        )
    return found


def positions(admin: Admin, topic: str, partitions: int) -> Handled:
    """By partition and taker (a stage of the worker, or a connector's group): where it goes on."""
    if groups_of(topic) == (WORKER_GROUP,):
        shared = admin.committed(WORKER_GROUP, [topic])
        own = {
            stage: admin.committed(handled_group(stage), [topic])
            for stage, topics in STAGE_TOPICS.items()
            if topic in topics
        }
        return {
            number: {stage: max(shared[topic, number], found[topic, number]) for stage, found in own.items()}
            for number in range(partitions)
        }
    committed = {group: admin.committed(group, [topic]) for group in groups_of(topic)}
    return {number: {group: at[topic, number] for group, at in committed.items()} for number in range(partitions)}


def waiting_commands(installation: Installation, handled: Handled) -> Iterator[str]:
    """Commands to a whole partition that some stage has not handled: they mean the rows that it holds now."""
    begins: dict[TopicAndPartition, int] = {
        (STATE_COMMANDS, number): min(stages.values()) for number, stages in handled.items()
    }
    for one in read_to_end(installation.cluster, begins):
        record = installation.codec.decode(STATE_COMMANDS, one.value or b"")
        if isinstance(record, StateCommand) and record.object_key is None:
            yield f"{one.place} ({record.kind}) waits: start a worker until `pairstream lag` shows nothing before it"


def fenced_ids(partitions: int) -> Iterator[str]:
    """The transactional ids of the worker's stages."""
    return (f"{transactional_ids(stage)}{number}" for stage in STAGE_TOPICS for number in range(partitions))


class Repartition:
    """One change, from wherever the journal says it stands. Every method blocks.

    `still` raises where something runs, or has begun to.
    """

    def __init__(self, installation: Installation, mover: Mover, still: Callable[[], None], say: Say) -> None:
        self._installation = installation
        self._cluster: Cluster = installation.cluster
        self._mover = mover
        self._still = still
        self._say = say
        # who opens it fences whoever was at the change before
        self._writer = TransactionalWriter(self._cluster, TRANSACTIONAL_ID, ConsumerGroup(self._cluster, GROUP))

    def begin(self, journal: Journal, topics: Mapping[str, TopicPlan]) -> Journal:
        """Copy all and prove the copies; the topics are as they were. Raises RepartitionRefused, all taken back."""
        self._mover.remove([*map(staged, TOPICS), JOURNAL])
        self._mover.make(JOURNAL, Shape(1, max(one.shape.replicas for one in topics.values()), {}))
        self._write(journal)
        try:
            return self._copied(journal, topics)
        except TakenOver:
            raise
        except (RepartitionRefused, NotMoved):
            self.abandon(journal)
            raise

    def _copied(self, journal: Journal, topics: Mapping[str, TopicPlan]) -> Journal:
        counts = {name: one.shape.partitions for name, one in topics.items()}
        self._still()  # what wanted to start since has seen the journal
        self._mover.fence(fenced_ids(max(counts.values())))
        ends = self._mover.ends(counts)
        works = {}
        for name, one in topics.items():
            empty = not any(ends[name, number] for number in range(one.shape.partitions))
            if empty or not moved(name):
                nothing = dict.fromkeys(_groups(name), (0,) * journal.after)
                works[name] = TopicWork(0, nothing, one.shape.replicas, one.shape.settings)
            else:
                works[name] = self._copy(TOPICS[name], one.shape, journal.after)
        self._still()
        if (now := self._mover.ends(counts)) != ends:
            names = sorted({place[0] for place in ends if now[place] != ends[place]})
            raise RepartitionRefused(f"somebody wrote to {', '.join(names)} meanwhile; everything is as it was")
        switching = replace(journal, phase="switching", topics=works)
        self._write(switching)
        return switching

    def _copy(self, topic: Topic, shape: Shape, after: int) -> TopicWork:
        mover, name, counts = self._mover, topic.name, (shape.partitions, after)
        mover.make(staged(name), Shape(after, shape.replicas, shape.settings))
        if topic.compacted or topic.retention_days is None:
            made = mover.spread_newest(name, staged(name), counts, _nothing)
        else:
            handled = positions(self._installation.admin, name, shape.partitions)
            made = mover.spread(name, staged(name), counts, handled, _nothing)
        found = mover.tally(staged(name), after, shape.partitions, made.tally.strays)
        if not found.same_as(made.tally):
            raise NotMoved(f"{staged(name)}: {found.records} records, {made.tally.records} were copied; or others")
        self._say(f"  {name:<26} {made.tally.records:>11,} records copied and proven")
        return TopicWork(made.tally.records, _goes_on(name, made, after), shape.replicas, shape.settings)

    def switch(self, journal: Journal) -> None:
        """Make every topic anew from its copy, say where the groups go on, and clear away. May be repeated."""
        for name, work in journal.topics.items():
            if work.done:
                continue
            self._write(journal)  # whoever was fenced deletes nothing
            self._anew(name, work, journal.after)
            journal = journal.with_done(name)
        self._write(journal)
        self._mover.commit(_offsets(journal))
        self._mover.remove([*map(staged, TOPICS)])
        self._mover.remove([JOURNAL])

    def _anew(self, name: str, work: TopicWork, after: int) -> None:
        mover = self._mover
        mover.remove([name])
        mover.make(name, Shape(after, work.replicas, work.settings))
        if work.records:
            copied = mover.duplicate(staged(name), name, after, _nothing)
            if copied.records != work.records:
                raise NotMoved(
                    f"{staged(name)} holds {copied.records} of {work.records} records: nothing more is deleted"
                )
            if not mover.tally(name, after, None, set()).same_as(copied):
                raise NotMoved(f"{name} is not what its copy holds: run the command again")
        mover.finish(name, work.settings)
        self._say(f"  {name:<26} {after} partitions, {work.records:,} records")

    def abandon(self, journal: Journal) -> None:
        """Throw the copies away; only while the topics are as they were."""
        self._write(journal)
        self._mover.remove([*map(staged, TOPICS)])
        self._mover.remove([JOURNAL])

    def _write(self, journal: Journal) -> None:
        try:
            self._writer.write([Produced(JOURNAL, KEY, journal.encoded())], {})
        except TransactionFailed as error:
            if error.fenced:
                raise TakenOver("somebody else goes on with this change: nothing more was done here") from error
            raise BrokersUnreachable(f"{JOURNAL}: {error}") from error


def _nothing() -> None: ...


def _groups(topic: str) -> tuple[str, ...]:
    """Every group that keeps a place in a topic."""
    stages = tuple(handled_group(stage) for stage, topics in STAGE_TOPICS.items() if topic in topics)
    return (*groups_of(topic), *stages)


def _goes_on(topic: str, made: Made, after: int) -> dict[str, tuple[int, ...]]:
    return dict.fromkeys(_groups(topic), made.handled or (0,) * after)


def _offsets(journal: Journal) -> dict[str, dict[TopicAndPartition, int]]:
    found: dict[str, dict[TopicAndPartition, int]] = {}
    for name, work in journal.topics.items():
        for group, offsets in work.handled.items():
            found.setdefault(group, {}).update({(name, number): at for number, at in enumerate(offsets)})
    return found
