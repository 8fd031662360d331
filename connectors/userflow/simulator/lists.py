"""Userflow's lists: order, cursor, page size, next page."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

from connectors.simulation.calls import Json
from connectors.userflow.simulator.errors import ErrorAnswer, invalid
from connectors.userflow.simulator.settings import UserflowSettings

MAX_LIMIT = 100
_CURSORS: Mapping[str, Callable[[str], str]] = {
    "form": quote_plus,
    "percent": lambda text: quote(text, ""),
    "none": str,
}


@dataclass(frozen=True)
class ListQuery:
    """`order_by` holds field names, `-` in front for descending."""

    limit: int
    starting_after: str | None
    order_by: tuple[str, ...]


def list_query(query: Mapping[str, Sequence[str]], settings: UserflowSettings) -> ListQuery:
    """The list part of a query; Refusal 400 for an invalid limit."""
    text = query.get("limit", [str(settings.list_default_limit)])[-1]
    if not text.isdigit() or int(text) < 1 or (int(text) > MAX_LIMIT and settings.list_over_limit == "refuse"):
        raise invalid(f"`limit`: must be between 1 and {MAX_LIMIT}")
    order = (*query.get("order_by", ()), *query.get("order_by[]", ()))
    return ListQuery(min(int(text), MAX_LIMIT), query.get("starting_after", [None])[-1], tuple(order))


def list_body(page: Sequence[Json], more: bool, path: str, query: ListQuery, settings: UserflowSettings) -> Json:
    """The list object of one page."""
    following = None
    if more and page and settings.next_page_url != "null":
        cursor = _CURSORS[settings.next_page_encoding](str(page[-1]["id"]))
        following = f"{path}?limit={query.limit}&starting_after={cursor}"
        following = settings.public_url + following if settings.next_page_url == "absolute" else following
    return {"object": "list", "data": list(page), "has_more": more, "url": path, "next_page_url": following}


def page_of(rows: Sequence[Json], query: ListQuery, what: str) -> tuple[list[Json], bool]:
    """One page of wire objects in the requested order, and whether more follow."""
    ordered = list(rows)
    for name in reversed(query.order_by):
        key = _sort_key(name.removeprefix("-"))
        ordered.sort(key=key, reverse=name.startswith("-"))
    start = 0 if query.starting_after is None else _behind(ordered, query, what)
    return ordered[start : start + query.limit], len(ordered) > start + query.limit


def _behind(ordered: Sequence[Json], query: ListQuery, what: str) -> int:
    for place, row in enumerate(ordered):
        if row["id"] == query.starting_after:
            if any(_field(row, name.removeprefix("-")) is None for name in query.order_by):
                # a cursor whose sort key is null makes the real Userflow fail
                raise ErrorAnswer(500, "internal_error", "Internal server error")
            return place + 1
    raise unknown_cursor(what, query.starting_after or "")


def unknown_cursor(what: str, cursor: str) -> ErrorAnswer:
    """The refusal of a cursor whose object is gone."""
    return invalid(f"`starting_after`: {what} with id '{cursor}' not found")


def _sort_key(name: str) -> Callable[[Json], tuple[bool, str, float]]:
    def key(row: Json) -> tuple[bool, str, float]:
        value = _field(row, name)
        number = float(value) if isinstance(value, int | float) else 0.0
        return value is None, "" if isinstance(value, int | float) else str(value), number

    return key


def _field(row: Json, name: str) -> Json:
    if name.startswith("attributes."):
        return row["attributes"].get(name.removeprefix("attributes."))
    return row.get(name)
