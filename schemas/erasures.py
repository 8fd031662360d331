"""The records of `sync.erasures`: what was erased, and how far topics are rid of it; each key with exactly one writer.

| key | part | written by |
|---|---|---|
| the object | Erasure | agent OBJECTS, with the state that it erases |
| `looked/<object>` | Looked | the active scheduler |
| `rewriting/<topic>/<partition>` | Rewriting | the active scheduler |
"""

import hashlib
from dataclasses import dataclass

from schemas.values import System


@dataclass(frozen=True, slots=True)
class Erasure:
    """An object whose state was erased. It holds no values: its pairs' keys only as hashes."""

    integration: str  # whose object
    connection: int  # the connection it was known under
    system: System  # the object's system
    object_type: str  # the system's object type
    object_id: str  # the system's id of the object
    erased_ms: int  # our clock: when its state was erased
    salt: bytes  # hashes the pairs' keys
    pairs: tuple[bytes, ...] = ()  # the keys of its pairs, hashed
    for_ever: bool = True  # false: what came after the erasure stays, for the object itself lives on

    def is_of_pair(self, key: str) -> bool:
        """Whether a pair's key is of one of its pairs."""
        return bool(self.pairs) and pair_hash(self.salt, key) in self.pairs


@dataclass(frozen=True, slots=True)
class Looked:
    """How often topics were looked through for an erasure."""

    erased_ms: int  # the erasure's
    looks: int  # how often; records may have been under way at each but the last
    at_ms: int  # our clock: the last time


@dataclass(frozen=True, slots=True)
class Rewriting:
    """A partition that is being rewritten: its records up to `until` are copied to its end, then deleted."""

    until: int  # the offset behind the last record that is to be deleted
    copied: int  # the records before this offset are copied


@dataclass(frozen=True, slots=True)
class ErasurePart:
    """One key of `sync.erasures`: exactly one of the parts is set."""

    erasure: Erasure | None = None  # key: the object
    looked: Looked | None = None  # key looked/<object>
    rewriting: Rewriting | None = None  # key rewriting/<topic>/<partition>


def pair_hash(salt: bytes, key: str) -> bytes:
    """The hash by which a pair's key is recognised."""
    return hashlib.blake2b(key.encode(errors="replace"), key=salt, digest_size=16).digest()
