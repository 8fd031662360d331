"""HubSpot's search: filter groups, one sort, an index that lags behind the records (`apis/hubspot.md`, section 9)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from connectors.hubspot.simulator.definitions import Definitions, ObjectType, Property
from connectors.hubspot.simulator.errors import invalid
from connectors.hubspot.simulator.store import Record
from connectors.simulation.calls import Json
from connectors.simulation.clock import epoch_ms_of

RESULT_CAP = 10_000
MAX_BODY = 3_000
MAX_LIMIT = 200
_MAX_GROUPS, _MAX_FILTERS, _MAX_ALL = 5, 6, 18

Comparable = float | str


@dataclass(frozen=True)
class SearchQuery:
    """A search body, checked. `after` is a position in the results."""

    groups: Sequence[Sequence[Mapping[str, Json]]]
    sort: tuple[str, bool] | None
    limit: int
    after: int
    properties: tuple[str, ...]


def search_query(body: Json, length: int) -> SearchQuery:
    """The query of a body of `length` characters; Refusal 400 if the body exceeds a limit."""
    groups = [group.get("filters", []) for group in body.get("filterGroups", [])]
    if length > MAX_BODY:
        raise invalid(f"The request body is longer than {MAX_BODY} characters")
    if len(groups) > _MAX_GROUPS or any(len(g) > _MAX_FILTERS for g in groups) or sum(map(len, groups)) > _MAX_ALL:
        raise invalid("Too many filters in the search")
    limit, after = int(body.get("limit", 10)), str(body.get("after") or 0)
    if not 0 < limit <= MAX_LIMIT or not after.isdigit():
        raise invalid("limit must be between 1 and 200 and after an integer")
    if int(after) + limit > RESULT_CAP:
        raise invalid(f"Paging past {RESULT_CAP} results is not possible")
    return SearchQuery(groups, _sort(body.get("sorts") or []), limit, int(after), tuple(body.get("properties", ())))


def _sort(sorts: Sequence[Json]) -> tuple[str, bool] | None:
    if len(sorts) > 1:
        raise invalid("Only one sort is supported")
    if not sorts:
        return None
    if isinstance(sorts[0], str):
        return sorts[0].removeprefix("-"), sorts[0].startswith("-")
    return sorts[0]["propertyName"], sorts[0].get("direction") == "DESCENDING"


def matching(
    records: Iterable[Record], query: SearchQuery, kind: ObjectType, definitions: Definitions, as_of_ms: int
) -> list[Record]:
    """The records the index finds, in order: by id unless the query sorts."""
    tests = [[_test(filter_, kind, definitions) for filter_ in group] for group in query.groups]

    def wanted(record: Record) -> bool:
        if not record.is_live(as_of_ms):
            return False
        return not tests or any(all(test(record, as_of_ms) for test in group) for group in tests)

    found = [record for record in records if wanted(record)]
    if query.sort is None:
        return found
    name, descending = query.sort
    definition = definitions.get(kind, name)
    with_value = [record for record in found if record.value(name, as_of_ms)]
    without = [record for record in found if not record.value(name, as_of_ms)]
    with_value.sort(key=lambda r: _comparable(definition, r.value(name, as_of_ms) or ""), reverse=descending)
    return [*with_value, *without]


def _test(wire: Mapping[str, Json], kind: ObjectType, definitions: Definitions) -> Callable[[Record, int], bool]:
    name, operator = str(wire["propertyName"]), wire["operator"]
    definition = definitions.get(kind, name)
    if definition is None:
        raise invalid(f"There was a problem with the request: property {name} does not exist")
    values = [str(value) for value in wire.get("values", ())]
    value, high = str(wire.get("value", "")), str(wire.get("highValue", ""))
    _refuse_upper_case(definition, operator, values)
    check = _operator(operator, definition, value, high, values)

    return lambda record, as_of_ms: check(record.value(name, as_of_ms) or "")


def _refuse_upper_case(definition: Property, operator: str, values: Sequence[str]) -> None:
    if operator in ("IN", "NOT_IN") and definition.type == "string" and any(value != value.lower() for value in values):
        raise invalid("IN on string properties needs lower case values")


def _operator(
    operator: str, definition: Property, value: str, high: str, values: Sequence[str]
) -> Callable[[str], bool]:
    def key(text: str) -> Comparable:
        return _comparable(definition, text)

    among = {key(each) for each in values}
    checks: dict[str, Callable[[str], bool]] = {
        "EQ": lambda held: held != "" and key(held) == key(value),
        "NEQ": lambda held: held == "" or key(held) != key(value),
        "LT": lambda held: held != "" and _before(key(held), key(value)),
        "LTE": lambda held: held != "" and not _before(key(value), key(held)),
        "GT": lambda held: held != "" and _before(key(value), key(held)),
        "GTE": lambda held: held != "" and not _before(key(held), key(value)),
        "BETWEEN": lambda held: held != "" and not (_before(key(held), key(value)) or _before(key(high), key(held))),
        "IN": lambda held: held != "" and key(held) in among,
        "NOT_IN": lambda held: held == "" or key(held) not in among,
        "HAS_PROPERTY": lambda held: held != "",
        "NOT_HAS_PROPERTY": lambda held: held == "",
        "CONTAINS_TOKEN": lambda held: _tokens(value) in held.lower(),
        "NOT_CONTAINS_TOKEN": lambda held: _tokens(value) not in held.lower(),
    }
    if operator not in checks:
        raise invalid(f"Unknown operator {operator}")
    return checks[operator]


def _tokens(value: str) -> str:
    return value.strip("*").lower()


def _before(one: Comparable, other: Comparable) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return str(one) < str(other)
    return one < other


def _comparable(definition: Property | None, text: str) -> Comparable:
    kind = definition.type if definition is not None else "string"
    try:
        if kind == "number":
            return float(text)
        if kind in ("date", "datetime"):
            return float(epoch_ms_of(text))
    except ValueError:
        return text.lower()
    return text.lower()
