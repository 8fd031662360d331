"""Reads and searches records and writes fields of existing ones; no call here creates a record.

Follows HubSpot's guides "using object APIs" and "search the CRM".
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlencode

from connectors.contract.errors import Missing, Refused, Transient
from connectors.http.answers import content
from connectors.http.lenient_json import (
    JsonObject,
    flag_at,
    is_compound,
    object_at,
    objects_at,
    text_at,
    texts_at,
    time_at,
    told_at,
    whole_at,
)
from connectors.http.messages import Call, Purpose, Request, Response, VendorInterval, json_request, segment
from connectors.hubspot.protocol.answers import (
    accept,
    batch_rows,
    call,
    field_problems,
    following,
    reason_of,
    rows,
    trace_of,
)
from connectors.hubspot.protocol.limits import BATCH_LIMIT, LIST_LIMIT, QUERY_LIMIT, SEARCH_BODY_LIMIT, SEARCH_LIMIT
from connectors.hubspot.protocol.paths import OBJECTS

SEARCH_WINDOW = 10_000
SHOWN_NOTHING = frozenset({202, 204})
"""Statuses of a write that is done, or taken, and whose answer shows nothing of what was stored."""

OBJECT_TYPE_IDS = {"contacts": "0-1", "companies": "0-2", "deals": "0-3", "tickets": "0-5"}

_ID_NAMES = ("objectWriteTraceId", "ids", "id", "objectIds", "objectId")
"""Keys of a row error's context that may name the rows."""

Operator = Literal["EQ", "NEQ", "LT", "LTE", "GT", "GTE", "BETWEEN", "IN", "NOT_IN", "HAS_PROPERTY", "NOT_HAS_PROPERTY"]


@dataclass(frozen=True, slots=True)
class Record:
    """One record; `fields` holds the requested properties as text, None for no value; one whose value is none lacks.

    Times are epoch milliseconds; after a merge `id` can differ from the requested id. `archived` None: not told.
    """

    id: str
    fields: Mapping[str, str | None] = field(repr=False)
    created_at_ms: int | None = None
    updated_at_ms: int | None = None
    archived: bool | None = None
    observed: VendorInterval | None = None
    archived_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class RowError:
    """The reason why rows of a batch failed; `ids` are the ids sent, empty if the error names none."""

    ids: tuple[str, ...] = dataclasses.field(repr=False)
    reason: str
    category: str
    fields: tuple[str, ...] = ()
    trace: str | None = None

    @property
    def field(self) -> str | None:
        """The first blamed field."""
        return self.fields[0] if self.fields else None


@dataclass(frozen=True, slots=True)
class BatchResult:
    """The records in the answer to a batch, and its row errors."""

    results: tuple[Record, ...]
    errors: tuple[RowError, ...] = ()


BatchRead = BatchResult
BatchUpdate = BatchResult


@dataclass(frozen=True, slots=True)
class ObjectUpdate:
    """The properties to write to one existing record; an empty text clears."""

    id: str
    properties: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class RecordPage:
    """Some records and the cursor of the next page, None at the end; only search knows `total`."""

    records: tuple[Record, ...]
    after: str | None = None
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition; `values` for IN and NOT_IN, `high` for BETWEEN. Times are epoch milliseconds as text."""

    property: str
    operator: Operator
    value: str | None = field(default=None, repr=False)
    values: tuple[str, ...] = field(default=(), repr=False)
    high: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Search:
    """A search: a record matches if all conditions of any group hold. One sort property at most."""

    groups: tuple[tuple[Filter, ...], ...]
    properties: tuple[str, ...] = ()
    sort: str | None = None
    descending: bool = False
    after: str | None = None
    limit: int = SEARCH_LIMIT


def list_objects(
    object_type: str,
    properties: Sequence[str],
    *,
    after: str | None = None,
    limit: int = LIST_LIMIT,
    archived: bool = False,
) -> Call[RecordPage]:
    """One page of a whole type, in the order of ids; `archived` lists the recycling bin instead."""
    query = [("limit", str(limit)), *_properties_query(properties)]
    query += [("after", after)] if after else []
    query += [("archived", "true")] if archived else []
    request = Request("GET", f"{OBJECTS}/{segment(object_type)}", tuple(query))
    return call(request, _page, "bulk_read")


def read_objects(
    object_type: str,
    ids: Sequence[str],
    properties: Sequence[str],
    *,
    id_property: str | None = None,
    archived: bool = False,
    purpose: Purpose = "live_read",
) -> Call[BatchRead]:
    """Up to 100 records by id, or by a unique property (`email` for contacts), which `fields` then identifies.

    `archived` reads those in the recycling bin instead.
    """
    inputs = [{"id": id} for id in _batch(ids)]
    body: dict[str, object] = {"inputs": inputs, "properties": list(properties)}
    if id_property:
        body["idProperty"] = id_property
    request = json_request("POST", f"{OBJECTS}/{segment(object_type)}/batch/read", body)
    if archived:
        request = dataclasses.replace(request, query=(("archived", "true"),))
    return call(request, _batch_result, purpose)


def get_object(
    object_type: str,
    id: str,
    properties: Sequence[str],
    *,
    archived: bool = False,
    purpose: Purpose = "live_read",
) -> Call[Record | None]:
    """One record, None if there is none; a merged id answers with its survivor."""
    query = (*_properties_query(properties), *([("archived", "true")] if archived else []))
    request = Request("GET", f"{OBJECTS}/{segment(object_type)}/{segment(id)}", query)

    def parse(response: Response) -> Record | None:
        try:
            accept(response, "read", id)
        except Missing:
            return None
        return _record(content(response), response)

    return Call(request, parse, purpose)


def update_objects(object_type: str, updates: Sequence[ObjectUpdate]) -> Call[BatchUpdate]:
    """Update up to 100 existing records; HubSpot refuses merged ids."""
    _batch([update.id for update in updates])
    inputs = [
        {"id": update.id, "properties": dict(update.properties), "objectWriteTraceId": update.id} for update in updates
    ]
    path = f"{OBJECTS}/{segment(object_type)}/batch/update"

    def updated(response: Response) -> BatchUpdate:
        if response.status not in SHOWN_NOTHING or response.body:
            return _batch_result(response)
        return BatchUpdate(tuple(Record(update.id, {}, observed=response.observed) for update in updates))

    return call(json_request("POST", path, {"inputs": inputs}, "write"), updated, "write")


def search_objects(object_type: str, search: Search) -> Call[RecordPage]:
    """One page; search lags behind writes, never shows archived records, ends at 10,000 results.

    Raises Refused `search_too_long` if the conditions do not fit into one request.
    """
    body: dict[str, object] = {
        "filterGroups": [{"filters": [_filter(part) for part in group]} for group in search.groups],
        "properties": list(search.properties),
        "limit": search.limit,
    }
    if search.sort:
        direction = "DESCENDING" if search.descending else "ASCENDING"
        body["sorts"] = [{"propertyName": search.sort, "direction": direction}]
    if search.after:
        body["after"] = search.after
    request = json_request("POST", f"{OBJECTS}/{segment(object_type)}/search", body)
    if len((request.body or b"").decode()) > SEARCH_BODY_LIMIT:
        raise Refused("search_too_long")
    return call(request, _page, "search")


def _filter(condition: Filter) -> dict[str, object]:
    body: dict[str, object] = {"propertyName": condition.property, "operator": condition.operator}
    if condition.value is not None:
        body["value"] = condition.value
    if condition.values:
        body["values"] = list(condition.values)
    if condition.high is not None:
        body["highValue"] = condition.high
    return body


def fits_address(properties: Sequence[str]) -> bool:
    """Whether an address may name these properties; where not, `read_objects` names them in its body."""
    return len(urlencode(_properties_query(properties))) <= QUERY_LIMIT


def _properties_query(properties: Sequence[str]) -> tuple[tuple[str, str], ...]:
    return (("properties", ",".join(properties)),) if properties else ()


def _batch(ids: Sequence[str]) -> Sequence[str]:
    if not 0 < len(ids) <= BATCH_LIMIT or len(set(ids)) != len(ids):
        raise ValueError(f"a batch takes 1 to {BATCH_LIMIT} different ids")
    return ids


def _page(response: Response) -> RecordPage:
    records = _records(rows(response), response)
    raw = content(response)
    return RecordPage(records, following(raw), whole_at(raw, "total"))


def _batch_result(response: Response) -> BatchResult:
    records = _records(batch_rows(response), response)
    return BatchResult(records, tuple(_row_error(error) for error in objects_at(content(response), "errors")))


def _row_error(error: JsonObject) -> RowError:
    context = object_at(error, "context")
    ids = next((ids for name in _ID_NAMES if (ids := texts_at(context, name))), ())
    fields = tuple(problem.field for problem in field_problems(error))
    return RowError(ids, reason_of(error), text_at(error, "category") or "", fields, trace_of(error))


def _records(raw: tuple[JsonObject, ...], response: Response) -> tuple[Record, ...]:
    return tuple(_record(item, response) for item in raw)


def _record(raw: JsonObject, response: Response) -> Record:
    id, properties = text_at(raw, "id"), object_at(raw, "properties")
    if not id:
        raise Transient("unreadable_answer")
    return Record(
        id,
        {name: told_at(properties, name) for name, value in properties.items() if not is_compound(value)},
        time_at(raw, "createdAt"),
        response.believed(time_at(raw, "updatedAt")),
        flag_at(raw, "archived") if raw.get("archived") is not None else None,
        response.observed,
        response.believed(time_at(raw, "archivedAt")),
    )
