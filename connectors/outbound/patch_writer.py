"""Writes the patches of one integration; the outcomes go back as changes and receipts."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from connectors.contract.sink import Again, Answered, Ended, RefusedFields, Vanished, Write, WriteResult
from connectors.http.meter import Meter, QueueMeter
from connectors.http.retry import ALONE_S
from connectors.outbound.delivery import Sending, deliver
from connectors.outbound.erased import ErasedTargets
from connectors.outbound.patch_queue import PatchQueue, QueuedPatch
from connectors.outbound.receipts import pair_of, patch_receipt
from connectors.session.context import IntegrationContext, ObservedObject
from connectors.session.dispatcher import AT_ONCE, BatchDispatcher
from connectors.session.echoes import RecentWrites
from connectors.session.failures import Failures
from connectors.session.gathering import Gathering, late_gather_s, tight_gather_s
from schemas.records import Cause, FieldPatch, ReceiptKind, StampedValue
from schemas.replacing import replace
from schemas.spent import split, with_spent
from schemas.topics import RECEIPTS
from schemas.values import FieldValue

log = logging.getLogger(__name__)

MOST_ALONE: Final = 60
"""Tries of a write that fails alone, half a minute with `ALONE_S` between them: locks of a record end before."""
FAILED_ALONE: Final = "failed_alone"


class PatchWriter:
    """The writing half of an integration."""

    def __init__(self, context: IntegrationContext, writes: RecentWrites) -> None:
        self._context = context
        self._writes = writes
        self._meter = QueueMeter(context.clock.monotonic)
        self._queue = PatchQueue(self._meter, writes.repeats)
        self._erased = ErasedTargets()
        self._dispatcher = BatchDispatcher(context)
        self._gathering = Gathering()
        self._bulk: set[asyncio.Task[None]] = set()
        self._alone: Counter[tuple[str, str]] = Counter()  # by target: how often its write failed alone, in a row
        self._sending: Sending[Write, WriteResult] = Sending(
            self._ask,
            self._queue.put_back,
            self._park_denied,
            lambda write, reason: RefusedFields(write, tuple(write.fields), reason),
            self._settled,
            self.park_if_away,
            Failures(lambda write: (write.object_type, write.object_id)),
        )

    async def take(self, patch: FieldPatch, finished: Callable[[], None]) -> None:
        """Take one patch; it ends written, equal, refused, parked, superseded or erased."""
        if self._context.state.closing:
            return
        if self._erased.covers(patch):
            self._context.count("sink", patch.mapping, "erased", 1)
            return finished()
        if self._context.state.away or self._queue.full:
            held = self._queue.outside(patch, finished)
            await self._park([(held, name) for name in patch.fields])
            if not patch.fields:
                finished()
            return
        held, superseded = self._queue.add(patch, finished)
        if patch.fields and not held.open_fields:
            self._context.count("sink", patch.mapping, "equal", 1)
        self._dispatcher.wake()
        for overtaken in superseded:
            await self._receipt(overtaken.held.patch, "superseded", {overtaken.name: overtaken.value}, None)

    def erase(self, mapping: str, object_type: str, object_ids: Sequence[str]) -> None:
        """Write nothing to these objects that the mapping derived before now: what their partners held was erased."""
        for object_id in object_ids:
            self._erased.note((mapping, object_type, object_id), self._context.now_ms())
            for held in self._queue.drop(mapping, object_type, object_id):
                self._context.count("sink", held.patch.mapping, "erased", 1)

    async def run(self) -> None:
        """Write waiting patches, a few batches at once, until cancelled."""
        await self._dispatcher.run(self._due, self._begin)

    async def drained(self) -> None:
        """Wait for the writes under way."""
        await self._dispatcher.drained()

    async def park_if_away(self) -> None:
        """While the system is away, park every waiting patch: its receipt has it derived again later."""
        if self._context.state.away and not self._context.state.closing:
            await self._park(self._queue.drain())

    def _begin(self) -> None:
        first = self._first_due()
        if first is None:
            return
        _, object_type = first
        most, meter = self._context.account.sink.batch_size, Meter(self._context.clock.monotonic, self._meter)
        batch = self._queue.take(most, object_type, live_only=self._live_only, meter=meter)
        if batch:
            self._gathering.left(object_type, self._context.clock.monotonic(), len(batch))
            with meter.measuring():
                task = self._dispatcher.start(deliver(batch, self._sending, self._dispatcher))
            if all(write.bulk for write in batch):
                self._bulk.add(task)
                task.add_done_callback(self._bulk.discard)

    def _due(self) -> float | None:
        free = self._dispatcher.under_way < self._context.account.sink.in_flight
        may_begin = free and not self._context.state.away and not self._context.state.closing
        first = self._first_due() if may_begin else None
        self._meter.held_up(full=not free, saving=first is not None and self._saving(first))
        return None if first is None else first[0]

    def _saving(self, first: tuple[float, str]) -> bool:
        """Whether what may leave first waits because the system's limits are short."""
        tight = tight_gather_s(self._context.account.spent()) > 0.0
        return self._dispatcher.limited or (tight and first[0] > self._context.clock.monotonic())

    def _first_due(self) -> tuple[float, str] | None:
        """The object type that may leave first, and when: full batches and first writes leave at once."""
        full = self._context.account.sink.batch_size
        ready = self._queue.ready(full, live_only=self._live_only)
        tight_s, under_way = tight_gather_s(self._context.account.spent()), self._dispatcher.under_way

        def due(object_type: str, waiting: int) -> float:
            if waiting >= full:
                return AT_ONCE
            among_others = waiting + under_way > 1 or self._gathering.several(object_type)
            together_s = late_gather_s(self._late_s(object_type)) if among_others else 0.0
            return self._gathering.due(object_type, max(tight_s, together_s))

        return min(((due(one, waiting), one) for one, waiting in ready.items()), default=None)

    def _late_s(self, object_type: str) -> float:
        """How long ago the oldest waiting write was caused."""
        caused_ms = self._queue.oldest_cause_ms(object_type)
        return 0.0 if caused_ms is None else (self._context.now_ms() - caused_ms) / 1000

    @property
    def _live_only(self) -> bool:
        """Bulk leaves half of what may be under way free: a live patch never waits for a bulk one to end."""
        return len(self._bulk) >= max(self._context.account.sink.in_flight // 2, 1)

    async def _ask(self, batch: Sequence[Write]) -> Sequence[WriteResult]:
        sink, may_write = self._context.account.sink, self._context.may_write
        for write in batch:
            self._writes.began(write)
        try:
            results = await self._context.asked(lambda: sink.write(batch, may_write), batch[0].object_type, "write")
            # before it counts as ended: a webhook that comes between the two would be no echo, and be read
            for result in results:
                if isinstance(result, Answered):
                    self._writes.wrote(result.write, result.stored, result.at_ms)
            return results
        finally:
            for write in batch:
                self._writes.ended(write)

    async def _settled(self, results: Sequence[WriteResult], _: int) -> None:
        """End what has ended; what failed alone waits again, until its last try."""
        self._dispatcher.succeeded()
        ended, again = self._last_tries(results)
        # ended fields are settled first, so that only the rest of a write goes back
        await self._settle(ended)
        if again:
            self._queue.put_back(again)
            self._dispatcher.pause(ALONE_S)
            await self.park_if_away()
        self._dispatcher.wake()

    def _last_tries(self, results: Sequence[WriteResult]) -> tuple[list[Ended], list[Write]]:
        """What has ended, and what is tried again: a write that failed alone often enough counts as refused."""
        ended: list[Ended] = [result for result in results if not isinstance(result, Again)]
        again = [result.write for result in results if isinstance(result, Again)]
        for target in {(one.write.object_type, one.write.object_id) for one in ended}:
            self._alone.pop(target, None)
        for write in again:
            self._alone[write.object_type, write.object_id] += 1
        hopeless = [write for write in again if self._alone[write.object_type, write.object_id] >= MOST_ALONE]
        for write in hopeless:
            del self._alone[write.object_type, write.object_id]
            ended.append(RefusedFields(write, tuple(write.fields), FAILED_ALONE))
        return ended, [write for write in again if write not in hopeless]

    async def _settle(self, results: Sequence[Ended]) -> None:
        """Publish the outcome of each write, a batch at once; its patches end once the brokers have it."""
        answered_ms = self._context.now_ms()
        told = [self._told(one, self._queue.held(one.write)) for one in results if not isinstance(one, RefusedFields)]
        refused = [one for one in results if isinstance(one, RefusedFields)]
        await asyncio.gather(
            self._context.observed_all(one.observation for one in told),
            *(self._refused(one, self._queue.held(one.write)) for one in refused),
        )
        for one in told:
            self._count(one, answered_ms)
        for result in results:
            self._queue.end(result.write, _ended_fields(result))

    def _told(self, result: Answered | Vanished, held: Mapping[str, QueuedPatch]) -> "_Told":
        """What the answer to a write shows, and the patches that it answers, each with its cause."""
        waited = {id(one): (one.patch, _cause_with_waits(one)) for one in _queued(held, _ended_fields(result))}
        patches, causes = [patch for patch, _ in waited.values()], [cause for _, cause in waited.values()]
        cause, write = _first_cause(causes), result.write
        shown = ObservedObject(
            write.object_type,
            write.object_id,
            "deleted",
            result.at_ms,
            result.spread_ms,
            "receipt",
            run_id=_run_of(patches),
            bulk=_bulk(patches),
            caused_by=cause,
        )
        if isinstance(result, Vanished):
            return _Told(result, tuple(waited.values()), replace(shown, merged_into=result.merged_into))
        spread_ms = self._writes.spread_ms(write.object_type, write.object_id, result.at_ms, result.spread_ms)
        # a value that was there before counts as ours: this sink saw it between its own writes, so its order is known
        fields = {
            name: StampedValue(value, result.at_ms, spread_ms, ours=True) for name, value in result.stored.items()
        }
        sent = {name: write.fields[name] for name in result.stored if name in write.fields}
        by_field = {name: waited[id(held[name])][1] for name in sent if name in held}
        answered = replace(
            shown,
            operation="upserted",
            spread_ms=spread_ms,
            fields=fields,
            sent=sent,
            equal=result.equal,
            causes=_other_causes(by_field, cause),
        )
        return _Told(result, tuple(waited.values()), answered)

    def _count(self, told: "_Told", answered_ms: int) -> None:
        result = told.result
        for patch, caused_by in told.waited:
            if isinstance(result, Vanished):
                self._context.count("sink", patch.mapping, "unmatched", 1)
                continue
            self._context.count("sink", patch.mapping, "equal" if result.equal else "written", 1)
            if not result.equal and caused_by is not None:
                self._context.visible(patch.bulk, split(answered_ms - caused_by.at_ms, caused_by))

    async def _refused(self, result: RefusedFields, held: Mapping[str, QueuedPatch]) -> None:
        for name in result.fields:
            if name not in held:
                continue
            patch = held[name].patch
            value = result.write.fields[name]
            await self._receipt(patch, "refused", {name: value}, result.reason)
            self._context.count("sink", patch.mapping, "refused", 1)

    async def _park_denied(self, batch: Sequence[Write]) -> None:
        """The type may not be written: its patches come back when that is tried again, all others go on meanwhile."""
        for write in batch:
            held = self._queue.held(write)
            for patch in _patches(held, write.fields):
                fields = {name: patch.fields[name] for name in write.fields if held[name].patch is patch}
                await self._receipt(patch, "parked", fields, None)
                self._context.count("sink", patch.mapping, "parked", 1)
            self._queue.end(write, write.fields)
        self._dispatcher.wake()

    async def _park(self, fields: Sequence[tuple[QueuedPatch, str]]) -> None:
        by_patch: dict[int, tuple[QueuedPatch, list[str]]] = {}
        if fields:
            await self._context.state.park()
        for held, name in fields:
            by_patch.setdefault(id(held), (held, []))[1].append(name)
        for held, names in by_patch.values():
            patch = held.patch
            await self._receipt(patch, "parked", {name: patch.fields[name] for name in names}, None)
            self._context.count("sink", patch.mapping, "parked", 1)
            for name in names:
                held.end(name)

    async def _receipt(
        self, patch: FieldPatch, kind: ReceiptKind, fields: dict[str, FieldValue], reason: str | None
    ) -> None:
        await self._context.publish(RECEIPTS, pair_of(patch), patch_receipt(patch, kind, fields, reason))
        if kind == "superseded":
            self._context.count("sink", patch.mapping, "superseded", 1)


@dataclass(frozen=True, slots=True)
class _Told:
    """A write's answer as it is published, and the patches behind it, each with its cause and what it waited for."""

    result: Answered | Vanished
    waited: tuple[tuple[FieldPatch, Cause | None], ...]
    observation: ObservedObject


def _ended_fields(result: Ended) -> Iterable[str]:
    """The fields of the write that have this outcome."""
    match result:
        case Answered():
            return result.stored
        case Vanished():
            return result.write.fields
        case RefusedFields():
            return result.fields


def _queued(held: Mapping[str, QueuedPatch], names: Iterable[str]) -> list[QueuedPatch]:
    return list({id(held[name]): held[name] for name in names if name in held}.values())


def _patches(held: Mapping[str, QueuedPatch], names: Iterable[str]) -> list[FieldPatch]:
    return [one.patch for one in _queued(held, names)]


def _run_of(patches: Sequence[FieldPatch]) -> str | None:
    return next((patch.run_id for patch in patches if patch.run_id), None)


def _first_cause(causes: Iterable[Cause | None]) -> Cause | None:
    return next((cause for cause in causes if cause is not None), None)


def _cause_with_waits(held: QueuedPatch) -> Cause | None:
    """The patch's first cause, and what the patch waited for here: every try of it."""
    cause, spent = held.patch.caused_by, held.waits.spent()
    return None if cause is None else with_spent(cause, budget_s=spent.budget_s, write_s=spent.system_s)


def _other_causes(by_field: Mapping[str, Cause | None], cause: Cause | None) -> dict[str, Cause]:
    """The causes of fields that joined a write of another cause: patches of one target leave together."""
    return {name: one for name, one in by_field.items() if one is not None and one != cause}


def _bulk(patches: Sequence[FieldPatch]) -> bool:
    return all(patch.bulk for patch in patches)
