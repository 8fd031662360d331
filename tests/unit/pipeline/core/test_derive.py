"""From two known sides to the smallest patch for each, table-driven."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.conversion import TEXT_LIMIT_CHARACTERS
from pipeline.core.derive import Derivation, Paired, derive, desired_values
from pipeline.core.mapping import OTHER
from schemas.records import FieldRule
from schemas.state import Candidate, PairState, RefusedValue, Settled
from schemas.values import FieldValue, System
from tests.unit.pipeline.core.given import CONTACT, USER, flow, mapping, stamped

Fields = dict[str, FieldValue]

TITLE = flow("jobtitle", "title")
KEEP = flow("jobtitle", "title", on_empty="keep")
TIER = flow("plan", "tier", "to_hubspot")
SEATS = flow("seats", "seats", source_type="number", target_type="number")
BIRTHDAY = flow("birthday", "born", source_type="date", target_type="datetime")
COLOUR = flow("colour", "colour", "to_hubspot", target_type="enumeration", options=("red", "green"))
COLOURS = flow(
    "colours", "colours", "to_hubspot", source_type="list", target_type="multi_select", options=("red", "green")
)


def side(fields: Fields) -> Candidate:
    return Candidate(1_000, 0, {name: stamped(value, 1_000) for name, value in fields.items()})


def derived(hubspot: Fields, userflow: Fields, *rules: FieldRule, state: PairState | None = None) -> Derivation:
    pair = Paired({"hubspot": CONTACT, "userflow": USER}, {"hubspot": side(hubspot), "userflow": side(userflow)})
    return derive(state or PairState(1, {}, {}), pair, mapping(*rules))


PATCHES: list[tuple[str, FieldRule, Fields, Fields, Fields | None]] = [
    ("differs", TITLE, {"jobtitle": "Dr"}, {"title": "Mr"}, {"title": "Dr"}),
    ("equal", TITLE, {"jobtitle": "Dr"}, {"title": "Dr"}, None),
    ("target not known", TITLE, {"jobtitle": "Dr"}, {}, {"title": "Dr"}),
    ("source not known", TITLE, {}, {"title": "Mr"}, None),
    ("cleared", TITLE, {"jobtitle": None}, {"title": "Mr"}, {"title": None}),
    ("empty text clears", TITLE, {"jobtitle": ""}, {"title": "Mr"}, {"title": None}),
    ("both empty", TITLE, {"jobtitle": None}, {"title": ""}, None),
    ("empty, kept", KEEP, {"jobtitle": None}, {"title": "Mr"}, None),
    ("not empty, though empty is kept", KEEP, {"jobtitle": "Dr"}, {"title": "Mr"}, {"title": "Dr"}),
    ("the same number in another kind", SEATS, {"seats": 5.0}, {"seats": 5}, None),
    ("zero is a value", SEATS, {"seats": 0}, {"seats": None}, {"seats": 0}),
    (
        "a date as midnight",
        BIRTHDAY,
        {"birthday": dt.date(2000, 1, 2)},
        {"born": None},
        {"born": dt.datetime(2000, 1, 2, tzinfo=dt.UTC)},
    ),
    ("to HubSpot", TIER, {"tier": "free"}, {"plan": "pro"}, {"tier": "pro"}),
    ("options in any order", COLOURS, {"colours": ("green", "red")}, {"colours": ("red", "green")}, None),
]


@pytest.mark.parametrize(
    ("rule", "hubspot", "userflow", "expected"), [row[1:] for row in PATCHES], ids=[row[0] for row in PATCHES]
)
def test_patch(rule: FieldRule, hubspot: Fields, userflow: Fields, expected: Fields | None) -> None:
    target = "userflow" if rule.direction == "to_userflow" else "hubspot"
    found = derived(hubspot, userflow, rule)
    assert found.patches == ({} if expected is None else {target: expected})
    assert found.refused == ()


def test_one_patch_a_side_and_only_what_differs() -> None:
    hubspot: Fields = {"jobtitle": "Dr", "seats": 5, "tier": "free"}
    found = derived(hubspot, {"title": "Mr", "seats": 5, "plan": "pro"}, TITLE, SEATS, TIER)
    assert found.patches == {"userflow": {"title": "Dr"}, "hubspot": {"tier": "pro"}}


def test_a_value_that_does_not_fit_is_refused_and_the_rest_is_written() -> None:
    found = derived({"colour": "red", "tier": "free"}, {"colour": "blue", "plan": "pro"}, COLOUR, TIER)
    assert found.patches == {"hubspot": {"tier": "pro"}}
    (refusal,) = found.refused
    assert (refusal.system, refusal.name, refusal.value, refusal.reason) == (
        "hubspot",
        "colour",
        "blue",
        "not_an_option",
    )


def test_a_refused_value_is_neither_reported_nor_written_again() -> None:
    state = PairState(1, {}, {}, refused={"hubspot.colour": RefusedValue("blue", "not_an_option")})
    assert derived({}, {"colour": "blue"}, COLOUR, state=state) == Derivation({}, ())


def test_another_value_is_tried() -> None:
    state = PairState(1, {}, {}, refused={"hubspot.colour": RefusedValue("blue", "not_an_option")})
    assert derived({}, {"colour": "green"}, COLOUR, state=state).patches == {"hubspot": {"colour": "green"}}


SETTLED = PairState(1, {}, {}, settled={"userflow.title": Settled("a ", "a")})

STANDINGS = [
    ("both hold", "a ", "a", None),
    ("the owner moved on", "b ", "a", {"userflow": {"title": "b "}}),
    ("the target was rewritten", "a ", "c", {"userflow": {"title": "a "}}),
]


@pytest.mark.parametrize(
    ("owner", "held", "expected"), [row[1:] for row in STANDINGS], ids=[row[0] for row in STANDINGS]
)
def test_settled(owner: str, held: str, expected: dict[str, Fields] | None) -> None:
    assert derived({"jobtitle": owner}, {"title": held}, TITLE, state=SETTLED).patches == (expected or {})


def test_a_contested_field_is_left_alone_and_its_neighbours_are_not() -> None:
    state = PairState(1, {}, {}, contested=("userflow.title",))
    found = derived({"jobtitle": "Dr", "seats": 6}, {"title": "Mr", "seats": 5}, TITLE, SEATS, state=state)
    assert found.patches == {"userflow": {"seats": 6}}


def test_desired_values_name_what_every_known_rule_wants() -> None:
    sides = {"hubspot": side({"jobtitle": "Dr"}), "userflow": side({"colour": "blue"})}
    pair = Paired({"hubspot": CONTACT, "userflow": USER}, {"hubspot": sides["hubspot"], "userflow": sides["userflow"]})
    assert desired_values(pair, mapping(TITLE, COLOUR, TIER)) == {"userflow.title": "Dr", "hubspot.colour": "blue"}


RULES = (TITLE, KEEP, TIER, SEATS, COLOUR)
held = st.sampled_from([None, "", "Dr", "Mr", "red", "x" * (TEXT_LIMIT_CHARACTERS + 1), 1, True, ("Dr",)])


@given(
    st.sampled_from(RULES),
    st.none() | held.map(lambda value: (value,)),
    st.none() | held.map(lambda value: (value,)),
    st.sampled_from(["untroubled", "refused", "contested", "settled"]),
)
def test_a_rule_that_is_judged_at_a_glance_leads_to_what_its_conversion_leads_to(
    rule: FieldRule, source: tuple[FieldValue] | None, target: tuple[FieldValue] | None, standing: str
) -> None:
    to: System = "hubspot" if rule.direction == "to_hubspot" else "userflow"
    sides: dict[System, Fields] = {"hubspot": {}, "userflow": {}}
    sides[OTHER[to]] |= {rule.source: source[0]} if source is not None else {}
    sides[to] |= {rule.target: target[0]} if target is not None else {}
    name = f"{to}.{rule.target}"
    state = PairState(
        1,
        {},
        {},
        refused={name: RefusedValue("Dr", "no")} if standing == "refused" else {},
        contested=(name,) if standing == "contested" else (),
        settled={name: Settled("Dr", "Mr")} if standing == "settled" else {},
    )
    found = derived(sides["hubspot"], sides["userflow"], rule, state=state)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.core.derive._own_text", lambda *_: None)
        assert found == derived(sides["hubspot"], sides["userflow"], rule, state=state)
