"""Writes attributes of existing users and companies: reads first, sends the difference, judges the answer."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from connectors.contract.account import Opening
from connectors.contract.errors import Missing, RateLimited, Refused, Retryable
from connectors.contract.sink import Answered, MayWrite, OwnershipLost, RefusedFields, Vanished, Write, WriteResult
from connectors.http.observed import Observed
from connectors.userflow import protocol
from connectors.userflow.client import ObservingClient
from connectors.userflow.protocol import Record
from connectors.userflow.recreation import RecreationGuard, Target
from connectors.userflow.translate import ID_FIELD, attribute, held_field, holds, kind_of
from schemas.values import FieldValue

Fields = Mapping[str, FieldValue]

IN_FLIGHT = 4


@dataclass(frozen=True, slots=True)
class _Writing:
    """One write and its object as read before it."""

    target: Target
    before: Record

    @property
    def write(self) -> Write:
        return self.target.write


class UserflowSink:
    """One environment as a Sink; `client_for` (may write, bulk) makes its clients."""

    def __init__(self, opening: Opening, client_for: Callable[[MayWrite, bool], ObservingClient]) -> None:
        self._catalog = opening.catalog
        self._client_for = client_for
        self._guard = RecreationGuard(opening.clock, opening.incident)

    @property
    def batch_size(self) -> int:
        """One: Userflow has no batch write."""
        return 1

    @property
    def in_flight(self) -> int:
        """The number of writes that may run at once."""
        return IN_FLIGHT

    async def write(self, writes: Sequence[Write], may_write: MayWrite) -> Sequence[WriteResult]:
        """Each write has one or more results, because equal, written and refused fields end differently."""
        client = self._client_for(may_write, all(write.bulk for write in writes))
        return [result for write in writes for result in await self._one(Target(write, client))]

    async def _one(self, target: Target) -> Sequence[WriteResult]:
        write = target.write
        try:
            call = protocol.get_object(kind_of(write.object_type), write.object_id, purpose="write")
            read = await target.client.send(call)
        except Refused as refusal:
            return [RefusedFields(write, tuple(write.fields), refusal.reason)]
        if read.answer is None:
            return [Vanished(write, read.at_ms, read.spread_ms)]
        vanished = await self._guard.judge(target, read.answer)
        return [vanished] if vanished else await self._difference(_Writing(target, read.answer), read)

    async def _difference(self, writing: _Writing, read: Observed[object]) -> Sequence[WriteResult]:
        write, held = writing.write, writing.before.attributes
        refused = {name: reason for name, value in write.fields.items() if (reason := _unwritable(name, value))}
        results: list[WriteResult] = [RefusedFields(write, (name,), reason) for name, reason in refused.items()]
        fields = {name: value for name, value in write.fields.items() if name not in refused}
        equal = [name for name, value in fields.items() if holds(held.get(name), value)]
        if equal or not write.fields:
            stored = self._stored(writing.before, equal)
            results.append(Answered(write, stored, read.at_ms, read.spread_ms, equal=True))
        return await self._send(writing, {name: fields[name] for name in fields if name not in equal}, results)

    async def _send(self, writing: _Writing, fields: Fields, results: list[WriteResult]) -> Sequence[WriteResult]:
        """Return `results` with those of these fields; a refusal that blames none of several sends them one by one."""
        waiting = [fields] if fields else []
        while waiting:
            part = waiting.pop(0)
            try:
                result = await self._post(writing, part)
            except Refused as refusal:
                blamed = _blamed(refusal, part)
                results += [RefusedFields(writing.write, blamed, refusal.reason)] if blamed else []
                waiting += _left(part, blamed)
                continue
            if isinstance(result, Vanished):
                return [result]
            results.append(result)
        return results

    async def _post(self, writing: _Writing, fields: Fields) -> Answered | Vanished:
        target, write = writing.target, writing.write
        attributes = {name: attribute(value) for name, value in fields.items()}
        call = protocol.upsert_object(kind_of(write.object_type), write.object_id, attributes)
        self._guard.sending(target, writing.before, fields)
        try:
            answer = await target.client.send(call)
        except (OwnershipLost, RateLimited, Refused):
            self._guard.settled(target)
            raise
        except Missing:
            self._guard.settled(target)
            gone = target.client.undated(None)
            return Vanished(write, gone.at_ms, gone.spread_ms)
        except Retryable:
            vanished = await self._after_silence(target)
            if vanished is None:
                raise
            return vanished
        return await self._judged(target, answer, fields)

    async def _judged(self, target: Target, answer: Observed[Record], fields: Fields) -> Answered | Vanished:
        vanished = await self._guard.judge(target, answer.answer)
        self._guard.settled(target)
        stored = self._stored(answer.answer, fields)
        return vanished or Answered(target.write, stored, answer.at_ms, answer.spread_ms)

    async def _after_silence(self, target: Target) -> Vanished | None:
        """The answer is lost: read whether the write recreated the object. The next try sees the stored values."""
        kind, id = kind_of(target.write.object_type), target.write.object_id
        try:
            read = await target.client.send(protocol.get_object(kind, id, purpose="write"))
        except (Retryable, Refused):
            # the guard remembers the sent attributes, so the next try reads again
            return None
        return await self._guard.judge(target, read.answer) if read.answer else None

    def _stored(self, record: Record, names: Iterable[str]) -> Fields:
        return {name: held_field(record, name, self._catalog) for name in names}


def _unwritable(name: str, value: FieldValue) -> str | None:
    """The reason why a field cannot be sent at all."""
    if name == ID_FIELD:
        return "read_only"
    return "not_finite" if isinstance(value, float) and not math.isfinite(value) else None


def _blamed(refusal: Refused, fields: Fields) -> tuple[str, ...]:
    """The fields that the refusal blames; none if it blames no particular one of several."""
    named = tuple(name for name in refusal.fields if name in fields)
    return named or (tuple(fields) if len(fields) == 1 else ())


def _left(fields: Fields, blamed: tuple[str, ...]) -> list[Fields]:
    """The fields to send next: the rest together, or each alone if none was blamed."""
    if not blamed:
        return [{name: value} for name, value in fields.items()]
    rest = {name: value for name, value in fields.items() if name not in blamed}
    return [rest] if rest else []
