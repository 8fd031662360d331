"""The journal of a change of the partition count: what a crash leaves, and how the next call goes on.

It stands on a topic of its own, which is there for as long as the change is: roles do not start beside it.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Final, Literal

from connectors.kafka.cluster import Cluster
from connectors.kafka.reading import read_to_end
from pipeline.operations import OperationRefused
from schemas.topics import TOPICS, VITALS

JOURNAL: Final = "sync.repartition"
"""One partition; each record is the whole journal as JSON, the last one counts."""
KEY: Final = "repartition"

Phase = Literal["copying", "switching"]


class RepartitionRefused(OperationRefused):
    """The partition count was not changed; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class TopicWork:
    """One topic on its way."""

    records: int  # of its copy
    handled: Mapping[str, tuple[int, ...]]  # group -> by new partition: the offset at which it goes on
    replicas: int
    settings: Mapping[str, str]  # set for this topic when it was made
    done: bool = False  # the topic has the new count, holds its copy, and was proven


@dataclass(frozen=True, slots=True)
class Journal:
    """copying: the topics are as they were, and copies may go. switching: copies are the truth until all are done."""

    phase: Phase
    before: int
    after: int
    by: str
    begun_at_ms: int
    topics: Mapping[str, TopicWork] = field(default_factory=dict)

    def with_done(self, topic: str) -> "Journal":
        return replace(self, topics={**self.topics, topic: replace(self.topics[topic], done=True)})

    def encoded(self) -> bytes:
        return json.dumps(asdict(self)).encode()


def decoded(value: bytes) -> Journal:
    """Raises RepartitionRefused for what a later release wrote."""
    try:
        told = json.loads(value)
        works = {
            name: TopicWork(**{**work, "handled": _tuples(work["handled"])})
            for name, work in told.pop("topics").items()
        }
        return Journal(**told, topics=works)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RepartitionRefused(f"{JOURNAL} cannot be read: go on with the release that began the change") from error


def _tuples(handled: Mapping[str, list[int]]) -> dict[str, tuple[int, ...]]:
    return {group: tuple(offsets) for group, offsets in handled.items()}


def staged(topic: str) -> str:
    """The topic that holds a topic's copy."""
    return f"{JOURNAL}.{topic}"


def read_journal(cluster: Cluster, present: Mapping[str, int]) -> Journal | None:
    """The change that is under way; None where none is. `present` are the topics there are. Blocks."""
    if JOURNAL not in present:
        return None
    values = [one.value for one in read_to_end(cluster, {(JOURNAL, 0): 0}) if one.value is not None]
    return decoded(values[-1]) if values else Journal("copying", 0, 0, "", 0)


def refuse_beside(present: Mapping[str, int], partitions: int, *, every: bool = True) -> None:
    """Raises RepartitionRefused where no process may start: a change is half made, or a count is another one.

    `present` gives each topic's partitions. Without `every` only the change counts.
    """
    if JOURNAL in present:
        raise RepartitionRefused(
            "the partition count is being changed, and nothing may run beside that. Fix: "
            "`pairstream topics repartition --resume`, or --abandon while nothing was switched"
        )
    counts = sorted({count for name, count in present.items() if name in TOPICS})
    if every and set(counts) - {partitions}:
        as_they_are = f"set PAIRSTREAM_PARTITIONS={counts[0]}, or " if len(counts) == 1 else ""
        raise RepartitionRefused(
            f"topics have {' or '.join(map(str, counts))} partitions, PAIRSTREAM_PARTITIONS says {partitions}: "
            "keys would be looked for where they are not. "
            f"Fix: {as_they_are}`pairstream topics repartition {partitions}`"
        )


def moved(topic: str) -> bool:
    """Whether a topic's records are taken along: figures of processes speak of partitions that are no more."""
    return topic != VITALS
