"""The interface by which a system is written, and how each write can end."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from schemas.values import FieldValue

MayWrite = Callable[[], bool]
"""Whether this process may write the integration now; asked straight before each request that writes."""


@dataclass(frozen=True, slots=True)
class Write:
    """Fields of one object to be written; null clears. Bulk ones leave room for live ones."""

    object_type: str
    object_id: str
    fields: Mapping[str, FieldValue]
    bulk: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """The written fields as the target holds them; `equal`: it held them before, and nothing was sent."""

    write: Write
    stored: Mapping[str, FieldValue]
    at_ms: int
    spread_ms: int
    equal: bool = False


@dataclass(frozen=True, slots=True)
class Vanished:
    """The target is not there; nothing was written."""

    write: Write
    at_ms: int
    spread_ms: int
    merged_into: str | None = None


@dataclass(frozen=True, slots=True)
class RefusedFields:
    """These fields of the write are refused for good; the others have a result of their own."""

    write: Write
    fields: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Again:
    """This write failed alone and may succeed later."""

    write: Write


Ended = Answered | Vanished | RefusedFields
WriteResult = Ended | Again


class Sink(Protocol):
    """Writes a system. Never creates an object: there is no verb for it."""

    @property
    def batch_size(self) -> int: ...

    @property
    def in_flight(self) -> int:
        """How many batches may be under way at once."""
        ...

    async def write(self, writes: Sequence[Write], may_write: MayWrite) -> Sequence[WriteResult]:
        """Write a batch of different objects of one type, each once.

        `may_write` is asked straight before each request that writes; where it says no, `OwnershipLost` is raised.
        """
        ...


class OwnershipLost(RuntimeError):
    """This process may not own the integration any more: nothing may be written until it knows."""
