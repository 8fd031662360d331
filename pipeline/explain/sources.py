"""Where explanations are read from, how much is read, and one row or record of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from connectors.kafka.cluster import Cluster
from connectors.kafka.latest import rows_of
from schemas.codec import Codec, MalformedRecord

HISTORY_S: Final = 0.6
MOST: Final = 10
ENOUGH: Final = 4
"""So many times the happenings that are shown are looked for on each topic: answers stand among them."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where it is read from."""

    cluster: Cluster
    codec: Codec
    partitions: int
    lookup_interval_ms: int
    now_ms: Callable[[], int]
    event_hold_ms: int = 900_000


@dataclass(frozen=True, slots=True)
class Search:
    """How much of the history is wanted."""

    most: int = MOST  # happenings; 0: none
    within_s: float = HISTORY_S  # for each topic, and one slice more


def row_of(sources: Sources, topic: str, key: str) -> Any:
    """The newest committed row of a key."""
    value = rows_of(sources.cluster, topic, sources.partitions, (key,)).get(key)
    return None if value is None else sources.codec.decode(topic, value)


def record_of(codec: Codec, topic: str, value: bytes) -> Any:
    try:
        return codec.decode(topic, value)
    except MalformedRecord:
        return None
