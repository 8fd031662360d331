"""A write that the target ignored is refused; one whose value it keeps in another form is settled."""

import pytest

from pipeline.core.conflicts import NOT_TAKEN
from schemas.values import FieldValue
from tests.unit.pipeline.core.given import CONTACT, EMAIL, USER, contact, user, written
from tests.unit.pipeline.core.pair_in_step import in_step, rederive, write
from tests.unit.pipeline.middle import Left, Middle


def answered(stored: FieldValue, sent: FieldValue = "lead") -> tuple[Middle, Left]:
    """A contact whose tier was `pro` and is written; HubSpot answers with what it stores."""
    middle = in_step()
    assert middle.feed(user(2_000, {"title": "Dr", "plan": sent})).wrote == [("hubspot", CONTACT, {"tier": sent})]
    return middle, middle.feed(written("hubspot", CONTACT, 3_000, {"tier": sent}, {"tier": stored}))


def test_the_former_value_is_a_refusal() -> None:
    middle, left = answered("pro")
    assert left.reported == [("hubspot.tier", NOT_TAKEN)]
    assert "before" in left.letters[0].detail
    assert middle.pair(EMAIL).settled == {}
    assert middle.pair(EMAIL).refused["hubspot.tier"].value == "lead"
    assert left.outcomes[-1] == "refused"


def test_it_is_told_and_written_once() -> None:
    middle, _ = answered("pro")
    assert middle.feed(contact(4_000, {"jobtitle": "Dr", "tier": "pro"}), rederive()).nothing
    assert middle.feed(written("hubspot", CONTACT, 5_000, {"tier": "lead"}, {"tier": "pro"})).nothing


def test_clearing_may_be_ignored_too() -> None:
    assert answered("pro", None)[1].reported == [("hubspot.tier", NOT_TAKEN)]


@pytest.mark.parametrize("change", ["another value", "a full sync", "the target", "a redrive"])
def test_it_is_tried_again_after(change: str) -> None:
    middle, _ = answered("pro")
    left = {
        "another value": lambda: middle.feed(user(6_000, {"title": "Dr", "plan": "customer"})),
        "a full sync": lambda: middle.feed(write()),
        "the target": lambda: middle.feed(contact(6_000, {"tier": None})),
        "a redrive": lambda: middle.feed(rederive(retry_refused=True)),
    }[change]()
    assert [object_id for _, object_id, fields in left.wrote if "tier" in fields] == [CONTACT]


@pytest.mark.parametrize("stored", ["Lead", " lead ", "another"])
def test_another_form_or_another_value_settles(stored: str) -> None:
    middle, left = answered(stored)
    assert left.reported == []
    assert middle.pair(EMAIL).settled["hubspot.tier"].stored == stored


def test_the_former_value_in_another_form_of_the_new_one_settles() -> None:
    middle, left = answered("pro", " PRO")
    assert left.reported == []
    assert middle.pair(EMAIL).settled["hubspot.tier"].stored == "pro"


def test_a_form_that_is_settled_may_be_told_again() -> None:
    middle, _ = answered("another")
    again = middle.feed(written("hubspot", CONTACT, 4_000, {"tier": "lead"}, {"tier": "another"}))
    assert again.nothing
    assert middle.pair(EMAIL).settled["hubspot.tier"].stored == "another"


def test_a_write_to_userflow_may_be_ignored() -> None:
    middle = in_step()
    middle.feed(contact(2_000, {"jobtitle": "Prof", "tier": "pro"}))
    left = middle.feed(written("userflow", USER, 3_000, {"title": "Prof"}, {"title": "Dr"}))
    assert left.reported == [("userflow.title", NOT_TAKEN)]
