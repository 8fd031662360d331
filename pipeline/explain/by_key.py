"""Reads what stands under keys, each on its one partition: newest rows, what is retained, and what comes from now on.

Partitions are read from their ends: a row that changed lately is found at once, and one that nobody ever wrote costs a
look through its partition of the state topic. A partition is read once for all keys on it.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Generic

from connectors.kafka.admin import Admin
from connectors.kafka.backwards import slices
from connectors.kafka.latest import rows_of
from connectors.kafka.partitioner import partition_of
from connectors.kafka.reading import Found, Reading
from pipeline.explain.retained import RecordT, Retained
from pipeline.explain.sources import Search, Sources
from schemas.codec import Codec
from schemas.topics import TopicAndPartition

ENOUGH: Final = 4
"""So many times the happenings that are shown are looked for on each topic: answers stand among them."""

Decode = Callable[[Codec, str, bytes | None], RecordT | None]
"""Takes codec, topic and value; None where the record is of another kind."""


@dataclass(frozen=True, slots=True)
class Searched(Generic[RecordT]):
    """What a search found, and from when on all of it is here."""

    seen: Sequence[Retained[RecordT]] = ()
    since_ms: int | None = None
    complete: bool = False


def newest_rows(sources: Sources, topic: str, keys: Collection[str]) -> dict[str, Any]:
    """Key -> its newest committed row; without the keys that have none. Blocks. Raises BrokersUnreachable."""
    found = rows_of(sources.cluster, topic, sources.partitions, keys)
    return {key: sources.codec.decode(topic, value) for key, value in found.items()}


def retained(
    sources: Sources, keys: Mapping[str, Collection[str]], search: Search, decode: Decode[RecordT]
) -> Searched[RecordT]:
    """What is retained under these keys, by topic: as much as there is time for. Blocks. Raises BrokersUnreachable."""
    places: dict[TopicAndPartition, set[bytes]] = defaultdict(set)
    for topic, wanted in keys.items():
        for key in wanted:
            places[topic, partition_of(key, sources.partitions)].add(key.encode())
    if not search.most or not places:
        return Searched()
    with ThreadPoolExecutor(len(places)) as pool:
        parts = list(pool.map(lambda place: _of_place(sources, place, places[place], search, decode), places))
    complete = all(one.complete for one in parts)
    # what is older than the latest of these moments may lack an answer: it is left out rather than told half
    floor_ms = max((one.since_ms or 0 for one in parts if not one.complete), default=0)
    begins = [one.since_ms for one in parts if one.since_ms is not None]
    seen = [one for part in parts for one in part.seen if one.at_ms >= floor_ms]
    return Searched(seen, floor_ms or min(begins, default=None), complete)


def _of_place(
    sources: Sources, place: TopicAndPartition, keys: Collection[bytes], search: Search, decode: Decode[RecordT]
) -> Searched[RecordT]:
    topic, partition = place
    found: list[Retained[RecordT]] = []
    since_ms: int | None = None
    deadline = time.monotonic() + search.within_s
    for one in slices(sources.cluster, topic, partition, keys):
        since_ms = since_ms if one.since_ms is None else one.since_ms
        for message in one.messages:
            record = decode(sources.codec, topic, message.value())
            if record is not None:
                found.append(Retained((*place, message.offset() or 0), message.timestamp()[1], record))
        if not one.whole and (len(found) >= search.most * ENOUGH or time.monotonic() > deadline):
            return Searched(found, since_ms, complete=False)
    return Searched(found, since_ms, complete=True)


@contextmanager
def coming(sources: Sources, keys: Collection[tuple[str, str]]) -> Iterator[Callable[[float], list[Found]]]:
    """Reads what comes under keys, each with its topic, from here on; gives what takes the news of so many seconds."""
    ends = Admin(sources.cluster).end_offsets(sorted({topic for topic, _ in keys}))
    places = {(topic, partition_of(key, sources.partitions)) for topic, key in keys}
    begins = {place: end for place, end in ends.items() if place in places}
    with Reading(sources.cluster, begins, follows=True) as reading:
        yield lambda within_s: [
            found for found in reading.take(within_s) if (found.topic, found.key.decode(errors="replace")) in keys
        ]
