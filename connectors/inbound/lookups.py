"""Lookups of one integration: match values that pairs ask for, gathered, looked up in batches, published as changes.

Those of a full sync are bulk: they wait behind live ones, and none is let go while its run goes on.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from connectors.contract.errors import (
    ConnectorError,
    CredentialsRejected,
    Denied,
    Misconfigured,
    Retryable,
    Transient,
    UnknownResult,
)
from connectors.contract.source import MOST_FOUND, ReadPurpose, Seen
from connectors.http.batches import halves
from connectors.http.calls_made import counting_calls
from connectors.http.meter import Meter, Spent
from connectors.http.retry import LOOKUPS, RetryPolicy, retrying
from connectors.inbound.persistence import MOST_OUTAGES, Persistence
from connectors.inbound.run_parts import AskedTally, is_over
from connectors.session.context import IntegrationContext, ObservedObject, seen
from connectors.session.latch import CompletionLatch
from connectors.session.wall import contained
from schemas.records import Cause, ConnectorRequest, Found, Receipt
from schemas.spent import with_spent
from schemas.topics import RECEIPTS, pair_key
from schemas.values import FieldValue

log = logging.getLogger(__name__)

LINGER_S: Final = 0.01
BATCHES_OF_A_RUN: Final = 3  # of a full sync, at once: one is answered while another is published
TAKEN_APART: Final = RetryPolicy(attempts=3, base_s=0.3, cap_s=2.0, patience_s=60.0, total_s=30.0)
"""Of a part of a batch that was tried for minutes as a whole."""
MOST_WAITING: Final = 5_000  # live match values of one integration; more are let go


@dataclass(frozen=True, slots=True)
class Question:
    """Mapping, object type and field of lookups that are answered together."""

    mapping: str  # empty: somebody asks for objects by their ids, whatever pairs match by
    object_type: str
    field: str
    by_email: bool
    run_id: str | None = None  # the full sync that asks
    tell_missing: bool = False  # a value that nobody holds is told too

    @property
    def purpose(self) -> ReadPurpose:
        return "live_read" if self.run_id is None else "bulk_read"

    def asked(self, holder: Seen) -> str:
        """The match value by which a pair would ask for the object; its id where no mapping asks."""
        if not self.mapping:
            return holder.object_id
        text = _text(holder.fields[self.field].value) if self.field in holder.fields else ""
        return text.strip().lower() if self.by_email else text


@dataclass(slots=True)
class LookupValue:
    """One match value, with the records that ask for it."""

    caused_by: Cause | None
    finished: list[Callable[[], None]]

    def end(self) -> None:
        for finished in self.finished:
            finished()


class Lookups:
    """The lookups of an integration; `spawn` starts a task that ends with the integration.

    A lookup that is let go counts as a miss, which proves nothing: the object's next change or full sync asks again.
    """

    def __init__(
        self, context: IntegrationContext, spawn: Callable[[Coroutine[Any, Any, None]], None], tally: AskedTally
    ) -> None:
        self._context = context
        self._spawn = spawn
        self._tally = tally
        self._waiting: dict[Question, dict[str, LookupValue]] = {}

    def take(self, request: ConnectorRequest, cause: Cause | None, finished: Callable[[], None]) -> None:
        """Take a request; it is finished when every value of it was answered or let go."""
        question = Question(
            request.mapping or "",
            request.object_type,
            request.match_field or "",
            request.by_email,
            request.run_id,
            request.tell_missing,
        )
        if not request.values or (request.run_id is None and self._live >= MOST_WAITING):
            self._context.count("source", question.mapping, "unmatched", len(request.values))
            finished()
            return
        done = CompletionLatch(len(request.values), finished)
        if question not in self._waiting:
            self._waiting[question] = {}
            self._spawn(self._serve(question))
        for value in request.values:
            self._waiting[question].setdefault(value, LookupValue(cause, [])).finished.append(done.count_down)
        done.seal()

    @property
    def _live(self) -> int:
        return sum(len(values) for question, values in self._waiting.items() if question.run_id is None)

    async def _serve(self, question: Question) -> None:
        """Look up a question's values until none waits; values coming meanwhile share a batch."""
        await self._context.clock.sleep(LINGER_S)
        at_once = 1 if question.run_id is None else BATCHES_OF_A_RUN
        while self._waiting[question]:
            await asyncio.gather(*(self._serve_on(question) for _ in range(at_once)))
        del self._waiting[question]

    async def _serve_on(self, question: Question) -> None:
        waiting = self._waiting[question]
        while waiting:
            values = list(waiting)[: self._context.account.source.read_size]
            batch = {value: waiting.pop(value) for value in values}
            if question.run_id is not None and is_over(self._context, question.run_id):
                self._let_go(question, batch, "its full sync ended")
                continue
            await self._answer(question, batch)

    async def _answer(self, question: Question, batch: Mapping[str, LookupValue], *, taken_apart: bool = False) -> None:
        """Answer the values together; `taken_apart`: they were tried with others, and one of them always fails."""
        context, field = self._context, self._context.catalog.definition(question.object_type, question.field)
        source, meter = context.account.source, Meter(context.clock.monotonic)
        try:
            look_up = partial(source.look_up, question.object_type, field, tuple(batch), question.purpose)
            with counting_calls() as made, meter.measuring():
                once = partial(context.asked, look_up, question.object_type, "read")
                objects = await (self._tried_again(once) if taken_apart else self._tried(question, once))
            await self._count(question, len(objects), made.calls)
        except (Retryable, CredentialsRejected, Misconfigured) as error:
            if (taken_apart or len(batch) > 1) and await self._is_of_some(error):
                await self._refused(question, batch, error, taken_apart=True)
                return
            await self._count(question, 0, made.calls, error.reason)
            self._let_go(question, batch, error)
        except ConnectorError as error:  # whatever its status: a proxy may answer 403 or 404 to one value's address
            if isinstance(error, Denied) and question.run_id is not None:  # the run's row tells it once, of all values
                await self._count(question, 0, made.calls, error.reason)
                self._let_go(question, batch, error)
            else:
                await self._refused(question, batch, error)
        else:
            await self._publish(question, batch, objects, meter.spent())
            for ask in batch.values():
                ask.end()

    async def _is_of_some(self, error: ConnectorError) -> bool:
        """Whether some values always fail, and not all: the system answers its cheapest read."""
        if not isinstance(error, Transient | UnknownResult):
            return False
        try:
            await contained(self._context.account.setup.probe())
        except ConnectorError:
            return False
        return True

    async def _tried_again(self, look_up: Callable[[], Awaitable[Sequence[Seen]]]) -> Sequence[Seen]:
        await self._context.state.usable()
        return await retrying(look_up, TAKEN_APART, self._context.clock, self._context.uniform)

    async def _count(self, question: Question, read: int, calls: int, failed: str | None = None) -> None:
        if question.run_id is not None:
            await self._tally.add(question.run_id, question.object_type, read=read, calls=calls, failed=failed)

    async def _tried(self, question: Question, look_up: Callable[[], Awaitable[Sequence[Seen]]]) -> Sequence[Seen]:
        """Look up when the system can be worked with; again and again for some minutes where it fails.

        What probes find mended and lookups do not has a last try too. Where a full sync asks, an outage may take hours.
        """
        context = self._context
        if question.run_id is not None:
            return await self._tried_by_run(look_up)
        for _ in range(MOST_OUTAGES - 1):
            await context.state.usable()
            try:
                return await retrying(look_up, LOOKUPS, context.clock, context.uniform)
            except (CredentialsRejected, Misconfigured) as error:
                context.state.fail(error)
        await context.state.usable()
        return await retrying(look_up, LOOKUPS, context.clock, context.uniform)

    async def _tried_by_run(self, look_up: Callable[[], Awaitable[Sequence[Seen]]]) -> Sequence[Seen]:
        persistence = Persistence(self._context)
        while True:
            await self._context.state.usable()
            try:
                return await look_up()
            except (Retryable, CredentialsRejected, Misconfigured) as error:
                await persistence.wait_after(error)

    async def _publish(
        self, question: Question, batch: Mapping[str, LookupValue], objects: Sequence[Seen], spent: Spent
    ) -> None:
        """Publish each object with how many hold its match value: the first must not be mistaken for the only one."""
        for one in batch.values():
            if one.caused_by is not None:
                one.caused_by = with_spent(one.caused_by, read_s=spent.system_s, budget_s=spent.budget_s)
        distinct = list({one.object_id: one for one in objects}.values())
        counts = Counter(map(question.asked, distinct))
        missed = [value for value in batch if value not in counts]
        if missed:
            self._context.count("source", question.mapping, "unmatched", len(missed))
        told = missed if question.tell_missing else []
        if question.run_id is not None:
            await self._context.bulk_credit(len(distinct) + len(told))
        await self._context.observed_all(self._observation(question, batch, one, counts) for one in distinct)
        await asyncio.gather(*(self._tell_missing(question, value, batch[value]) for value in told))

    async def _tell_missing(self, question: Question, value: str, ask: LookupValue) -> None:
        context = self._context
        receipt = Receipt(
            context.integration,
            context.connection,
            0,
            question.mapping,
            value,
            context.system,
            question.object_type,
            object_id="",
            kind="missed",
            fields={},
            run_id=question.run_id,
            caused_by=ask.caused_by,
        )
        key = pair_key(context.integration, context.connection, question.mapping, value)
        await context.publish(RECEIPTS, key, receipt)

    def _observation(
        self, question: Question, batch: Mapping[str, LookupValue], one: Seen, counts: Counter[str]
    ) -> ObservedObject:
        value = question.asked(one)
        ask = batch.get(value)
        cause = (ask or next(iter(batch.values()))).caused_by
        bulk = question.run_id is not None
        observation = seen(question.object_type, one, "lookup", question.run_id, bulk, cause)
        if ask is None:
            return observation
        return replace(observation, found=Found(question.mapping, value, min(counts[value], MOST_FOUND)))

    async def _refused(
        self,
        question: Question,
        batch: Mapping[str, LookupValue],
        error: ConnectorError,
        *,
        taken_apart: bool = False,
    ) -> None:
        """Halve the batch, so that one value the system refuses, or always fails at, costs the others nothing."""
        if len(batch) > 1:
            for half in halves(list(batch.items())):
                await self._answer(question, dict(half), taken_apart=taken_apart)
            return
        for value, ask in batch.items():
            await self._context.unreadable(question.object_type, value, error, ask.caused_by)
        self._let_go(question, batch, error)

    def _let_go(self, question: Question, batch: Mapping[str, LookupValue], error: object) -> None:
        integration, object_type = self._context.integration, question.object_type
        log.warning("%s: %d lookups of %s were let go: %s", integration, len(batch), object_type, error)
        self._context.count("source", question.mapping, "unmatched", len(batch))
        for ask in batch.values():
            ask.end()


def _text(value: FieldValue) -> str:
    """A match field's value as both systems spell it."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value)
