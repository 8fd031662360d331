"""Reads users and groups (companies), and writes attributes of objects just read.

Userflow has no update-only call: call `upsert_object` only for an id read right before.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from connectors.contract.errors import PAGE_EMPTY, Missing, Refused, Transient
from connectors.http.answers import content
from connectors.http.lenient_json import JsonObject, flag_at, objects_at, text_at, time_at
from connectors.http.messages import Call, Purpose, Request, Response, VendorInterval, json_request, segment
from connectors.userflow.protocol.answers import accept, call, deletion, missing_in_words

LIST_LIMIT = 100

Kind = Literal["users", "groups"]

DataType = Literal["string", "number", "boolean", "datetime", "list"]

Attribute = None | bool | int | float | str | Sequence[str] | Mapping[str, object]
"""A literal, or a change object as `change` makes it."""


@dataclass(frozen=True, slots=True)
class Membership:
    """A user's membership of a group."""

    user_id: str | None
    group_id: str | None


@dataclass(frozen=True, slots=True)
class Record:
    """One user or group; `attributes` is JSON as received, `memberships` None unless requested."""

    kind: Kind
    id: str
    attributes: Mapping[str, object] = field(repr=False)
    created_at_ms: int | None = None
    memberships: tuple[Membership, ...] | None = None
    observed: VendorInterval | None = None


@dataclass(frozen=True, slots=True)
class RecordPage:
    """Some records, oldest first, and the cursor of the next page, None at the end; `more`: the page's own claim.

    `first_id`: of the first row, which may be of an object that was deleted; None for an empty page.
    """

    records: tuple[Record, ...]
    next_cursor: str | None = None
    more: bool = False
    first_id: str | None = None


def get_object(
    kind: Kind, id: str, *, memberships: bool = False, purpose: Purpose = "live_read"
) -> Call[Record | None]:
    """One user or group, None if there is none."""
    query = (("expand", "memberships"),) if memberships else ()
    request = Request("GET", f"/{kind}/{segment(id)}", query)

    def parse(response: Response) -> Record | None:
        try:
            accept(response, "read", id)
        except Missing:
            return None
        except Refused as refusal:
            if missing_in_words(refusal, response):
                return None
            raise
        told = content(response)
        return None if is_deleted(told) else record(told, kind, response.observed)

    return Call(request, parse, purpose)


def list_objects(
    kind: Kind,
    *,
    starting_after: str | None = None,
    email: str | None = None,
    memberships: bool = False,
    limit: int = LIST_LIMIT,
    purpose: Purpose = "bulk_read",
    order_by: str = "created_at",
) -> Call[RecordPage]:
    """One page, in order of creation unless told otherwise; Refused `cursor_gone` where `starting_after` was deleted.

    The server may ignore `email` (users only), so the caller checks each record's own.
    """
    query = [("limit", str(limit)), ("order_by", order_by)]
    query += [("starting_after", starting_after)] if starting_after else []
    query += [("email", email)] if email else []
    query += [("expand", "memberships")] if memberships else []

    def page(response: Response) -> RecordPage:
        raw, told = listed(response), content(response)
        records = tuple(record(item, kind, response.observed) for item in raw if not is_deleted(item))
        first_id, last_id = (text_at(raw[0], "id"), text_at(raw[-1], "id")) if raw else (None, None)
        more = is_more(told, limit)
        return RecordPage(records, last_id if more else None, more, first_id)

    return call(Request("GET", f"/{kind}", tuple(query)), page, purpose)


def upsert_object(kind: Kind, id: str, attributes: Mapping[str, Attribute]) -> Call[Record]:
    """Write attributes, leaving others; Userflow CREATES an unknown id, so the caller has just read the object.

    An answer with another `created_at_ms` than the one read reveals a creation.
    """
    segment(id)
    body = {"id": id, "attributes": dict(attributes)}
    request = json_request("POST", f"/{kind}", body, "write")

    def written(response: Response) -> Record:
        return record(content(response), kind, response.observed)

    return call(request, written, "write", object_id=id)


def delete_object(kind: Kind, id: str) -> Call[bool]:
    """Only for the guard that deletes what an upsert created: True if deleted, False if there was none."""
    return deletion(f"/{kind}", id, "write")


def change(value: Attribute, data_type: DataType) -> Mapping[str, object]:
    """The attribute set to a value of a named type, so that Userflow does not guess the type."""
    return {"set": value, "data_type": data_type}


def instant_text(epoch_ms: int) -> str:
    """ISO 8601 in UTC with milliseconds, as Userflow writes its own times."""
    moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=epoch_ms)
    return moment.isoformat(timespec="milliseconds")


def is_deleted(raw: JsonObject) -> bool:
    """Whether an answer shows only what is left of an object, as the answer to a deletion does."""
    return flag_at(raw, "deleted") and not isinstance(raw.get("attributes"), dict)


def record(raw: JsonObject, kind: Kind, observed: VendorInterval | None = None) -> Record:
    """A user or group from its JSON; Transient if the id or the attributes are missing."""
    id, attributes = text_at(raw, "id"), raw.get("attributes")
    if not id or not isinstance(attributes, dict):
        raise Transient("unreadable_answer")
    return Record(kind, id, attributes, time_at(raw, "created_at"), _memberships(raw), observed)


def listed(response: Response) -> tuple[JsonObject, ...]:
    """The `data` of a list; an answer without `data` is no empty list."""
    raw = content(response)
    if not isinstance(raw.get("data"), list):
        raise Transient("unreadable_answer", status=response.status)
    return objects_at(raw, "data")


def next_cursor(page: JsonObject, last_id: str | None) -> str | None:
    """The id of the last object: `next_page_url` names it too, in an undocumented encoding.

    A `+` of its cursor may mean itself or a space: a wrong reading named no object, and crawls restarted.
    """
    return last_id if is_more(page) else None


def cursor_of(page: JsonObject, last_id: str | None) -> str | None:
    """The same for a list that is read whole: Refused `paging_page_empty` where others follow that nobody can name."""
    if is_more(page) and last_id is None:
        raise Refused(PAGE_EMPTY)
    return next_cursor(page, last_id)


def is_more(page: JsonObject, limit: int = LIST_LIMIT) -> bool:
    """Whether others follow: by the page's own claim, or because it is full and tells neither that nor the contrary.

    An empty page that says it is the last is believed, whatever address it names.
    """
    rows, claim = objects_at(page, "data"), page.get("has_more")
    if claim is None and "next_page_url" not in page:
        return len(rows) >= limit
    return flag_at(page, "has_more") or (bool(text_at(page, "next_page_url")) and (claim is None or bool(rows)))


def _memberships(raw: JsonObject) -> tuple[Membership, ...] | None:
    if not isinstance(raw.get("memberships"), list):
        return None
    items = objects_at(raw, "memberships")
    return tuple(Membership(text_at(item, "user_id"), text_at(item, "group_id")) for item in items)
