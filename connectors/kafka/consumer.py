"""A static member of a consumer group: polls on a thread, hands records to an asyncio loop, commits in any order."""

import asyncio
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from connectors.kafka.beginnings import beginnings
from connectors.kafka.bounded import within
from connectors.kafka.cluster import Cluster
from connectors.kafka.commits import Commits
from connectors.kafka.first_offsets import FirstOffsets
from connectors.kafka.joining import Joining
from connectors.kafka.lifeline import Lifeline, Stranded
from connectors.kafka.offsets import OffsetTracker
from connectors.kafka.producer import PublishFailed
from connectors.kafka.rejoining import is_fatal, may_join_anew
from connectors.kafka.settings import HEARTBEAT_INTERVAL_MS, SESSION_TIMEOUT_MS, member_config
from schemas.copies import is_copy
from schemas.redrives import Redriven, redriven
from schemas.topics import TopicAndPartition

log = logging.getLogger(__name__)

POLL_S: Final = 0.2
BATCH_RECORDS: Final = 500
COMMIT_INTERVAL_S: Final = 0.1
MOST_UNFINISHED: Final = 100_000  # of all partitions: a bound for memory
MOST_OF_ONE: Final = 20_000
"""Of one partition: two integrations whose vendor takes eight patches a second hold so many for half an hour, and those
of other partitions are not to wait for them."""
DRAIN_S: Final = 8.0
LAST_COMMIT_S: Final = 3.0  # of partitions that are given back
CLOSE_S: Final = 3.0
# A process that slept through most of its session may have been replaced: it learns so within two heartbeats.
SLEPT_S: Final = SESSION_TIMEOUT_MS / 1000 * 0.5
LOOK_FOR_LOST_S: Final = 5.0
SETTLE_S: Final = HEARTBEAT_INTERVAL_MS / 1000 * 2


@dataclass(frozen=True, slots=True)
class Taken:
    """One record as it was taken; `finished` is called once it has an outcome."""

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes
    finished: Callable[[], None]
    redriven: Redriven | None = None  # it was published again from its dead letter


@dataclass(frozen=True, slots=True)
class Hooks:
    """The callbacks of a member's owner, called on the owner's loop."""

    taken: Callable[[Sequence[Taken]], None]
    assigned: Callable[[frozenset[int]], None]  # all partitions owned now
    revoked: Callable[[frozenset[int]], Coroutine[Any, Any, None]]  # calls in flight for them end before this returns
    failed: Callable[[BaseException], None]
    # records that retention took before they were read: topic, partition, from, to; on the member's thread, may block
    lost: Callable[[str, int, int, int], None]


class GroupMember:
    """Owns the same partitions of every topic, or does nothing and says so."""

    def __init__(self, cluster: Cluster, group: str, instance: str, *, topics: Sequence[str], hooks: Hooks) -> None:
        self._cluster = cluster
        self._config = member_config(cluster, group, instance)
        self._lifeline, self._consumer = self._opened()
        self._opened_at = self._heard = time.monotonic()
        self._joining = Joining(cluster, cluster.physical(topics[0]))
        self._topics = tuple(map(cluster.physical, topics))
        self._hooks = hooks
        self._loop = asyncio.get_running_loop()
        self._tracker = OffsetTracker()
        self._commits = Commits(self._tracker)
        self._fatal: KafkaError | None = None  # what a commit was answered
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._held: set[TopicAndPartition] = set()
        self._assignments = 0  # how often what is held changed
        self._owned: frozenset[int] = frozenset()
        self._next: dict[TopicAndPartition, int] = {}  # the next offset to be taken of each place held
        self._paused: set[TopicAndPartition] = set()
        self._settled_at = self._looked_at = 0.0
        self._firsts = FirstOffsets(cluster)
        self._thread = threading.Thread(target=self._run, name=f"member {group}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    async def stop(self) -> None:
        """Give back all partitions once calls in flight have ended; the group keeps our place for the session."""
        self._stopped.set()
        await asyncio.to_thread(self._thread.join)

    def owns(self, partition: int) -> bool:
        """Whether a write for this partition's integrations may go out now: assigned, and not just woken from sleep."""
        now = time.monotonic()
        return partition in self._owned and now - self._heard < SLEPT_S and now >= self._settled_at

    @property
    def owned(self) -> frozenset[int]:
        return self._owned

    @property
    def assignments(self) -> int:
        """How often partitions came or went: what was taken before the last time is taken again by its owner."""
        return self._assignments

    def reached(self) -> Mapping[TopicAndPartition, int]:
        """The next offset to be taken of each owned topic and partition; none while taking is held back."""
        with self._lock:
            places = {place: at for place, at in self._next.items() if place not in self._paused}
        return {(self._cluster.logical(topic), n): at for (topic, n), at in places.items() if n in self._owned}

    def _opened(self) -> tuple[Lifeline, Consumer]:
        lifeline = Lifeline()
        return lifeline, Consumer({**self._config, "on_commit": partial(self._answered, lifeline), **lifeline.config})

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                try:
                    self._work()
                except (Stranded, KafkaException) as error:
                    self._join_anew(error)
            self._give_back(frozenset(self._held))
        except Exception as error:  # noqa: BLE001 - the thread's edge: the owner ends the process
            self._loop.call_soon_threadsafe(self._hooks.failed, error)
        finally:
            self._close()

    def _work(self) -> None:
        """Take and commit until stopped."""
        self._consumer.subscribe(list(self._topics), on_assign=self._assign, on_revoke=self._revoke, on_lost=self._lost)
        committed_at = time.monotonic()
        while not self._stopped.is_set():
            self._take()
            self._lifeline.check()
            self._joining.check()
            self._look_for_lost()
            if time.monotonic() - committed_at > COMMIT_INTERVAL_S:
                committed_at = time.monotonic()
                self._commit()
                self._hold_back()

    def _join_anew(self, error: Stranded | KafkaException) -> None:
        """By another consumer; raises the error where this one may not be replaced."""
        held, now = frozenset(self._held), time.monotonic()
        if not may_join_anew(error, held=bool(held), slept=now < self._settled_at, opened_s=now - self._opened_at):
            raise error
        log.warning("the group is joined anew, by another client: %s", error)
        useless = self._consumer
        if held:
            self._lose(held)
        self._lifeline, self._consumer, self._fatal = *self._opened(), None
        self._opened_at = self._heard = time.monotonic()
        self._joining.begin()
        threading.Thread(target=useless.close, name="end of a member", daemon=True).start()

    def _close(self) -> None:
        """Closing waits for commits under way, which brokers that are away never answer."""
        try:
            within(CLOSE_S, self._consumer.close, "close")
        except TimeoutError:
            log.warning("the group was not left within %.0f s: it waits for this process for its session", CLOSE_S)

    def _take(self) -> None:
        first = self._consumer.poll(POLL_S if not self._tracker.unfinished else COMMIT_INTERVAL_S / 2)
        now = time.monotonic()
        if now - self._heard > SLEPT_S:
            self._settled_at = now + SETTLE_S
            log.warning("this process slept for %.1f s: nothing is written until it is a member", now - self._heard)
        self._heard = now
        if first is None:
            return
        assignments = self._assignments
        messages = [first, *self._consumer.consume(BATCH_RECORDS - 1, 0)]
        if self._assignments != assignments:
            # partitions were given away within that call: the new owner of the first record's partition reads it again
            messages = messages[1:]
        batch = []
        for message in filter(self._is_record, messages):
            taken = self._taken(message)
            if is_copy(message.headers()):
                taken.finished()  # it was handled as what it is a copy of
            else:
                batch.append(taken)
        if batch:
            self._loop.call_soon_threadsafe(self._hooks.taken, batch)

    def _is_record(self, message: Message) -> bool:
        error = message.error()
        if error is None:
            return True
        fatal = is_fatal(error)
        if fatal or not error.retriable():
            log.warning("%s: %s", message.topic(), error.str())
        if fatal:
            raise KafkaException(error)
        return False

    def _look_for_lost(self) -> None:
        """Compare what was to be read next with what the brokers still hold, where that is in doubt.

        What is not known, or not told, is looked at again; until then nothing is committed there.
        """
        if time.monotonic() - self._looked_at < LOOK_FOR_LOST_S:
            return
        self._looked_at = time.monotonic()
        with self._lock:
            suspects = self._tracker.suspects()
        firsts = self._firsts.of(suspects) if suspects else {}
        for place, offset in suspects.items():
            certain = place in firsts and self._tell_lost(place, offset, firsts[place])
            with self._lock:
                if certain:
                    self._tracker.certain(place)
                elif place in self._held:
                    self._tracker.begins(place, offset)

    def _tell_lost(self, place: TopicAndPartition, offset: int, start: int) -> bool:
        """Whether nothing was lost from the offset on, or the brokers have the report of the loss."""
        topic, number = place
        try:
            if start > offset:
                self._hooks.lost(self._cluster.logical(topic), number, offset, start)
        except PublishFailed as error:
            log.warning("%s[%d]: that records were lost is told again later: %s", topic, number, error)
            return False
        return True

    def _taken(self, message: Message) -> Taken:
        place = (message.topic() or "", message.partition() or 0)
        offset = message.offset() or 0
        with self._lock:
            self._tracker.taken(place, offset)
            self._next[place] = offset + 1

        def finished() -> None:
            with self._lock:
                self._tracker.finished(place, offset)

        key = (message.key() or b"").decode(errors="replace")
        topic = self._cluster.logical(place[0])
        return Taken(topic, place[1], offset, key, message.value() or b"", finished, redriven(message.headers()))

    def _commit(self) -> None:
        """Hand the next commit over; a poll brings its answer, and nothing here waits for it.

        A call that waits knows no time-out: after a pause of the brokers one waited for 75 s, and nobody polled.
        """
        if self._fatal is not None:
            raise KafkaException(self._fatal)
        with self._lock:
            commit = self._commits.next(time.monotonic())
        if commit is None:
            return
        try:
            self._consumer.commit(offsets=_places(commit.offsets, str(commit.number)), asynchronous=True)
        except KafkaException as error:
            self._refused(error.args[0])
            with self._lock:
                self._commits.answered(commit.number, {})

    def _answered(self, asked: Lifeline, error: KafkaError | None, places: list[TopicPartition]) -> None:
        """What became of a commit; called within a poll."""
        if asked is not self._lifeline:
            return  # by a client that was given up
        refused = error or next((place.error for place in places if place.error is not None), None)
        if refused is not None:
            self._refused(refused)
        taken = {(place.topic, place.partition): place.offset for place in places if place.error is None}
        number = int(places[0].metadata or 0) if places else 0
        with self._lock:
            self._commits.answered(number, {} if error is not None else taken)

    def _refused(self, error: KafkaError) -> None:
        """A rebalance may be under way: a later commit loses nothing."""
        log.info("offsets were not committed: %s", error.str())
        if is_fatal(error):
            self._fatal = error

    def _commit_last(self) -> None:
        """Commit what is given back, and wait for the answer, for a while: who gets the partitions begins there."""
        with self._lock:
            offsets = self._tracker.to_commit()
        if not offsets:
            return
        commit = partial(self._consumer.commit, offsets=_places(offsets), asynchronous=False)
        try:
            within(LAST_COMMIT_S, commit, "last commit")
        except TimeoutError:
            log.warning("the last commit was not answered within %.0f s: records are handled again", LAST_COMMIT_S)
        except KafkaException as error:
            self._refused(error.args[0])

    def _hold_back(self) -> None:
        """Take no more records of a partition while too many of it are unfinished, or of any while too many are.

        Polling goes on, so the group keeps this member.
        """
        with self._lock:
            all_full = self._tracker.unfinished > MOST_UNFINISHED
            full = set(self._held) if all_full else self._tracker.crowded(MOST_OF_ONE) & self._held
        begin, end = full - self._paused, self._paused - full
        for change, places in ((self._consumer.pause, begin), (self._consumer.resume, end)):
            if places:
                change([TopicPartition(topic, number) for topic, number in places])
        self._paused = full

    def _assign(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        if consumer is not self._consumer:
            return  # it was given up
        if self._stopped.is_set():
            return consumer.assign([])  # librdkafka would assign them by itself, and the poll under way take records
        log.info("%d partitions are assigned", len(places))
        self._assignments += bool(places)
        self._joining.end()
        self._held = {(place.topic, place.partition) for place in places}
        self._paused = set()
        by_topic: dict[str, set[int]] = defaultdict(set)
        for topic, number in self._held:
            by_topic[topic].add(number)
        sets = {frozenset(by_topic[topic]) for topic in self._topics}
        if len(sets) > 1:
            log.error(
                "partitions differ between %s: nothing is done until `pairstream topics check` is clean "
                "and every member has the same topic list",
                ", ".join(self._topics),
            )
        self._owned = next(iter(sets)) if len(sets) == 1 else frozenset()
        begun = beginnings(consumer, places, self._stopped)
        if begun is not None:
            consumer.assign(begun)
            with self._lock:
                for place in begun:
                    self._tracker.begins((place.topic, place.partition), max(place.offset, 0))
                    self._next[place.topic, place.partition] = max(place.offset, 0)
            self._looked_at = 0.0
        self._loop.call_soon_threadsafe(self._hooks.assigned, self._owned)

    def _revoke(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        if consumer is self._consumer:
            self._give_back(frozenset((place.topic, place.partition) for place in places))

    def _give_back(self, places: frozenset[TopicAndPartition]) -> None:
        """Wait for calls in flight, commit their offsets, then give the partitions back."""
        gone = frozenset(number for _, number in places)
        self._owned -= gone
        drained = asyncio.run_coroutine_threadsafe(self._hooks.revoked(gone), self._loop)
        try:
            drained.result(DRAIN_S)
        except FutureTimeout:
            log.warning("calls in flight did not end within %.0f s: their records are handled again", DRAIN_S)
        self._commit_last()
        self._drop(places)

    def _lost(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        if consumer is self._consumer:
            log.info("%d partitions were lost: this process was not heard of for the time of its session", len(places))
            self._lose(frozenset((place.topic, place.partition) for place in places))

    def _lose(self, lost: frozenset[TopicAndPartition]) -> None:
        """Another member may have the partitions already: nothing may be committed or written any more."""
        gone = frozenset(number for _, number in lost)
        self._owned -= gone
        self._drop(lost)
        asyncio.run_coroutine_threadsafe(self._hooks.revoked(gone), self._loop).add_done_callback(self._let_go)

    def _let_go(self, finished: Future[None]) -> None:
        if not finished.cancelled() and (error := finished.exception()) is not None:
            self._loop.call_soon_threadsafe(self._hooks.failed, error)

    def _drop(self, places: frozenset[TopicAndPartition]) -> None:
        self._assignments += bool(places)
        self._joining.begin()
        self._held -= places
        with self._lock:
            self._tracker.forget(set(places))
            self._commits.forget(places)
            for place in places:
                self._next.pop(place, None)


def _places(offsets: Mapping[TopicAndPartition, int], metadata: str = "") -> list[TopicPartition]:
    return [TopicPartition(topic, number, offset, metadata) for (topic, number), offset in offsets.items()]
