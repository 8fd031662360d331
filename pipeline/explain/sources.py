"""Where explanations are read from, how much is read, and one record of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from connectors.kafka.cluster import Cluster
from schemas.codec import Codec, MalformedRecord

HISTORY_S: Final = 0.6
MOST: Final = 10


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


def record_of(codec: Codec, topic: str, value: bytes | None) -> Any:
    """The record; None where it is none of ours, which its dead letter tells."""
    try:
        return None if value is None else codec.decode(topic, value)
    except MalformedRecord:
        return None
