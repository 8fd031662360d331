"""What a mapping would do to the objects that are known, counted from state rows."""

from collections.abc import Iterable, Mapping

import pytest

from pipeline.operations.pair_counts import MOST_SAMPLES, PairCounts, RetainedState, count_pairs
from schemas.state import ObjectState, PairState, RefusedValue, Settled
from schemas.values import FieldValue, System
from tests.unit.pipeline.core.given import flow, mapping, stamped

Rows = Mapping[str, Mapping[str, FieldValue]]
COLOUR = flow("colour", "colour", "to_hubspot", target_type="enumeration", options=("red", "green"))


def row(fields: Mapping[str, FieldValue]) -> ObjectState:
    known = {name: stamped(value, 1_000) for name, value in fields.items() if name != "gone"}
    return ObjectState(1, "gone" not in fields, 1_000, 0, known, {})


def person(email: str = "ada@x", **fields: FieldValue) -> Mapping[str, FieldValue]:
    return {"email": email, **fields}


def counted(hubspot: Rows, userflow: Rows, **more: object) -> PairCounts:
    def objects(system: System) -> Iterable[tuple[str, ObjectState]]:
        return ((id, row(fields)) for id, fields in (hubspot if system == "hubspot" else userflow).items())

    view = more.pop("view", mapping())
    pair = more.pop("pair", None)
    return count_pairs(view, RetainedState(objects, lambda _: pair, **more))  # type: ignore[arg-type, return-value]


ENDS: list[tuple[str, Rows, Rows, dict[str, int], int]] = [
    ("in step", {"1": person(jobtitle="Dr")}, {"a": person(title="Dr")}, {"equal": 1}, 0),
    ("to be written", {"1": person(jobtitle="Dr")}, {"a": person(title="Mr")}, {"written": 1}, 0),
    ("another form of the address", {"1": person(" ADA@x", jobtitle="Dr")}, {"a": person(title="Dr")}, {"equal": 1}, 0),
    ("a user alone", {}, {"a": person()}, {"unmatched": 1}, 0),
    ("contacts alone", {"1": person("b@x"), "2": person("c@x")}, {}, {}, 2),
    ("no match value", {"1": {"jobtitle": "Dr"}}, {"a": {"title": "Dr"}}, {}, 0),
    ("two contacts", {"1": person(), "2": person()}, {"a": person()}, {"ambiguous": 1}, 0),
    ("one of two is gone", {"1": person(), "2": person(gone=True)}, {"a": person()}, {"equal": 1}, 0),
    ("a placeholder", {str(n): person("n/a") for n in range(26)}, {"a": person("n/a")}, {"crowded": 1}, 0),
]


@pytest.mark.parametrize(
    ("hubspot", "userflow", "pairs", "alone"), [case[1:] for case in ENDS], ids=[case[0] for case in ENDS]
)
def test_ends(hubspot: Rows, userflow: Rows, pairs: dict[str, int], alone: int) -> None:
    found = counted(hubspot, userflow)
    assert (dict(found.pairs), found.hubspot_only) == (pairs, alone)


def test_clearing_counts_apart_and_only_where_something_is_there() -> None:
    found = counted(
        {"1": person(jobtitle=None), "2": person("b@x", jobtitle=None), "3": person("c@x", jobtitle="Dr")},
        {"a": person(title="Dr"), "b": person("b@x", title=None), "c": person("c@x", title="Mr")},
    )
    assert (dict(found.written), dict(found.cleared)) == ({"userflow": 2}, {"userflow": 1})


def test_a_field_that_is_still_to_be_created_holds_nothing() -> None:
    hubspot, userflow = {"1": person(jobtitle="Dr")}, {"a": person(title="Dr", plan=None)}
    assert counted(hubspot, userflow).pairs == {"written": 1}
    assert counted(hubspot, userflow, empty_targets=frozenset({"tier"})).pairs == {"equal": 1}


def test_refused_values_by_their_reason() -> None:
    found = counted({"1": person()}, {"a": person(colour="blue")}, view=mapping(COLOUR))
    assert (dict(found.pairs), dict(found.refused)) == ({"refused": 1}, {"hubspot.colour: not_an_option": 1})


def test_what_a_pair_settled_or_refused_before_is_not_written_again() -> None:
    hubspot, userflow = {"1": person(jobtitle="Dr ")}, {"a": person(title="Dr")}
    settled = PairState(1, {}, {}, settled={"userflow.title": Settled("Dr ", "Dr")})
    assert counted(hubspot, userflow, pair=settled).pairs == {"equal": 1}
    refused = PairState(1, {}, {}, refused={"userflow.title": RefusedValue("Dr ", "too_long")})
    found = counted(hubspot, userflow, pair=refused)
    assert (dict(found.pairs), dict(found.refused)) == ({"refused": 1}, {"userflow.title: too_long": 1})


def test_samples_are_few_and_tell_both_values() -> None:
    people = {str(n): person(f"{n}@x", jobtitle="Dr") for n in range(9)}
    users = {f"u{n}": person(f"{n}@x", title="Mr") for n in range(9)}
    found = counted(people, users)
    assert len(found.samples) == MOST_SAMPLES
    assert (found.samples[0].object_id, found.samples[0].fields) == ("u0", {"title": ("Mr", "Dr")})


def test_fields_that_no_object_shows_are_named() -> None:
    assert counted({"1": person(jobtitle="Dr")}, {"a": person(title="Dr")}).not_read == ("userflow.plan",)
