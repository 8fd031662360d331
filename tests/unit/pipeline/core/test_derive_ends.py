"""Any values of any convertible types: what was written leaves nothing to write, what was refused nothing to try."""

from collections.abc import Mapping
from dataclasses import replace
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.conversion import has_converter
from pipeline.core.derive import Derivation, Paired, derive
from pipeline.core.mapping import OTHER, TARGET
from schemas.records import Direction, FieldRule, OnEmpty
from schemas.state import Candidate, PairState, RefusedValue
from schemas.values import FieldType, FieldValue, System
from tests.unit.pipeline.core.given import CONTACT, USER, flow, mapping, stamped
from tests.unit.pipeline.core.test_conversion import FIELD_TYPES, OPTIONS, values

PAIRS: list[tuple[FieldType, FieldType]] = [
    (source, target) for source in FIELD_TYPES for target in FIELD_TYPES if has_converter(source, target)
]
directions: st.SearchStrategy[Direction] = st.sampled_from(get_args(Direction))
empties: st.SearchStrategy[OnEmpty] = st.sampled_from(get_args(OnEmpty))
rule_shapes = st.lists(st.tuples(st.sampled_from(PAIRS), directions, empties), min_size=1, max_size=6)


def rules_of(shapes: list[tuple[tuple[FieldType, FieldType], Direction, OnEmpty]]) -> list[FieldRule]:
    return [
        flow(
            f"source{n}", f"target{n}", direction, source_type=source, target_type=target, options=OPTIONS, on_empty=on
        )
        for n, ((source, target), direction, on) in enumerate(shapes)
    ]


def written(pair: Paired, derivation: Derivation) -> Paired:
    """The pair once every patch was written and seen."""

    def side(system: System) -> Candidate:
        seen = {name: stamped(value, 2_000) for name, value in derivation.patches.get(system, {}).items()}
        return replace(pair.sides[system], fields={**pair.sides[system].fields, **seen})

    return replace(pair, sides={"hubspot": side("hubspot"), "userflow": side("userflow")})


def remembered(state: PairState, derivation: Derivation) -> PairState:
    """The state once every refusal was reported."""
    refused = {f"{one.system}.{one.name}": RefusedValue(one.value, one.reason) for one in derivation.refused}
    return replace(state, refused={**state.refused, **refused})


def pair_of(rules: list[FieldRule], data: st.DataObject) -> Paired:
    """Every source and target known with any value, or not known."""
    sides: dict[System, dict[str, FieldValue]] = {"hubspot": {}, "userflow": {}}
    for rule in rules:
        target = TARGET[rule.direction]
        for system, name in ((OTHER[target], rule.source), (target, rule.target)):
            if data.draw(st.booleans()):
                sides[system][name] = data.draw(values)
    ids: Mapping[System, str] = {"hubspot": CONTACT, "userflow": USER}
    return Paired(ids, {system: known(fields) for system, fields in sides.items()})


def known(fields: Mapping[str, FieldValue]) -> Candidate:
    return Candidate(1_000, 0, {name: stamped(value, 1_000) for name, value in fields.items()})


@given(rule_shapes, st.data())
def test_what_was_written_and_reported_derives_nothing_more(
    shapes: list[tuple[tuple[FieldType, FieldType], Direction, OnEmpty]], data: st.DataObject
) -> None:
    rules = rules_of(shapes)
    pair, state, view = pair_of(rules, data), PairState(1, {}, {}), mapping(*rules)
    first = derive(state, pair, view)
    assert derive(remembered(state, first), written(pair, first), view) == Derivation({}, ())


@given(rule_shapes, st.data())
def test_no_patch_names_a_field_that_no_rule_writes(
    shapes: list[tuple[tuple[FieldType, FieldType], Direction, OnEmpty]], data: st.DataObject
) -> None:
    rules = rules_of(shapes)
    derivation = derive(PairState(1, {}, {}), pair_of(rules, data), mapping(*rules))
    for system, fields in derivation.patches.items():
        direction = "to_hubspot" if system == "hubspot" else "to_userflow"
        assert fields.keys() <= {rule.target for rule in rules if rule.direction == direction}
        assert fields.keys().isdisjoint({one.name for one in derivation.refused if one.system == system})
