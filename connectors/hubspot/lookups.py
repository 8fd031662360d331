"""Single records by id, or by a value through HubSpot's search, in a bounded number of calls."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from connectors.contract.errors import Refused
from connectors.contract.source import MOST_FOUND, Gone
from connectors.http.batches import halves
from connectors.http.messages import Purpose
from connectors.http.observed import observed
from connectors.hubspot.client import HubSpotClient
from connectors.hubspot.protocol import (
    Filter,
    Record,
    RecordPage,
    Search,
    fits_address,
    get_object,
    read_objects,
    search_objects,
)
from connectors.hubspot.translate import gone, is_number
from schemas.values import FieldDefinition

Values = tuple[str, ...]


async def search_ids(
    client: HubSpotClient, object_type: str, field: FieldDefinition, values: Sequence[str]
) -> tuple[str, ...]:
    """Ids of all records that hold one of the values, in any letter case; only some ids if many records share a value.

    One page usually suffices. Otherwise values seen on many records count as answered, and the remaining values are
    searched again: a placeholder on 50,000 records costs two calls.
    """
    by_value: dict[str, list[str]] = {}
    waiting = [_searchable(field, values)]
    while waiting:
        asked = waiting.pop()
        if not asked:
            continue
        page = await _page(client, object_type, field, asked)
        if page is None:
            waiting += halves(asked)
            continue
        here = _by_value(page, field.name)
        by_value |= {value: ids[:MOST_FOUND] for value, ids in here.items()}
        if page.after is not None:
            waiting += _rest(asked, here)
    return tuple(dict.fromkeys(id for ids in by_value.values() for id in ids))


def _searchable(field: FieldDefinition, values: Sequence[str]) -> Values:
    """The values as IN takes them: texts in lower case; for a number property only numbers."""
    if field.type == "number":
        return tuple(value for value in values if is_number(value))
    return tuple(dict.fromkeys(value.lower() if field.type == "string" else value for value in values))


async def _page(client: HubSpotClient, object_type: str, field: FieldDefinition, asked: Values) -> RecordPage | None:
    """The first page; None if the values do not fit into one request."""
    condition = Filter(field.name, "IN", values=asked)
    try:
        return await client.send(search_objects(object_type, Search(((condition,),), (field.name,))))
    except Refused as refusal:
        if refusal.reason == "search_too_long" and len(asked) > 1:
            return None
        raise


def _by_value(page: RecordPage, name: str) -> Mapping[str, list[str]]:
    ids: dict[str, list[str]] = defaultdict(list)
    for record in page.records:
        ids[(record.fields.get(name) or "").lower()].append(record.id)
    return ids


def _rest(asked: Values, shown: Mapping[str, Sequence[str]]) -> list[Values]:
    """The values still to search: those not seen on many records; fewer each time."""
    few = tuple(value for value in asked if len(shown.get(value.lower(), ())) < MOST_FOUND)
    return [few] if len(few) < len(asked) else halves(asked)


async def read_record(
    client: HubSpotClient, object_type: str, object_id: str, fields: tuple[str, ...], purpose: Purpose
) -> Record | Gone:
    """The record with exactly this id; Gone if there is none, or if the id leads to a merge survivor."""
    named = fields if fits_address(fields) else ()
    answer = await client.send(observed(get_object(object_type, object_id, named, purpose=purpose)))
    record = answer.answer
    if record is None or record.archived:
        return gone(object_id, answer.interval)
    if record.id != object_id:
        return gone(object_id, answer.interval, record.id)
    if named == fields:
        return record
    batch = await client.send(read_objects(object_type, (object_id,), fields, purpose=purpose))
    there = (one for one in batch.results if one.id == object_id and not one.archived)
    return next(there, None) or gone(object_id, answer.interval)
