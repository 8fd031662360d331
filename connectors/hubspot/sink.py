"""Writes fields of existing HubSpot records in batches; halving a refused batch finds the bad part."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Final

from connectors.contract.catalog import Catalog
from connectors.contract.errors import ConnectorError, Missing, Refused
from connectors.contract.sink import Again, Answered, MayWrite, RefusedFields, Vanished, Write, WriteResult
from connectors.http.batches import filled, halves
from connectors.hubspot.client import HubSpotClient
from connectors.hubspot.lookups import read_record
from connectors.hubspot.protocol import BATCH_LIMIT, BatchResult, ObjectUpdate, Record, RowError, update_objects
from connectors.hubspot.translate import field_value, property_text, stamp

BATCHES_IN_FLIGHT: Final = 6
"""As HubSpot's own client has it. Half of them are bulk at most: one, answered in 0.3 s, would use a sixth of 190
requests in ten seconds."""

OF_THE_PROPERTY: Final = frozenset({"unknown_field", "read_only_field"})
"""Reasons that hold for a property whatever its value: the property is cut from the whole batch."""

PASSING: Final = frozenset({"rate_limits", "rate_limit", "internal_error", "timeout", "locked", "service_unavailable"})
"""Reasons for one row that may pass at the next try."""

Group = tuple[Write, ...]


class HubSpotSink:
    """Follows HubSpot's guide to the batch endpoints; `client_for` (may write, bulk) makes its clients."""

    def __init__(self, client_for: Callable[[MayWrite, bool], HubSpotClient], catalog: Catalog) -> None:
        self._client_for = client_for
        self._catalog = catalog

    @property
    def batch_size(self) -> int:
        return BATCH_LIMIT

    @property
    def in_flight(self) -> int:
        return BATCHES_IN_FLIGHT

    async def write(self, writes: Sequence[Write], may_write: MayWrite) -> Sequence[WriteResult]:
        """Each field of each write ends in one result, whose `write` holds just that result's fields.

        An error before any result is known is raised; a later one leaves the rest Again.
        Raises OwnershipLost as soon as `may_write` returns false.
        """
        batch = _Batch(self._client_for(may_write, all(write.bulk for write in writes)), self._catalog, writes)
        await batch.run()
        return batch.results


class _Batch:
    """One batch being sent: the results so far, the groups still to send, the records to look up."""

    def __init__(self, client: HubSpotClient, catalog: Catalog, writes: Sequence[Write]) -> None:
        self._client = client
        self._catalog = catalog
        self._groups: list[Group] = [tuple(writes)] if writes else []
        self._lost: list[Write] = []
        self.results: list[WriteResult] = []

    async def run(self) -> None:
        """Run until every field has a result."""
        try:
            while self._groups or self._lost:
                await (self._send_next() if self._groups else self._look_up_next())
        except ConnectorError:
            if not self.results:
                raise
            # raising now would make the runner repeat finished writes; the retry of the rest shows the error again
            left = [write for group in self._groups for write in group]
            self.results += [Again(write) for write in (*left, *self._lost)]

    async def _send_next(self) -> None:
        """Send the first group; remove it from the list only when its answer is known."""
        group = self._groups[0]
        updates = [ObjectUpdate(write.object_id, _properties(write)) for write in group]
        try:
            answer = await self._client.send(update_objects(group[0].object_type, updates))
        except Missing:
            self._groups[:1] = []
            self._lost += group
        except Refused as refusal:
            self._groups[:1] = self._without_the_bad(group, refusal.reason, refusal.fields)
        else:
            self._groups[:1] = self._settled(group, answer)

    async def _look_up_next(self) -> None:
        """Look up a record that a write did not find."""
        write = self._lost[0]
        target = await read_record(self._client, write.object_type, write.object_id, (), "live_read")
        self._lost.pop(0)
        if isinstance(target, Record):
            # the record exists: made visible, or restored, since the write
            self.results.append(Again(write))
        else:
            self.results.append(Vanished(write, target.at_ms, target.spread_ms, target.merged_into))

    def _settled(self, group: Group, answer: BatchResult) -> list[Group]:
        """Record the results of an answer's rows; return the groups to send again, each record once per group."""
        stored = {record.id: record for record in answer.results}
        errors = {id: error for error in answer.errors for id in error.ids}
        if len(group) == 1 and answer.errors:
            # only one row was sent, so the error means that row, named or not
            errors = {group[0].object_id: answer.errors[0]}
        written = [write for write in group if write.object_id in stored]
        self.results += [self._answered(write, stored[write.object_id]) for write in written]
        parts: list[Group] = []
        unexplained: list[Write] = []
        for write in (write for write in group if write.object_id not in stored):
            error = errors.get(write.object_id)
            if error is None:
                unexplained.append(write)
            else:
                parts.append(self._left_of(write, error))
        if len(group) > 1:
            # the error names no row: send each alone
            return [*_abreast(parts), *((write,) for write in unexplained)]
        self._lost += unexplained
        return _abreast(parts)

    def _left_of(self, write: Write, error: RowError) -> Group:
        """The rest of a write whose row was refused, in parts that cannot share a request."""
        if error.reason == "missing":
            self._lost.append(write)
            return ()
        if error.reason in PASSING:
            self.results.append(Again(write))
            return ()
        blamed = next((name for name in error.fields if name in write.fields), None)
        return self._halved_fields(write, error.reason) if blamed is None else self._cut(write, blamed, error.reason)

    def _without_the_bad(self, group: Group, reason: str, fields: tuple[str, ...]) -> list[Group]:
        """Smaller groups out of a refused one. Only the first blamed field is sure to be refused for this reason."""
        blamed = next((name for name in fields if any(name in write.fields for write in group)), None)
        if blamed is None:
            return halves(group) if len(group) > 1 else _abreast([self._halved_fields(group[0], reason)])
        concerned = tuple(write for write in group if blamed in write.fields)
        others = tuple(write for write in group if blamed not in write.fields)
        if reason in OF_THE_PROPERTY or len(concerned) == 1:
            rests = (part for write in concerned for part in self._cut(write, blamed, reason))
            return filled((*others, *rests))
        return filled(others, *halves(concerned))

    def _cut(self, write: Write, field: str, reason: str) -> Group:
        """Refuse one field of a write; return the rest of the write."""
        self.results.append(RefusedFields(_only_fields(write, [field]), (field,), reason))
        rest = [name for name in write.fields if name != field]
        return (_only_fields(write, rest),) if rest else ()

    def _halved_fields(self, write: Write, reason: str) -> Group:
        """Halve the fields of a record refused without a blamed field, until one stands alone."""
        names = list(write.fields)
        if len(names) < 2:
            self.results.append(RefusedFields(write, tuple(names), reason))
            return ()
        middle = len(names) // 2
        return _only_fields(write, names[:middle]), _only_fields(write, names[middle:])

    def _answered(self, write: Write, record: Record) -> Answered:
        at_ms, spread_ms = stamp(record.updated_at_ms, record.observed)
        stored = {}
        for name, sent in write.fields.items():
            kind = self._catalog.definition(write.object_type, name).type
            stored[name] = field_value(record.fields[name], kind) if name in record.fields else sent
        return Answered(write, stored, at_ms, spread_ms)


def _properties(write: Write) -> dict[str, str]:
    return {name: property_text(value) for name, value in write.fields.items()}


def _only_fields(write: Write, names: Sequence[str]) -> Write:
    return replace(write, fields={name: write.fields[name] for name in names})


def _abreast(parts: Sequence[Group]) -> list[Group]:
    """The first parts of all records as one group, the second parts as another: a record appears once per request."""
    return [tuple(part for part in abreast if part is not None) for abreast in zip_longest(*parts)]
