"""Makes and checks topics by the table in `schemas/topics.py`, and asks the brokers for offsets and lag."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined] # confluent_kafka does not list what it exports
    AdminClient,
    AlterConfigOpType,
    ClusterMetadata,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from connectors.kafka.cluster import Cluster
from connectors.kafka.groups import BrokersUnreachable, ConsumerGroup
from connectors.kafka.settings import SILENT, TIMEOUT_S, reader_config
from connectors.kafka.topic_problems import LIMIT, TopicProblem, serves, too_few
from schemas.topics import MAX_MESSAGE_BYTES, TOPICS, Topic, TopicAndPartition

BROKERS_DEFAULT: Final = -1  # replicas of a new topic
TRIES: Final = 20
PAUSE_S: Final = 0.25
LEADER_MOVES: Final = (
    *(KafkaError.UNKNOWN_LEADER_EPOCH, KafkaError.FENCED_LEADER_EPOCH),
    *(KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE),
)
"""What a broker says where it, or the client, has not heard yet who leads a partition: asked again it knows."""


class TopicsRefused(RuntimeError):
    """The brokers refuse to make, change or describe a topic; the message says why."""


class Admin:
    """The topics and groups of one installation. Every method blocks and raises BrokersUnreachable."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._admin = self._client()
        self._groups: dict[str, ConsumerGroup] = {}

    def partitions(self) -> dict[str, int]:
        """The partition count of every topic of this installation."""
        return {
            self._cluster.logical(name): len(topic.partitions)
            for name, topic in self._metadata().topics.items()
            if self._cluster.owns(name)
        }

    def _metadata(self) -> ClusterMetadata:
        try:
            return self._admin.list_topics(timeout=TIMEOUT_S)
        except KafkaException as error:
            self._begin_anew()
            servers = self._cluster.client.get("bootstrap.servers", "nowhere")
            raise BrokersUnreachable(f"{BrokersUnreachable.__doc__} ({servers})") from error

    def topic_ids(self, topics: Iterable[str]) -> dict[str, str]:
        """The brokers' own id of each of these topics that is there; one that is made anew has another."""
        names = [self._cluster.physical(topic) for topic in topics]
        answers = self._admin.describe_topics(TopicCollection(names), request_timeout=TIMEOUT_S)
        found = {}
        for name, future in answers.items():
            try:
                found[self._cluster.logical(name)] = str(future.result(TIMEOUT_S).topic_id)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    self._begin_anew()
                    raise BrokersUnreachable(f"{name}: {error.args[0].str()}") from error
            except TimeoutError as error:
                self._begin_anew()
                raise BrokersUnreachable(f"{name}: no answer within {TIMEOUT_S:.0f} s") from error
        return found

    def message_limit(self) -> int:
        """The least number of bytes that any topic of ours takes at once, as the brokers have it in force now."""
        present = self.partitions()
        names = [self._cluster.physical(name) for name in TOPICS if name in present]
        values = [settings[LIMIT].value for settings in self._settings(names).values() if LIMIT in settings]
        return min([MAX_MESSAGE_BYTES, *(int(value) for value in values if value)])

    def check_topics(
        self, partitions: int, changes_retention_days: int | None = None, *, replication: int | None = None
    ) -> list[TopicProblem]:
        """Every difference between the brokers and the table; `replication` None: the brokers' own default."""
        present = self.partitions()
        missing = [name for name in TOPICS if name not in present]
        problems = [TopicProblem(self._cluster.physical(name), "does not exist", missing=True) for name in missing]
        for name in TOPICS:
            if name in present and present[name] != partitions:
                said = f"has {present[name]} partitions, PAIRSTREAM_PARTITIONS says {partitions}"
                problems.append(TopicProblem(self._cluster.physical(name), said))
        problems += self._replication_problems(replication)
        return problems + self._setting_problems([name for name in TOPICS if name in present], changes_retention_days)

    def _replication_problems(self, wanted: int | None) -> list[TopicProblem]:
        metadata = self._metadata()
        if wanted is None:
            wanted = self._default_replication(str(metadata.controller_id))
        wanting = {self._cluster.physical(name) for name in TOPICS}
        ours = {name: topic for name, topic in metadata.topics.items() if name in wanting}
        found = {name: min(len(one.replicas) for one in topic.partitions.values()) for name, topic in ours.items()}
        return [TopicProblem(name, too_few(there, wanted)) for name, there in found.items() if there < wanted]

    def _default_replication(self, broker: str) -> int:
        (answer,) = self._admin.describe_configs([ConfigResource(ResourceType.BROKER, broker)]).values()
        with _refusals("the brokers' default replication"):
            return int(answer.result(TIMEOUT_S)["default.replication.factor"].value)

    def apply_topics(
        self, partitions: int, replication: int | None = None, changes_retention_days: int | None = None
    ) -> list[str]:
        """Make missing topics and mend their settings; returns what was done. Raises TopicsRefused.

        Partition and replica counts of what is there are never changed. `replication` None: the brokers' own default.
        """
        problems = self.check_topics(partitions, changes_retention_days, replication=replication)
        missing = [problem.topic for problem in problems if problem.missing]
        for name in missing:
            self._create(name, partitions, replication, changes_retention_days)
        self._wait_until_known(missing)
        mended = [problem for problem in problems if problem.setting]
        for problem in mended:
            wanted = self._table_row(problem.topic).broker_settings(changes_retention_days)
            self._alter(problem.topic, {problem.setting: wanted[problem.setting]})
        made = [f"{name}: made with {partitions} partitions" for name in missing]
        return made + [f"{problem.topic}: {problem.message}, mended" for problem in mended]

    def _wait_until_known(self, topics: list[str]) -> None:
        """Wait until every broker knows the new topics: a client that comes at once would not find them."""
        deadline = time.monotonic() + TIMEOUT_S
        while not set(map(self._cluster.logical, topics)) <= self.partitions().keys():
            if time.monotonic() > deadline:
                raise BrokersUnreachable(f"topics were made but are not known after {TIMEOUT_S:.0f} s")
            time.sleep(0.05)

    def end_offsets(self, topics: Iterable[str]) -> dict[TopicAndPartition, int]:
        """The end offset of every partition, as a reader of committed records sees it."""
        return self._offsets(self._places(topics), OffsetSpec.latest())  # type: ignore[no-untyped-call]

    def begin_offsets(self, topics: Iterable[str]) -> dict[TopicAndPartition, int]:
        """The offset of the first record of every partition that retention has left."""
        return self._offsets(self._places(topics), OffsetSpec.earliest())  # type: ignore[no-untyped-call]

    def offsets_at(self, topics: Iterable[str], at_ms: int) -> dict[TopicAndPartition, int]:
        """The offset of the first record of every partition that is as young; partitions without one are left out."""
        found = self._offsets(self._places(topics), OffsetSpec.for_timestamp(at_ms))
        return {place: offset for place, offset in found.items() if offset >= 0}

    def _places(self, topics: Iterable[str]) -> list[TopicAndPartition]:
        partitions = self.partitions()
        return [(topic, number) for topic in topics for number in range(partitions[topic])]

    def _offsets(self, places: Iterable[TopicAndPartition], which: OffsetSpec) -> dict[TopicAndPartition, int]:
        asked = {self._physical(place): which for place in places}
        for left in reversed(range(TRIES)):
            try:
                answers = self._admin.list_offsets(asked, request_timeout=TIMEOUT_S)
                return {
                    (self._cluster.logical(place.topic), place.partition): future.result().offset
                    for place, future in answers.items()
                }
            except KafkaException as error:
                self._begin_anew()
                if not left or error.args[0].code() not in LEADER_MOVES:
                    raise BrokersUnreachable(f"offsets: {error.args[0].str()}") from error
                time.sleep(PAUSE_S)
        raise AssertionError("the last try returns or raises")

    def _begin_anew(self) -> None:
        """The next call is a new client's.

        This one may go on naming the leaders of before a broker was restarted, or know no broker (`lifeline.py`).
        """
        self._admin = self._client()

    def _client(self) -> AdminClient:
        return AdminClient({**self._cluster.client, "log_level": SILENT})

    def committed(self, group: str, topics: Iterable[str]) -> dict[TopicAndPartition, int]:
        """The committed offset of every partition; 0 where the group has none."""
        places = self._places(topics)
        return dict.fromkeys(places, 0) | self._group(group).committed(places)

    def _group(self, name: str) -> ConsumerGroup:
        if name not in self._groups:
            self._groups[name] = ConsumerGroup(self._cluster, name)
        return self._groups[name]

    def lag(self, group: str, topics: Iterable[str]) -> dict[TopicAndPartition, int]:
        """Offsets between a group and the end of each partition; transaction markers count too.

        A group that was away for long has lost its offsets, and retention the records that it would have begun with.
        """
        wanted = tuple(topics)
        committed, ends = self.committed(group, wanted), self.end_offsets(wanted)
        begun = self._begun(committed, ends)
        return {place: max(end - begun[place], 0) for place, end in ends.items()}

    def positions(
        self, groups: Mapping[str, Iterable[TopicAndPartition]]
    ) -> tuple[dict[TopicAndPartition, int], dict[str, dict[TopicAndPartition, int]]]:
        """The ends of all these places, and where each group goes on in its own; no metadata is asked for.

        A group that has lost its offsets goes on at what retention has left.
        """
        places = {group: tuple(wanted) for group, wanted in groups.items()}
        every = tuple({place: None for wanted in places.values() for place in wanted})
        committed = {group: self._group(group).committed(wanted) for group, wanted in places.items()}
        ends = self._offsets(every, OffsetSpec.latest())  # type: ignore[no-untyped-call]
        lost = {(group, one) for group, wanted in places.items() for one in wanted if one not in committed[group]}
        begun = {place for _, place in lost if ends[place] > 0}
        first = self._offsets(begun, OffsetSpec.earliest()) if begun else {}  # type: ignore[no-untyped-call]
        for group, place in lost:
            committed[group][place] = first.get(place, 0)
        return ends, committed

    def unread(self, group: str, topics: Iterable[str]) -> dict[TopicAndPartition, int]:
        """Partitions that hold records a group has not committed, judged by reading: markers are no records."""
        committed = self.committed(group, tuple(topics))
        behind = {place: lag for place, lag in self.lag(group, topics).items() if lag > 0}
        holding = self.holding_after({place: committed.get(place, 0) for place in behind}) if behind else set()
        return {place: lag for place, lag in behind.items() if place in holding}

    def not_passed(self, group: str, ends: Mapping[TopicAndPartition, int]) -> dict[TopicAndPartition, int]:
        """Offsets before each of these ends that the group has not committed; where only markers are left, none.

        A transaction that is under way counts as records.
        """
        committed = dict.fromkeys(ends, 0) | self._group(group).committed(ends) if ends else {}
        begun = self._begun(committed, ends)
        left = {place: end - begun[place] for place, end in ends.items() if end > begun[place]}
        holding = self._reads({place: (begun[place], ends[place]) for place in left}, lambda *_: True)
        return {place: offsets for place, offsets in left.items() if place in holding}

    def any_between(
        self, spans: Mapping[TopicAndPartition, tuple[int, int]], wanted: Callable[[str, bytes | None], bool]
    ) -> bool:
        """Whether a record between two offsets is wanted, by its topic and value; stops at the first.

        One of a transaction that is under way may be.
        """
        return bool(self._reads(spans, wanted, first=True))

    def _begun(
        self, committed: Mapping[TopicAndPartition, int], ends: Mapping[TopicAndPartition, int]
    ) -> dict[TopicAndPartition, int]:
        """Where a group goes on in each partition that ends there: not before what retention has left."""
        unbegun = [place for place, end in ends.items() if end > 0 and committed[place] == 0]
        first = self._offsets(unbegun, OffsetSpec.earliest()) if unbegun else {}  # type: ignore[no-untyped-call]
        return {place: max(committed[place], first.get(place, 0)) for place in ends}

    def _reads(
        self,
        spans: Mapping[TopicAndPartition, tuple[int, int]],
        wanted: Callable[[str, bytes | None], bool],
        *,
        first: bool = False,
    ) -> set[TopicAndPartition]:
        """Partitions with a wanted record in their span, one record of each; the first of all of them with `first`."""
        holding, left = set[TopicAndPartition](), set(spans)
        if not left:
            return holding
        consumer = Consumer(reader_config(self._cluster))
        try:
            consumer.assign([self._physical(place, begin) for place, (begin, _) in spans.items()])
            while left and not (first and holding):
                message = consumer.poll(TIMEOUT_S)
                if message is None:
                    raise BrokersUnreachable(f"{len(left)} partitions are not read within {TIMEOUT_S:.0f} s")
                place, error = (self._cluster.logical(message.topic() or ""), message.partition() or 0), message.error()
                if place not in left:
                    continue
                reached = message.offset() or 0
                if error is not None and error.code() == KafkaError._PARTITION_EOF:
                    left.discard(place)
                    # what is committed may end earlier: a transaction, or its marker, is under way
                    if reached < spans[place][1]:
                        holding.add(place)
                elif error is not None:
                    continue
                elif reached >= spans[place][1]:
                    left.discard(place)
                elif wanted(place[0], message.value()):
                    holding.add(place)
                    left.discard(place)
            return holding
        finally:
            consumer.close()

    def holding_after(self, offsets: Mapping[TopicAndPartition, int]) -> set[TopicAndPartition]:
        """Partitions with a committed record after these offsets, read until a record or the end comes."""
        consumer = Consumer(reader_config(self._cluster))
        left, holding = set(offsets), set[TopicAndPartition]()
        try:
            consumer.assign([self._physical(place, offset) for place, offset in offsets.items()])
            while left:
                message = consumer.poll(TIMEOUT_S)
                if message is None:
                    return holding | left
                place = (self._cluster.logical(message.topic() or ""), message.partition() or 0)
                error = message.error()
                if error is None and place in left:
                    holding.add(place)
                if error is None or error.code() == KafkaError._PARTITION_EOF:
                    left.discard(place)
            return holding
        finally:
            consumer.close()

    def _physical(self, place: TopicAndPartition, offset: int = OFFSET_INVALID) -> TopicPartition:
        topic, number = place
        return TopicPartition(self._cluster.physical(topic), number, offset)

    def _table_row(self, physical: str) -> Topic:
        return TOPICS[self._cluster.logical(physical)]

    def _setting_problems(self, topics: list[str], changes_retention_days: int | None) -> list[TopicProblem]:
        problems = []
        for name, present in self._settings([self._cluster.physical(topic) for topic in topics]).items():
            for setting, wanted in self._table_row(name).broker_settings(changes_retention_days).items():
                if setting in present and not serves(setting, present[setting].value, wanted):
                    told = f"{setting} is {present[setting].value}, not {wanted}"
                    problems.append(TopicProblem(name, told, setting=setting))
        return problems

    def _settings(self, physical: list[str]) -> dict[str, Mapping[str, ConfigEntry]]:
        """Every setting in force of these topics, the broker's own defaults among them."""
        if not physical:
            return {}
        answers = self._admin.describe_configs([ConfigResource(ResourceType.TOPIC, name) for name in physical])
        try:
            return {resource.name: future.result(TIMEOUT_S) for resource, future in answers.items()}
        except (KafkaException, TimeoutError) as error:
            raise BrokersUnreachable(f"topic settings are not told: {error}") from error

    def _create(self, name: str, partitions: int, replication: int | None, changes_retention_days: int | None) -> None:
        settings = self._table_row(name).broker_settings(changes_retention_days)
        topic = NewTopic(name, partitions, BROKERS_DEFAULT if replication is None else replication, config=settings)
        for future in self._admin.create_topics([topic], request_timeout=TIMEOUT_S).values():
            with _refusals(f"{name} cannot be made"):
                future.result(TIMEOUT_S)

    def _alter(self, name: str, settings: Mapping[str, str]) -> None:
        """Set these and leave every other setting alone: min.insync.replicas, for one, belongs to the operator."""
        entries = [
            ConfigEntry(setting, value, incremental_operation=AlterConfigOpType.SET)
            for setting, value in settings.items()
        ]
        resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries)
        for future in self._admin.incremental_alter_configs([resource]).values():
            with _refusals(f"{name} cannot be changed"):
                future.result(TIMEOUT_S)


@contextmanager
def _refusals(what: str) -> Iterator[None]:
    """What the brokers refuse within, as TopicsRefused."""
    try:
        yield
    except KafkaException as error:
        raise TopicsRefused(f"{what}: {error.args[0].str()}") from error
