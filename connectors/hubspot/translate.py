"""HubSpot's texts, records and webhook events <-> the values and records of `schemas`; no network, no clock."""

import datetime as dt
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Final

from connectors.contract.errors import Transient
from connectors.contract.source import AssociatedNews, Gone, News, Seen
from connectors.http.lenient_json import iso_instant
from connectors.http.messages import VendorInterval
from connectors.hubspot.associated import OBJECT_ID, shown_by, shown_name
from connectors.hubspot.object_types import ObjectTypes
from connectors.hubspot.protocol import AssociationChange, Record, WebhookEvent
from schemas.records import StampedValue
from schemas.values import FieldDefinition, FieldType, FieldValue, instant

SEPARATOR = ";"
ANY_READ_MS = 0
"""The time of news that any read satisfies."""

_INT64 = 2**63
_EXACT_IN_DOUBLE = 2**53
_WHOLE = re.compile(r"([+-]?[0-9]{1,25})(\.0*)?")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_EPOCH_MS = re.compile(r"-?[0-9]{1,18}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def field_value(text: str | None, kind: FieldType) -> FieldValue:
    """The value of a property's text, read as `kind`; empty is null, and unreadable text stays text.

    Numbers are exact to the double, whole ones an int (within 64 bits); dates arrive as `YYYY-MM-DD` or epoch
    milliseconds, instants as ISO 8601 or epoch milliseconds.
    """
    if text is None or text == "":
        return None
    return _READERS.get(kind, _as_text)(text)


def property_text(value: FieldValue) -> str:
    """The text that HubSpot stores for a value; empty clears. Dates and instants go as ISO 8601 in UTC."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            return _digits(value)
        case dt.datetime():
            return _iso(value)
        case dt.date():
            return value.isoformat()
        case tuple():
            # a leading separator would append to the stored options
            return SEPARATOR.join(item for item in value if item)
    return value


def stamp(updated_at_ms: int | None, observed: VendorInterval | None) -> tuple[int, int]:
    """(at_ms, spread_ms) of an answer: HubSpot's modified time, else the interval in which the answer was true.

    Raises Transient `undated_answer` if HubSpot sent neither: our own clock orders nothing.
    """
    if updated_at_ms is not None:
        return updated_at_ms, 0
    if observed is None:
        raise Transient("undated_answer")
    return observed.earliest_ms, observed.latest_ms - observed.earliest_ms


def seen(record: Record, definitions: Mapping[str, FieldDefinition]) -> Seen:
    """A record with those fields of `definitions` that it holds: a cleared one keeps its key, with null."""
    at_ms, spread_ms = stamp(record.updated_at_ms, record.observed)
    fields = {
        name: StampedValue(stored_value(record, definition), at_ms, spread_ms)
        for name, definition in definitions.items()
        if tells(record, name)
    }
    return Seen(record.id, fields, at_ms, spread_ms, unknown=tuple(definitions.keys() - fields.keys()))


def tells(record: Record, name: str) -> bool:
    """Whether a record shows a property: HubSpot leaves out archived and unreadable ones."""
    return name == OBJECT_ID or name in record.fields


def gone(object_id: str, observed: VendorInterval | None, merged_into: str | None = None) -> Gone:
    """The Gone of a record that an answer showed to be deleted, or merged into another."""
    at_ms, spread_ms = stamp(None, observed)
    return Gone(object_id, at_ms, spread_ms, merged_into)


def stored_value(record: Record, definition: FieldDefinition) -> FieldValue:
    """The value of one field of a record."""
    text = record.id if definition.name == OBJECT_ID else record.fields.get(definition.name)
    return field_value(text, definition.type)


def is_number(text: str) -> bool:
    """Whether a number property can hold the text."""
    return _NUMBER.fullmatch(text) is not None


def news(event: WebhookEvent, types: ObjectTypes) -> tuple[News, ...]:
    """The news of catalog objects in one event; empty if it concerns others."""
    if event.association is not None:
        return _association_news(event.association, types)
    name = types.name(event.object_type_id)
    translator = _HAPPENINGS.get(event.happening)
    return translator(event, name, types) if name is not None and translator is not None else ()


def _changed(event: WebhookEvent, name: str, types: ObjectTypes) -> tuple[News, ...]:
    field = event.property_name
    if field is not None and field not in types.catalog.wanted(name):
        return ()
    if field is None or event.occurred_at_ms is None:  # which of its properties changed, a read shows
        return (_to_be_read(name, event.object_id, ANY_READ_MS),)
    if not event.value_told:
        return (_to_be_read(name, event.object_id, event.occurred_at_ms),)
    value = field_value(event.property_value, types.catalog.definition(name, field).type)
    fields = {field: StampedValue(value, event.occurred_at_ms)}
    return (News(name, event.object_id, "upserted", fields, event.occurred_at_ms, 0, complete=False, ours=event.ours),)


def _modified(event: WebhookEvent, name: str, types: ObjectTypes) -> tuple[News, ...]:
    """A poll found the record modified then: an older read lags behind the index that told it."""
    return (_to_be_read(name, event.object_id, event.occurred_at_ms),)


def _created(event: WebhookEvent, name: str, types: ObjectTypes) -> tuple[News, ...]:
    """Any read that shows the record is new enough."""
    return (_to_be_read(name, event.object_id, ANY_READ_MS),)


def _other(event: WebhookEvent, name: str, types: ObjectTypes) -> tuple[News, ...]:
    """A kind of event that nobody knew: whatever it means, a read shows what the record holds, or that it is gone."""
    read = _to_be_read(name, event.object_id, ANY_READ_MS)
    return (replace(read, of_deletion=True),) if event.object_id else ()


def _restored(event: WebhookEvent, name: str, types: ObjectTypes) -> tuple[News, ...]:
    """A restore need not move the modified time: the news itself dates the record's return."""
    back = _to_be_read(name, event.object_id, ANY_READ_MS)
    if event.occurred_at_ms is None:
        return (back,)
    return (News(name, event.object_id, "upserted", {}, event.occurred_at_ms, 0, complete=True), back)


def _deleted(event: WebhookEvent, name: str, types: ObjectTypes) -> tuple[News, ...]:
    return (_gone_news(name, event.object_id, event.occurred_at_ms),)


def _erased(event: WebhookEvent, name: str, types: ObjectTypes) -> tuple[News, ...]:
    """An erasure holds whatever its time, and in whatever order it comes with the deletion."""
    at_ms = event.occurred_at_ms or ANY_READ_MS
    return (News(name, event.object_id, "erased", {}, at_ms, 0, complete=True),)


def _merged(event: WebhookEvent, name: str, types: ObjectTypes) -> tuple[News, ...]:
    if event.merge is None:
        return ()
    survivor, merged_ids = event.merge.survivor_id, event.merge.merged_ids
    # a survivor of two others is a new record: any read that shows it is new enough
    since_ms = ANY_READ_MS if len(merged_ids) > 1 else event.occurred_at_ms
    away = (_gone_news(name, merged_id, event.occurred_at_ms, survivor) for merged_id in merged_ids)
    return (*away, _to_be_read(name, survivor, since_ms))


def _association_news(change: AssociationChange, types: ObjectTypes) -> tuple[News, ...]:
    """Read each end that shows fields of the other; no modified time moves, so any read is new enough."""
    ends = (
        (change.from_type_id, change.from_id, change.to_type_id),
        (change.to_type_id, change.to_id, change.from_type_id),
    )
    named = [(types.name(type_id or ""), object_id, other) for type_id, object_id, other in ends]
    return tuple(
        _to_be_read(name, object_id, ANY_READ_MS)
        for name, object_id, other in named
        if name is not None and object_id and types.shows(name, other)
    )


def associated_news(event: WebhookEvent, types: ObjectTypes) -> tuple[AssociatedNews, ...]:
    """The news, in one event, of a record whose fields others show."""
    name = types.associated(event.object_type_id)
    at_ms = event.occurred_at_ms or ANY_READ_MS
    if name is None or event.association is not None:
        return ()
    match event.happening:
        case "changed":
            return _changed_associate(event, name, types)
        case "deleted" | "privacy_deleted":
            return (AssociatedNews(name, event.object_id, "gone", at_ms),)
        case "restored":
            return (AssociatedNews(name, event.object_id, "back", at_ms),)
        case "merged" if event.merge is not None:
            away = tuple(AssociatedNews(name, merged_id, "gone", at_ms) for merged_id in event.merge.merged_ids)
            # a survivor of two others is a new record, shown by none yet
            kept = (AssociatedNews(name, event.merge.survivor_id, "changed", at_ms),) if len(away) == 1 else ()
            return (*away, *kept)
    return ()


def _changed_associate(event: WebhookEvent, name: str, types: ObjectTypes) -> tuple[AssociatedNews, ...]:
    own, at_ms = event.property_name, event.occurred_at_ms
    showing = [mapped for mapped, names in shown_by(types.catalog, name).items() if own is None or own in names]
    if not showing:
        return ()
    if own is None or at_ms is None or not event.value_told:
        return (AssociatedNews(name, event.object_id, "changed", at_ms or ANY_READ_MS),)
    kind = types.catalog.definition(showing[0], shown_name(name, own)).type
    fields = {own: StampedValue(field_value(event.property_value, kind), at_ms)}
    return (AssociatedNews(name, event.object_id, "changed", at_ms, fields),)


def _to_be_read(name: str, object_id: str, at_ms: int | None) -> News:
    return News(name, object_id, "upserted", {}, at_ms or ANY_READ_MS, 0, complete=False)


def _gone_news(name: str, object_id: str, at_ms: int | None, merged_into: str | None = None) -> News:
    """A deletion without a time cannot be ordered: read the record instead."""
    if at_ms is None:
        return replace(_to_be_read(name, object_id, ANY_READ_MS), of_deletion=True)
    return News(name, object_id, "deleted", {}, at_ms, 0, complete=True, merged_into=merged_into)


_HAPPENINGS: Final[Mapping[str, Callable[[WebhookEvent, str, ObjectTypes], tuple[News, ...]]]] = {
    "changed": _changed,
    "modified": _modified,
    "created": _created,
    "restored": _restored,
    "deleted": _deleted,
    "privacy_deleted": _erased,
    "merged": _merged,
    "other": _other,
}


def _as_text(text: str) -> FieldValue:
    return text


def _as_number(text: str) -> FieldValue:
    whole = _WHOLE.fullmatch(text)
    if whole and -_INT64 <= int(whole[1]) < _INT64:
        return int(whole[1])
    number = float(text) if _NUMBER.fullmatch(text) else math.inf
    if not math.isfinite(number):
        return text
    return int(number) if number.is_integer() and abs(number) <= _EXACT_IN_DOUBLE else number


def _as_boolean(text: str) -> FieldValue:
    return {"true": True, "false": False}.get(text.lower(), text)


def _as_date(text: str) -> FieldValue:
    try:
        if _DAY.fullmatch(text):
            return dt.date.fromisoformat(text)
        return _moment(text).date()
    except (ValueError, OverflowError):
        return text


def _as_datetime(text: str) -> FieldValue:
    try:
        return _moment(text)
    except (ValueError, OverflowError):
        return text


def _moment(text: str) -> dt.datetime:
    """The instant in UTC, cut to the millisecond; no offset means UTC."""
    if _EPOCH_MS.fullmatch(text):
        return instant(int(text))
    return iso_instant(text)


def _as_options(text: str) -> FieldValue:
    return tuple(dict.fromkeys(item for item in text.split(SEPARATOR) if item)) or None


_READERS: Final[Mapping[FieldType, Callable[[str], FieldValue]]] = {
    "number": _as_number,
    "boolean": _as_boolean,
    "date": _as_date,
    "datetime": _as_datetime,
    "multi_select": _as_options,
}


def _digits(number: int | float) -> str:
    """Every digit without an exponent; repr() is the shortest text that reads back as the same double."""
    if isinstance(number, int) or (number.is_integer() and abs(number) < _INT64):
        return str(int(number))
    text = format(Decimal(repr(number)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _iso(moment: dt.datetime) -> str:
    utc = moment if moment.tzinfo is None else moment.astimezone(dt.UTC)
    return utc.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
