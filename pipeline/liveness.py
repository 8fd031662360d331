"""Whether a role still moves: judged on a thread of its own, told by `/health/live`.

A process can live, answer and do nothing for good: fenced after the brokers stood still, or stuck in its client.
Whoever started it (the supervisor, Docker, Kubernetes) starts it again when `/health/live` fails. A worker, whose
health answers on a thread of its own, ends itself (`pipeline/agents/watchdog.py`).
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from connectors.kafka.admin import Admin
from connectors.kafka.groups import BrokersUnreachable
from pipeline.agents.watchdog import CHECK_EVERY_S, STILL_S, Watchdog
from schemas.topics import WORKER_GROUP, TopicAndPartition

log = logging.getLogger(__name__)

STORE: Final[TopicAndPartition] = ("webhooks are not stored though the brokers answer", -1)
NO_PARTITION: Final[TopicAndPartition] = ("no partition is owned", -1)

Look = Callable[[], Mapping[TopicAndPartition, object]]
"""Places where something should move now, each with its progress; none while the brokers are away."""


class Member(Protocol):
    """The part of a `GroupMember` that is judged."""

    @property
    def owned(self) -> frozenset[int]: ...

    @property
    def assignments(self) -> int:
        """How often what it owns has changed."""
        ...

    def reached(self) -> Mapping[TopicAndPartition, int]:
        """The next offset to be taken of each owned place; none while it takes nothing on purpose."""
        ...


class Store(Protocol):
    """The part of a receiver's store that is judged."""

    @property
    def stored(self) -> int: ...

    @property
    def fails(self) -> bool: ...


class Brokers(Protocol):
    """The part of `Admin` that is asked."""

    def partitions(self) -> Mapping[str, int]: ...

    def holding_after(self, offsets: Mapping[TopicAndPartition, int]) -> set[TopicAndPartition]:
        """Those places that hold a record at or after these offsets."""
        ...


def look_at_member(brokers: Brokers, member: Callable[[], Member], *, should_own: bool) -> Look:
    """Places of a member that hold records which it has not taken; and its owning nothing, where it should."""

    def look() -> Mapping[TopicAndPartition, object]:
        reached = member().reached()
        try:
            brokers.partitions()  # brokers that are away prove nothing
            waiting: dict[TopicAndPartition, object] = {
                place: reached[place] for place in (brokers.holding_after(reached) if reached else ())
            }
        except BrokersUnreachable:
            return {}
        if should_own and not member().owned:
            waiting[NO_PARTITION] = member().assignments
        return waiting

    return look


def look_at_store(brokers: Brokers, store: Store) -> Look:
    """Nothing that a receiver is sent can be stored, while brokers answer whoever asks anew."""

    def look() -> Mapping[TopicAndPartition, object]:
        try:
            brokers.partitions()
        except BrokersUnreachable:
            return {}
        return {STORE: store.stored} if store.fails else {}

    return look


def look_at_worker(
    brokers: Admin,
    topics: Sequence[str],
    assigned: Callable[[], set[TopicAndPartition]],
    reached: Callable[[int], tuple[object, ...]],
    *,
    should_own: bool,
) -> Look:
    """Places of a worker with records that it has not handled; and its being given none, where it should have some.

    `reached` tells how far the agents are in a partition.
    """

    def look() -> Mapping[TopicAndPartition, object]:
        try:
            committed, unread = brokers.committed(WORKER_GROUP, topics), brokers.unread(WORKER_GROUP, topics)
        except BrokersUnreachable:
            return {}
        ours = assigned()
        waiting: dict[TopicAndPartition, object] = {
            place: (committed[place], *reached(place[1])) for place in unread if place in ours
        }
        if should_own and not ours:
            waiting[NO_PARTITION] = 0
        return waiting

    return look


class Liveness:
    """Says what stands still for `still_s`, so that a rebalance or a slow step is no death."""

    def __init__(self, look: Look, still_s: float = STILL_S) -> None:
        self._look = look
        self._watchdog = Watchdog(still_s)
        self._still_s = still_s
        self._problem: str | None = None

    def problem(self) -> str | None:
        """The sentence for `/health/live`; None while all moves."""
        return self._problem

    def judge(self, now: float) -> None:
        """Look once; `now` is of one monotonic clock."""
        stuck = self._watchdog.stuck(self._look(), now)
        places = ", ".join(f"{topic}[{number}]" if number >= 0 else topic for topic, number in sorted(stuck))
        self._problem = f"nothing moves for {self._still_s:.0f} s: {places}" if stuck else None

    def start(self, pause: Callable[[float], None] = time.sleep) -> None:
        """Judge for ever, on a thread: an event loop that hangs would stop the judging too."""
        threading.Thread(target=self._run, args=(pause,), name="liveness", daemon=True).start()

    def _run(self, pause: Callable[[float], None]) -> None:
        while True:
            pause(CHECK_EVERY_S)
            try:
                self.judge(time.monotonic())
            except Exception as error:
                log.warning("whether this role moves is not known", exc_info=True)
                self._problem = f"whether it moves is not known: {type(error).__name__}"
