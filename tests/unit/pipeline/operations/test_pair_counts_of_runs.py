"""What a plan counts is what a full sync counts of the same objects, number for number."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.comparing import Comparison, compare
from pipeline.core.mapping import MappingView
from pipeline.core.matching import fields_for, match_value
from pipeline.core.pairing import EMPTY
from pipeline.operations.pair_counts import RetainedState, count_pairs
from schemas.replacing import replace
from schemas.state import Candidate, ObjectState
from schemas.values import FieldValue, System
from tests.unit.pipeline.core.given import flow, mapping, stamped

Rows = Mapping[str, Mapping[str, FieldValue]]
SYSTEMS: tuple[System, System] = ("hubspot", "userflow")
ALL = frozenset({"hubspot.contacts", "userflow.users"})
COLOUR = flow("colour", "colour", "to_hubspot", target_type="enumeration", options=("red", "green"))
VIEWS = [
    mapping(flow("jobtitle", "title"), flow("plan", "tier", "to_hubspot"), COLOUR),
    mapping(flow("jobtitle", "title", on_empty="keep"), flow("plan", "tier", "to_hubspot"), on_several="newest"),
]
EMAILS = st.sampled_from(["a@x", "A@x ", "b@x", "c@x", "d@x", "n/a"])
VALUES = st.sampled_from([None, "", "Dr", "Mr"])
CONTACTS = st.lists(
    st.fixed_dictionaries({"email": EMAILS, "jobtitle": VALUES, "tier": VALUES, "colour": st.sampled_from(["red"])}),
    max_size=12,
)
USERS = st.lists(
    st.fixed_dictionaries({"email": EMAILS, "title": VALUES, "plan": VALUES, "colour": st.sampled_from(["red", "x"])}),
    max_size=12,
)


def state_of(fields: Mapping[str, FieldValue]) -> ObjectState:
    return ObjectState(1, True, 1_000, 0, {name: stamped(value, 1_000) for name, value in fields.items()}, {})


def foreseen(view: MappingView, rows: Mapping[System, Rows]) -> dict[str, int]:
    """The figures of a plan, under the names that a run has for them."""

    def objects(system: System) -> Iterable[tuple[str, ObjectState]]:
        return ((object_id, state_of(fields)) for object_id, fields in rows[system].items())

    found = count_pairs(view, RetainedState(objects, lambda _: None))
    return {
        "written.userflow": found.written["userflow"],
        "written.hubspot": found.written["hubspot"],
        "cleared": found.emptied,
        "equal": found.pairs["equal"],
        "refused": sum(found.refused.values()),
        "unmatched.userflow": found.userflow_only,
        "unmatched.hubspot": found.hubspot_only,
        "several": found.pairs["ambiguous"] + found.pairs["crowded"],
    }


def counted(view: MappingView, rows: Mapping[System, Rows]) -> dict[str, int]:
    """What the worker counts of every pair, one after the other, before it writes."""
    sides: dict[str, dict[System, dict[str, Candidate]]] = defaultdict(lambda: {"hubspot": {}, "userflow": {}})
    for system in SYSTEMS:
        for object_id, fields in rows[system].items():
            row = state_of(fields)
            value = match_value(view, row.fields, system, object_id)
            if value is not None:
                candidate = Candidate(row.at_ms, row.spread_ms, dict(fields_for(row, view, system)))
                sides[value][system][object_id] = candidate
    told: Counter[str] = Counter()
    for both in sides.values():
        state = replace(EMPTY, revision=view.record.revision, hubspot=both["hubspot"], userflow=both["userflow"])
        told.update(compare(state, view, Comparison("count", "run-1", 1, ALL)).counts)
    refused = sum(number for name, number in told.items() if name.startswith("refused."))
    names = ("written.userflow", "written.hubspot", "cleared", "equal", "unmatched.userflow", "unmatched.hubspot")
    return {**{name: told[name] for name in names}, "refused": refused, "several": told["ambiguous"] + told["crowded"]}


def numbered(objects: Iterable[Mapping[str, FieldValue]], prefix: str) -> Rows:
    return {f"{prefix}{number}": fields for number, fields in enumerate(objects)}


@pytest.mark.parametrize("view", VIEWS, ids=["refuse", "newest"])
@given(contacts=CONTACTS, users=USERS)
def test_a_plan_and_a_full_sync_count_the_same(
    view: MappingView, contacts: list[dict[str, FieldValue]], users: list[dict[str, FieldValue]]
) -> None:
    rows: dict[System, Rows] = {"hubspot": numbered(contacts, ""), "userflow": numbered(users, "u-")}
    assert foreseen(view, rows) == counted(view, rows)


def many(users: int, contacts: int) -> dict[System, Rows]:
    """Every shape of a pair, in numbers: in step, to be written, to be emptied, refused, alone, several."""
    hubspot: dict[str, Mapping[str, FieldValue]] = {}
    for number in range(contacts):
        email = f"p{number % (contacts - contacts // 50)}@x"  # every fiftieth shares the address of another
        title = None if number % 7 == 0 else f"title {number % 5}"
        hubspot[str(number)] = {"email": email, "jobtitle": title, "tier": f"plan {number % 3}", "colour": "red"}
    userflow: dict[str, Mapping[str, FieldValue]] = {}
    for number in range(users):
        colour = "blue" if number % 11 == 0 else "red"
        fields = {"title": f"title {number % 4}", "plan": None if number % 13 == 0 else f"plan {number % 3}"}
        userflow[f"u-{number}"] = {"email": f"p{number}@{'y' if number % 17 == 0 else 'x'}", "colour": colour, **fields}
    return {"hubspot": hubspot, "userflow": userflow}


@pytest.mark.parametrize(("users", "contacts"), [(400, 1_600), pytest.param(20_000, 80_000, marks=pytest.mark.by_hand)])
def test_they_count_the_same_of_many(users: int, contacts: int) -> None:
    rows = many(users, contacts)
    told = foreseen(VIEWS[0], rows)
    assert told == counted(VIEWS[0], rows)
    assert all(told.values()), "every figure is put to the test"
