"""A field that a full answer does not hold is not known: its rule stops, its target keeps its value."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import ChangeEvent, Origin
from schemas.values import FieldValue
from tests.unit.pipeline.core.given import BOTH_WAYS, CONTACT, EMAIL, USER, change, contact, mapping, user, written
from tests.unit.pipeline.core.pair_in_step import in_step, rederive, title
from tests.unit.pipeline.middle import Middle


def without_title(at_ms: int, *, origin: Origin = "webhook", tier: str = "pro") -> ChangeEvent:
    """A whole contact, without the key of its job title: archived, or not readable now."""
    return replace(contact(at_ms, {"tier": tier}, origin=origin), unknown=("jobtitle",))


@pytest.mark.parametrize("origin", ["webhook", "crawl", "lookup"])
def test_a_property_that_was_archived_empties_nobody(origin: Origin) -> None:
    middle = in_step()
    assert middle.feed(without_title(2_000, origin=origin)).nothing
    assert "jobtitle" not in middle.pair(EMAIL).hubspot[CONTACT].fields


def test_its_rule_stops_whatever_happens_to_the_target() -> None:
    middle = in_step()
    middle.feed(without_title(2_000))
    assert middle.feed(user(3_000, {"title": "Somebody's", "plan": "pro"})).wrote == []
    assert middle.feed(rederive(retry_refused=True)).wrote == []


def test_the_other_rules_go_on() -> None:
    middle = in_step()
    middle.feed(without_title(2_000))
    assert middle.feed(user(3_000, {"title": "Dr", "plan": "free"})).wrote == [("hubspot", CONTACT, {"tier": "free"})]


def test_where_it_is_shown_again_its_rule_goes_on() -> None:
    middle = in_step()
    middle.feed(without_title(2_000), user(3_000, {"title": "Somebody's", "plan": "pro"}))
    assert middle.feed(contact(2_000, {"jobtitle": "Dr", "tier": "pro"}, origin="crawl")).wrote == title("Dr")


def test_a_notification_of_it_is_a_sign_that_it_is_there_again() -> None:
    middle = in_step()
    middle.feed(without_title(2_000))
    assert middle.feed(change("hubspot", CONTACT, 3_000, {"jobtitle": "Prof"})).wrote == title("Prof")


def test_a_value_of_before_is_no_sign() -> None:
    middle = in_step()
    middle.feed(
        contact(2_500, {"jobtitle": "Prof", "tier": "pro"}), written("userflow", USER, 2_600, {"title": "Prof"})
    )
    middle.feed(without_title(3_000))
    assert middle.feed(change("hubspot", CONTACT, 2_000, {"jobtitle": "Mr"})).wrote == []
    assert "jobtitle" not in middle.pair(EMAIL).hubspot[CONTACT].fields


def test_an_answer_that_is_older_than_the_value_stops_nothing() -> None:
    middle = in_step()
    assert middle.feed(contact(3_000, {"jobtitle": "Prof", "tier": "pro"})).wrote == title("Prof")
    middle.feed(without_title(2_000))
    assert middle.feed(rederive()).wrote == title("Prof")


def test_a_target_that_is_not_shown_keeps_its_last_value_and_is_not_written_again() -> None:
    middle = in_step()
    hidden = replace(contact(2_000, {"jobtitle": "Dr"}, origin="crawl"), unknown=("tier",))
    assert middle.feed(hidden).wrote == []
    assert middle.feed(user(3_000, {"title": "Dr", "plan": "free"})).wrote == [("hubspot", CONTACT, {"tier": "free"})]


def test_a_pair_whose_match_field_is_not_shown_stays_a_pair() -> None:
    view = mapping(*BOTH_WAYS, match_hubspot="user_id", match_userflow="id")
    middle = Middle(view)
    middle.feed(contact(1_000, {"user_id": USER, "jobtitle": "Dr", "tier": "pro"}), user(1_000, {"title": "Dr"}))
    middle.feed(replace(contact(2_000, {"jobtitle": "Prof", "tier": "pro"}), unknown=("user_id",)))
    assert [match.presence for match in middle.matches] == ["joined"] * len(middle.matches)
    assert set(middle.pair(USER).hubspot) == {CONTACT}


Step = tuple[str, FieldValue]
_STEPS = st.lists(
    st.tuples(st.sampled_from(["read", "hidden", "told", "target"]), st.sampled_from(["Dr", "Prof", "Mr", None])),
    max_size=12,
)


@given(_STEPS)
def test_only_values_that_are_shown_are_ever_written(steps: list[Step]) -> None:
    """A patch holds the value shown last, and none comes while it is hidden."""
    middle, shown, held = in_step(), "Dr", "Dr"
    known: FieldValue = shown
    hidden = False
    target: FieldValue = held
    for number, (kind, value) in enumerate(steps, start=2):
        at_ms = number * 10_000
        if kind == "read":
            known, hidden = value, False
            left = middle.feed(contact(at_ms, {"jobtitle": value, "tier": "pro"}))
        elif kind == "told":
            known, hidden = value, False
            left = middle.feed(change("hubspot", CONTACT, at_ms, {"jobtitle": value}))
        elif kind == "hidden":
            hidden = True
            left = middle.feed(without_title(at_ms))
        else:
            target = value
            left = middle.feed(change("userflow", USER, at_ms, {"title": value}))
        for patch in left.patches:
            assert not hidden
            assert patch.fields == {"title": known}
            target = known
            middle.feed(written("userflow", USER, at_ms + 1_000, dict(patch.fields)))
    contested = any("userflow.title" in state.contested for state in middle.pairs.values())
    assert hidden or contested or target == known
