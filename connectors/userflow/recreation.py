"""The guard of "never create": detects a write that recreated a deleted object, and deletes what the write made.

Userflow's only write also creates. The sink reads first, so a write creates only if the object is deleted between
read and write; the object's `created_at` is then later than the one read. The guard remembers the sent attributes
until it has judged the answer, because an answer can be lost: then the guard judges the object's next read.
"""

import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from connectors.clock import Clock
from connectors.contract.errors import ConnectorError
from connectors.contract.sink import OwnershipLost, Vanished, Write
from connectors.http.observed import Observed
from connectors.http.retry import RetryPolicy, Uniform, retrying
from connectors.userflow.client import ObservingClient
from connectors.userflow.protocol import Record, delete_object, get_object
from connectors.userflow.translate import holds, kind_of
from schemas.values import FieldValue

Incident = Callable[[str, str], Awaitable[None]]

UNANSWERED_FOR_S = 300.0
MOST_UNANSWERED = 1_000
UNDO = RetryPolicy(attempts=4, base_s=0.2, cap_s=2.0, patience_s=10.0)


@dataclass(frozen=True, slots=True)
class SentAttributes:
    """The attributes sent to an object, and the object's creation time at that moment."""

    created_at_ms: int
    fields: Mapping[str, FieldValue]
    at_s: float


@dataclass(frozen=True, slots=True)
class Target:
    """The object of one write and the client that may write it."""

    write: Write
    client: ObservingClient

    @property
    def key(self) -> tuple[str, str]:
        """Object type and id."""
        return self.write.object_type, self.write.object_id


class RecreationGuard:
    """Judges every object that a write, or the read after a lost answer, returns."""

    def __init__(self, clock: Clock, incident: Incident, uniform: Uniform = random.uniform) -> None:
        self._clock = clock
        self._incident = incident
        self._uniform = uniform
        self._sent: dict[tuple[str, str], SentAttributes] = {}

    def sending(self, target: Target, before: Record, fields: Mapping[str, FieldValue]) -> None:
        """Remember fields about to be sent to the object that was read as `before`."""
        if before.created_at_ms is None:
            return
        earlier = self._remembered(target)
        unanswered = earlier.fields if earlier and earlier.created_at_ms == before.created_at_ms else {}
        self._sent.pop(target.key, None)
        self._sent[target.key] = SentAttributes(before.created_at_ms, {**unanswered, **fields}, self._clock.monotonic())
        if len(self._sent) > MOST_UNANSWERED:
            del self._sent[next(iter(self._sent))]

    def settled(self, target: Target) -> None:
        """Forget a write that was answered, or rejected without effect."""
        self._sent.pop(target.key, None)

    async def judge(self, target: Target, shown: Record) -> Vanished | None:
        """None if the object is still the one that was read; else delete or leave it, and report."""
        sent = self._remembered(target)
        if sent is None or shown.created_at_ms is None or shown.created_at_ms <= sent.created_at_ms:
            return None
        try:
            undone = await retrying(lambda: self._undo(target, sent), UNDO, self._clock, self._uniform)
        except OwnershipLost:
            await self._kept()
            raise
        except ConnectorError:
            undone = None
        self.settled(target)
        if undone is None:
            await self._kept()
            # dated before the object's new life, which goes on and arrives by notifications and crawls
            return Vanished(target.write, shown.created_at_ms - 1, 0)
        await self._incident("userflow_object_recreated", "An object deleted during our write was made again; undone")
        at_ms = max(undone.at_ms, shown.created_at_ms + 1)
        return Vanished(target.write, at_ms, max(0, undone.at_ms + undone.spread_ms - at_ms))

    async def _undo(self, target: Target, sent: SentAttributes) -> Observed[object] | None:
        """Delete the object if it holds only what we made; None if it holds more and stays."""
        kind, id = kind_of(target.write.object_type), target.write.object_id
        read = await target.client.send(get_object(kind, id, memberships=True, purpose="write"))
        if read.answer is None:
            return read
        if not _only_ours(read.answer, sent):
            return None
        # "not found" is as good: another client was faster
        return await target.client.send(delete_object(kind, id))

    async def _kept(self) -> None:
        await self._incident(
            "userflow_object_recreated_kept",
            "An object deleted during our write exists again and was left: it may hold more than we wrote",
        )

    def _remembered(self, target: Target) -> SentAttributes | None:
        sent = self._sent.get(target.key)
        if sent is not None and self._clock.monotonic() - sent.at_s > UNANSWERED_FOR_S:
            # by now a newer object is more likely the customer's own
            self.settled(target)
            return None
        return sent


def _only_ours(read: Record, sent: SentAttributes) -> bool:
    """Exactly the attributes we sent, and a report of no memberships: unreported ones do not count as none."""
    held = {name: value for name, value in read.attributes.items() if not holds(value, None)}
    ours = {name: value for name, value in sent.fields.items() if not holds(None, value)}
    newer = read.created_at_ms is not None and read.created_at_ms > sent.created_at_ms
    alike = held.keys() == ours.keys() and all(holds(held[name], value) for name, value in ours.items())
    return newer and alike and read.memberships == ()
