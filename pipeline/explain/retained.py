"""One retained record, whatever its kind: how explanations name what they were made of. Pure."""

from dataclasses import dataclass
from typing import Generic, TypeVar

RecordT = TypeVar("RecordT", covariant=True)
Place = tuple[str, int, int]
"""Topic, partition and offset."""


@dataclass(frozen=True, slots=True)
class Retained(Generic[RecordT]):
    """A record where it stands."""

    place: Place
    at_ms: int  # our clock: when it was published
    record: RecordT
