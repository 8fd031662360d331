"""Reads the associations between records.

Follows HubSpot's guide "associate records".
"""

from collections.abc import Sequence
from dataclasses import dataclass

from connectors.contract.errors import Transient
from connectors.http.answers import content
from connectors.http.lenient_json import JsonObject, object_at, objects_at, text_at, texts_at, whole_at
from connectors.http.messages import Call, Purpose, Request, Response, json_request, segment
from connectors.hubspot.protocol.answers import batch_rows, call, field_problems, following, reason_of, rows, trace_of
from connectors.hubspot.protocol.limits import ASSOCIATIONS_PAGE_LIMIT, ASSOCIATIONS_READ_LIMIT
from connectors.hubspot.protocol.objects import RowError
from connectors.hubspot.protocol.paths import ASSOCIATIONS, OBJECTS

PRIMARY_TYPE_IDS = frozenset({1, 2, 5, 6})
"""HubSpot's own types that mark the primary company of a contact or a deal, in both directions."""


@dataclass(frozen=True, slots=True)
class AssociationType:
    """The name of an association: HubSpot's or the account's own type, with its label if any."""

    category: str
    type_id: int
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Association:
    """One associated record."""

    to_id: str
    types: tuple[AssociationType, ...] = ()

    @property
    def primary(self) -> bool:
        """Whether HubSpot marks the associated record as the primary one."""
        return any(kind.category == "HUBSPOT_DEFINED" and kind.type_id in PRIMARY_TYPE_IDS for kind in self.types)


@dataclass(frozen=True, slots=True)
class Associations:
    """The associations of one record; `after` is the cursor of the next page."""

    from_id: str
    to: tuple[Association, ...]
    after: str | None = None


@dataclass(frozen=True, slots=True)
class AssociationsRead:
    """The answer of a batch: a record without associations may be absent, or be among the errors as `missing`."""

    results: tuple[Associations, ...]
    errors: tuple[RowError, ...] = ()


def read_associations(
    from_type: str, to_type: str, ids: Sequence[str], *, purpose: Purpose = "live_read"
) -> Call[AssociationsRead]:
    """The associations of up to 1,000 records."""
    if not 0 < len(ids) <= ASSOCIATIONS_READ_LIMIT:
        raise ValueError(f"a batch takes 1 to {ASSOCIATIONS_READ_LIMIT} ids")
    path = f"{ASSOCIATIONS}/{segment(from_type)}/{segment(to_type)}/batch/read"
    return call(json_request("POST", path, {"inputs": [{"id": id} for id in ids]}), _read, purpose)


def list_associations(
    from_type: str,
    id: str,
    to_type: str,
    *,
    after: str | None = None,
    limit: int = ASSOCIATIONS_PAGE_LIMIT,
    purpose: Purpose = "bulk_read",
) -> Call[Associations]:
    """One page of the associations of one record; raises Missing when the record is gone."""
    path = f"{OBJECTS}/{segment(from_type)}/{segment(id)}/associations/{segment(to_type)}"
    query = (("limit", str(limit)), *([("after", after)] if after else []))

    def page(response: Response) -> Associations:
        return Associations(id, tuple(map(_association, rows(response))), following(content(response)))

    return call(Request("GET", path, query), page, purpose, object_id=id)


def _read(response: Response) -> AssociationsRead:
    results = tuple(_associations(item) for item in batch_rows(response))
    errors = tuple(_row_error(error) for error in objects_at(content(response), "errors"))
    return AssociationsRead(results, errors)


def _associations(raw: JsonObject) -> Associations:
    from_id = text_at(object_at(raw, "from"), "id") or ""
    if not isinstance(raw.get("to"), list):  # which is no empty list: it would empty whatever the record shows
        raise Transient("unreadable_answer")
    return Associations(from_id, tuple(map(_association, objects_at(raw, "to"))), following(raw))


def _association(raw: JsonObject) -> Association:
    to_id = text_at(raw, "toObjectId") or text_at(raw, "id")
    if not to_id:  # one that nobody can name may be the primary one
        raise Transient("unreadable_answer")
    return Association(to_id, tuple(map(_type, objects_at(raw, "associationTypes") or objects_at(raw, "types"))))


def _type(raw: JsonObject) -> AssociationType:
    """A type by its words in answers, or by those in which records are written."""
    category = text_at(raw, "category") or text_at(raw, "associationCategory") or ""
    type_id = whole_at(raw, "typeId") or whole_at(raw, "associationTypeId") or 0
    return AssociationType(category, type_id, text_at(raw, "label"))


def _row_error(error: JsonObject) -> RowError:
    context = object_at(error, "context")
    ids = next((ids for name in ("fromObjectId", "ids", "id") if (ids := texts_at(context, name))), ())
    fields = tuple(problem.field for problem in field_problems(error))
    return RowError(ids, reason_of(error), text_at(error, "category") or "", fields, trace_of(error))
