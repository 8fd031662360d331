"""The record endpoints: read, list, search, write, archive, merge, one at a time and in batches."""

import random
from collections.abc import Callable, Mapping, Sequence

from starlette.routing import Route

from connectors.hubspot.simulator import search
from connectors.hubspot.simulator.definitions import ObjectType
from connectors.hubspot.simulator.endpoints import (
    Asked,
    batch_answer,
    cursor_of,
    page_answer,
    position_of,
    route,
    whole_number,
)
from connectors.hubspot.simulator.errors import ErrorAnswer, Fault, invalid, invalid_properties, not_found
from connectors.hubspot.simulator.portal import Portal
from connectors.hubspot.simulator.rendering import render
from connectors.hubspot.simulator.settings import HubSpotSettings
from connectors.hubspot.simulator.store import ADDITIONAL_EMAILS, Record
from connectors.simulation.calls import Answer, Json, json_answer
from connectors.simulation.faults import FaultRule


class ObjectsApi:
    """Endpoints over a portal's records. `now_ms` is the vendor's clock."""

    def __init__(
        self, portal: Portal, settings: Callable[[], HubSpotSettings], now_ms: Callable[[], int], rng: random.Random
    ) -> None:
        self._portal, self._settings, self._now_ms, self._rng = portal, settings, now_ms, rng

    def routes(self) -> list[Route]:
        """Routes at canonical paths."""
        base = "/crm/objects/{type}"
        return [
            route("POST", base + "/batch/read", self._batch_read),
            route("POST", base + "/batch/update", self._batch_update),
            route("POST", base + "/batch/create", self._batch_create),
            route("POST", base + "/batch/archive", self._batch_archive),
            route("POST", base + "/search", self._search),
            route("POST", base + "/merge", self._merge),
            route("GET", base, self._list),
            route("POST", base, self._create),
            route("GET", base + "/{id}", self._get),
            route("PATCH", base + "/{id}", self._update),
            route("DELETE", base + "/{id}", self._archive),
        ]

    # reading

    async def _get(self, asked: Asked) -> Answer:
        kind = self._kind(asked)
        archived = asked.flag("archived")
        record = self._find(kind, asked.parts["id"], asked.query.get("idProperty"))
        if record is None or not self._visible(record, archived):
            raise not_found()
        return json_answer(200, self._shown(kind, record, asked, archived=archived))

    async def _list(self, asked: Asked) -> Answer:
        kind, cursors = self._kind(asked), self._settings().cursors
        limit, after = whole_number(asked.query.get("limit"), 10, 100), position_of(asked.query.get("after"), cursors)
        archived = asked.flag("archived")
        page: list[Record] = []
        for record in self._portal.store.all(kind.type_id, int(after)):
            if self._visible(record, archived):
                page.append(record)
            if len(page) > limit:
                break
        results = [self._shown(kind, record, asked, archived=archived) for record in page[:limit]]
        following = cursor_of(page[limit].record_id, cursors) if len(page) > limit else None
        return page_answer(results, following, f"/crm/v3/objects/{kind.name}")

    async def _batch_read(self, asked: Asked) -> Answer:
        kind, body = self._kind(asked), asked.body
        archived = asked.flag("archived")
        names, history = tuple(body.get("properties", ())), tuple(body.get("propertiesWithHistory", ()))
        results: dict[str, Json] = {}
        missing: list[str] = []
        errors: list[Json] = []
        for wanted in dict.fromkeys(str(one["id"]) for one in asked.inputs()):
            fault = _row_fault(asked, wanted)
            record = self._find(kind, wanted, body.get("idProperty"), self._settings().batch_read_resolves_merged)
            if fault is not None:
                errors.append(self._fault_row(fault, wanted))
            elif record is None or not self._visible(record, archived):
                missing.append(wanted)
            else:
                results[record.record_id] = self._render(kind, record, names, self._read_time(), history)
        return self._batch(list(results.values()), [*errors, *self._missing_rows(kind, missing)])

    async def _search(self, asked: Asked) -> Answer:
        kind = self._kind(asked)
        query = search.search_query(asked.body, asked.length)
        as_of_ms = self._now_ms() - int(self._settings().search_lag_ms)
        definitions = self._portal.definitions
        found = search.matching(self._portal.store.all(kind.type_id), query, kind, definitions, as_of_ms)
        page = found[query.after : query.after + query.limit]
        end = query.after + query.limit
        results = [self._render(kind, record, query.properties, as_of_ms) for record in page]
        return page_answer(results, str(end) if end < len(found) else None, "/search", len(found))

    # writing

    async def _create(self, asked: Asked) -> Answer:
        kind = self._kind(asked)
        properties = asked.body.get("properties", {})
        self._refuse_wished(asked, [properties])
        record = self._portal.create(kind, properties, self._portal.app)
        shown = self._render(kind, record, tuple(properties))
        self._portal.run_workflows(kind, record, tuple(properties))
        return json_answer(201, shown)

    async def _update(self, asked: Asked) -> Answer:
        kind = self._kind(asked)
        properties = asked.body.get("properties", {})
        self._refuse_wished(asked, [properties])
        fault = _row_fault(asked, asked.parts["id"])
        if fault is not None:
            return json_answer(fault.status, fault.body or self._fault_row(fault, asked.parts["id"]))
        record = self._find(kind, asked.parts["id"], asked.query.get("idProperty"))
        if record is None or not record.is_live():
            raise not_found()
        return json_answer(200, self._write(kind, record, properties))

    async def _batch_update(self, asked: Asked) -> Answer:
        kind, inputs = self._kind(asked), asked.inputs()
        self._refuse_whole(kind, asked, inputs)
        results: list[Json] = []
        missing: list[str] = []
        errors: list[Json] = []
        for one in inputs:
            wanted = str(one["id"])
            fault = _row_fault(asked, wanted)
            record = self._find(kind, wanted, one.get("idProperty"), follow=False)
            if fault is not None:
                errors.append(self._fault_row(fault, wanted))
            elif record is None or not record.is_live():
                missing.append(wanted)
            else:
                self._write_row(kind, record, one, results, errors)
        return self._batch(results, [*errors, *self._missing_rows(kind, missing)])

    def _write_row(self, kind: ObjectType, record: Record, one: Json, results: list[Json], errors: list[Json]) -> None:
        try:
            results.append(self._write(kind, record, one.get("properties", {})))
        except ErrorAnswer as refusal:
            named = {"ids": [str(one["id"])]} if self._settings().row_error_names_id else {}
            traced = {"objectWriteTraceId": [one["objectWriteTraceId"]]} if one.get("objectWriteTraceId") else {}
            errors.append({**refusal.row(), "context": {**refusal.context, **named, **traced}})

    def _write(self, kind: ObjectType, record: Record, properties: Mapping[str, Json]) -> Json:
        self._portal.update(kind, record, properties, self._portal.app)
        shown = self._render(kind, record, tuple(properties))
        self._portal.run_workflows(kind, record, tuple(properties))
        return shown

    async def _batch_create(self, asked: Asked) -> Answer:
        kind, inputs = self._kind(asked), asked.inputs()
        self._refuse_whole(kind, asked, inputs)
        for one in inputs:
            self._portal.checked(kind, one.get("properties", {}), self._portal.app)
        records = [self._portal.create(kind, one.get("properties", {}), self._portal.app) for one in inputs]
        return batch_answer([self._render(kind, record, None) for record in records], [], self._now_ms(), 201)

    async def _archive(self, asked: Asked) -> Answer:
        kind = self._kind(asked)
        self._archive_one(kind, asked.parts["id"])
        return Answer(204)

    async def _batch_archive(self, asked: Asked) -> Answer:
        kind = self._kind(asked)
        for one in asked.inputs():
            self._archive_one(kind, str(one["id"]))
        return Answer(204)

    def _archive_one(self, kind: ObjectType, record_id: str) -> None:
        record = self._portal.store.find(kind.type_id, record_id)
        if record is not None and record.is_live():
            self._portal.archive(kind, record, self._portal.app)

    async def _merge(self, asked: Asked) -> Answer:
        kind = self._kind(asked)
        ids = (str(asked.body["primaryObjectId"]), str(asked.body["objectIdToMerge"]))
        first, other = (self._portal.store.find(kind.type_id, record_id) for record_id in ids)
        if first is None or other is None or first is other:
            raise not_found()
        survivor = self._portal.merge(kind, first, other, self._portal.app)
        return json_answer(200, self._render(kind, survivor, None))

    # shared by reading and writing

    def _kind(self, asked: Asked) -> ObjectType:
        return self._portal.definitions.resolve(asked.parts["type"])

    def _read_time(self) -> int | None:
        lag_ms = int(self._settings().read_lag_ms)
        return self._now_ms() - lag_ms if lag_ms else None

    def _visible(self, record: Record, archived: bool) -> bool:
        return record.archived_ms is not None if archived else record.is_live(self._read_time())

    def _find(self, kind: ObjectType, wanted: str, id_property: str | None, follow: bool = True) -> Record | None:
        store = self._portal.store
        if id_property is None:
            return store.find(kind.type_id, wanted, follow=follow)
        definition = self._portal.definitions.get(kind, id_property)
        by_email = (kind.type_id, id_property) == ("0-1", "email")
        if definition is None or not (definition.unique or by_email):
            raise invalid(f"Unable to perform the operation by non-unique property {id_property}")
        found = store.find_by(kind.type_id, id_property, wanted)
        if not found and by_email:
            found = store.find_by(kind.type_id, ADDITIONAL_EMAILS, wanted)
        return next((record for record in found if record.is_live()), None)

    def _shown(self, kind: ObjectType, record: Record, asked: Asked, *, archived: bool = False) -> Json:
        history = asked.names("propertiesWithHistory") or ()
        shown = self._render(kind, record, asked.names("properties"), None if archived else self._read_time(), history)
        joined = {name: self._linked(kind, record, name) for name in asked.names("associations") or ()}
        return {**shown, "associations": joined} if any(joined.values()) else shown

    def _render(
        self,
        kind: ObjectType,
        record: Record,
        names: Sequence[str] | None,
        as_of_ms: int | None = None,
        history: Sequence[str] = (),
    ) -> Json:
        # HubSpot leaves out unknown and unreadable properties instead of refusing them
        known = self._portal.readable(kind, names or kind.shown)
        return render(kind, record, known, as_of_ms, self._portal.readable(kind, history))

    def _linked(self, kind: ObjectType, record: Record, name: str) -> Json:
        other = self._portal.definitions.resolve(name)
        links = self._portal.associations.linked(kind, record.record_id, other)
        return {"results": [{"id": to_id, "type": f"{kind.word}_to_{other.word}"} for to_id, _ in links]}

    def _batch(self, results: list[Json], errors: list[Json]) -> Answer:
        if self._settings().batch_results_shuffled:
            self._rng.shuffle(results)
        return batch_answer(results, errors, self._now_ms())

    def _missing_rows(self, kind: ObjectType, missing: Sequence[str]) -> list[Json]:
        text = f"Could not get some {kind.word.upper()} objects, they may be deleted or not exist."
        together = [list(missing)] if self._settings().not_found_aggregated and missing else [[one] for one in missing]
        return [ErrorAnswer(404, "OBJECT_NOT_FOUND", text, context={"ids": ids}).row() for ids in together]

    def _fault_row(self, fault: FaultRule, wanted: str) -> Json:
        given = fault.body or {}
        category, text = given.get("category", "VALIDATION_ERROR"), given.get("message", "The row was refused.")
        named = {"ids": [wanted]} if self._settings().row_error_names_id else {}
        return {**ErrorAnswer(fault.status, category, text).row(), "context": named, **given}

    def _refuse_wished(self, asked: Asked, writes: Sequence[Mapping[str, Json]]) -> None:
        for rule in asked.faults:
            if rule.action == "refuse_property" and any(rule.property in properties for properties in writes):
                fault = Fault(rule.property, rule.code, f'Property "{rule.property}" does not exist')
                raise invalid_properties([fault], self._settings().error_details)

    def _refuse_whole(self, kind: ObjectType, asked: Asked, inputs: Sequence[Json]) -> None:
        writes = [one.get("properties", {}) for one in inputs]
        self._refuse_wished(asked, writes)
        names = list(dict.fromkeys(name for properties in writes for name in properties))
        unknown = self._portal.unknown(kind, names)
        if unknown:
            raise invalid_properties(unknown, self._settings().error_details)
        ids = [str(one["id"]) for one in inputs if "id" in one]
        if len(set(ids)) < len(ids):
            raise invalid(f"Duplicate IDs found in batch input: {sorted({one for one in ids if ids.count(one) > 1})}")
        if self._settings().batch_value_errors == "batch":
            for properties in writes:
                self._portal.checked(kind, properties, self._portal.app)


def _row_fault(asked: Asked, wanted: str) -> FaultRule | None:
    rows = (rule for rule in asked.faults if rule.action == "row_error")
    return next((rule for rule in rows if rule.object_id in (None, wanted)), None)
