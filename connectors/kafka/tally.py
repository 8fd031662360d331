"""What a topic holds, in a few numbers: by them a copy is proven, in any order of its partitions."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final

from confluent_kafka import Message

from schemas.copies import Header

_SUM: Final = 1 << 128


@dataclass(slots=True)
class Tally:
    """What a topic holds: how many records, which, and in which order each of its sequences.

    A sequence are the records that come from one former partition and go to one new one.
    """

    counts: dict[int, int] = field(default_factory=lambda: defaultdict(int))  # by partition
    sums: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    chains: dict[tuple[int, int], bytes] = field(default_factory=dict)
    strays: set[bytes] = field(default_factory=set)  # records that stood where their key does not place them

    @property
    def records(self) -> int:
        return sum(self.counts.values())

    def add(self, partition: int, sequence: int, digest: bytes, *, stray: bool = False) -> None:
        self.counts[partition] += 1
        self.sums[partition] = (self.sums[partition] + int.from_bytes(digest)) % _SUM
        if stray:
            self.strays.add(digest)
        if digest not in self.strays:
            before = self.chains.get((sequence, partition), b"")
            self.chains[sequence, partition] = blake2b(before + digest, digest_size=16).digest()

    def same_as(self, other: "Tally") -> bool:
        """Whether both hold the same records in the same sequences."""
        mine = dict(self.counts), dict(self.sums), self.chains
        return mine == (dict(other.counts), dict(other.sums), other.chains)


def headers_of(message: Message) -> Iterable[Header]:
    found: Any = message.headers()
    return found or ()


def digest(message: Message, headers: Iterable[Header] | None = None) -> bytes:
    """A number of a record's key, value, headers and time."""
    told = blake2b(digest_size=16)
    parts: list[str | bytes | None] = [message.key(), message.value(), str(message.timestamp()[1])]
    for header in headers_of(message) if headers is None else headers:
        parts += header
    for part in parts:
        text = part.encode() if isinstance(part, str) else part
        told.update(b"-" if text is None else b"%d:" % len(text) + text)
    return told.digest()
