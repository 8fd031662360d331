"""Agent OBJECTS' decision: which pairs hear of a change, in which order, and what is read again."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.mapping import MappingView
from pipeline.core.matching import EXACT_DELAY_MS, PRESENCE_DELAY_MS, ObjectStep, match_value, normalised, observe
from schemas.records import ChangeEvent, Origin
from schemas.state import ObjectState
from schemas.values import FieldValue
from tests.unit.pipeline.core.given import CONTACT, EMAIL, change, contact, flow, gone, mapping, stamped, user, written

PEOPLE = mapping()

NORMALISED = [
    (" Ada@Example.COM ", True, "ada@example.com"),
    ("ada+news@example.com", True, "ada+news@example.com"),
    (" Ada ", False, " Ada "),
    (42, False, "42"),
    (42.0, False, "42"),
    ("42", False, "42"),
    (True, False, "true"),
    ("   ", True, None),
    ("", False, None),
    (None, False, None),
    ((), False, None),
    (float("nan"), False, None),
    (dt.date(2024, 2, 29), False, "2024-02-29"),
]


@pytest.mark.parametrize(("value", "by_email", "expected"), NORMALISED, ids=[repr(row[0]) for row in NORMALISED])
def test_normalised(value: FieldValue, by_email: bool, expected: str | None) -> None:
    assert normalised(value, by_email=by_email) == expected


@given(st.text(max_size=20))
def test_normalising_twice_is_normalising_once(text: str) -> None:
    once = normalised(text, by_email=True)
    assert once is None or normalised(once, by_email=True) == once


def test_a_match_on_the_id_needs_no_field() -> None:
    view = mapping(match_hubspot="customer_id", match_userflow="id")
    assert match_value(view, {}, "userflow", "42") == "42"
    assert match_value(view, {"customer_id": stamped(42, 1)}, "hubspot", CONTACT) == "42"
    assert match_value(view, {}, "hubspot", CONTACT) is None


def after(*changes: ChangeEvent, views: tuple[MappingView, ...] = (PEOPLE,)) -> ObjectStep:
    """The last step of several changes to one object."""
    state: ObjectState | None = None
    for seen in changes:
        step = observe(state, seen, views)
        state = step.state or state
    return step


def told(step: ObjectStep) -> list[tuple[str, str]]:
    return [(match.presence, match.match_value) for match in step.matches]


class TestMatchValues:
    def test_a_new_object_joins_its_pair_with_every_known_field_the_mapping_uses(self) -> None:
        step = after(contact(1_000, {"jobtitle": "Dr", "plan": None, "shoe_size": 42}))
        assert told(step) == [("joined", EMAIL)]
        assert step.matches[0].fields == {"jobtitle": stamped("Dr", 1_000)}

    def test_an_object_without_a_match_value_belongs_to_no_pair(self) -> None:
        step = after(change("hubspot", CONTACT, 1_000, {"email": None, "jobtitle": "Dr"}))
        assert (step.outcome, step.matches) == ("unmatched", ())

    def test_a_changed_value_leaves_the_old_pair_before_it_joins_the_new_one(self) -> None:
        step = after(contact(1_000, {}), change("hubspot", CONTACT, 2_000, {"email": "new@example.com"}))
        assert told(step) == [("left", EMAIL), ("joined", "new@example.com")]

    def test_a_cleared_value_leaves(self) -> None:
        step = after(contact(1_000, {}), change("hubspot", CONTACT, 2_000, {"email": ""}))
        assert told(step) == [("left", EMAIL)]

    def test_another_spelling_of_the_same_email_stays(self) -> None:
        step = after(contact(1_000, {}), change("hubspot", CONTACT, 2_000, {"email": EMAIL.upper()}))
        assert told(step) == []

    def test_a_stale_match_value_does_not_move_the_object(self) -> None:
        step = after(contact(2_000, {}), change("hubspot", CONTACT, 1_000, {"email": "old@example.com"}))
        assert (told(step), step.outcome) == ([], "stale")

    def test_each_mapping_has_its_own_pair(self) -> None:
        by_id = mapping(name="ids", match_hubspot="customer_id", match_userflow="id")
        step = after(contact(1_000, {"customer_id": 42}), views=(PEOPLE, by_id))
        assert told(step) == [("joined", EMAIL), ("joined", "42")]

    def test_an_object_that_changed_while_its_mapping_was_away_leaves_the_old_pair_when_it_is_back(self) -> None:
        moved = change("hubspot", CONTACT, 2_000, {"email": "new@example.com"})
        state = after(contact(1_000, {})).state
        state = observe(state, moved, ()).state
        step = observe(state, change("hubspot", CONTACT, 3_000, {"email": "new@example.com"}, revision=2), (PEOPLE,))
        assert told(step) == [("left", EMAIL), ("joined", "new@example.com")]


class TestWhatPairsHear:
    def test_a_change_of_a_field_the_mapping_uses(self) -> None:
        step = after(contact(1_000, {"jobtitle": "Dr"}), contact(2_000, {"jobtitle": "Prof"}))
        assert (told(step), step.outcome) == ([("joined", EMAIL)], "derived")

    def test_not_a_change_of_another_field(self) -> None:
        step = after(contact(1_000, {"city": "Rome"}), contact(2_000, {"city": "Oslo"}))
        assert (told(step), step.outcome) == ([], "equal")

    @pytest.mark.parametrize("origin", ["webhook", "journal", "poll"])
    def test_not_an_echo(self, origin: Origin) -> None:
        step = after(contact(1_000, {"jobtitle": "Dr"}), contact(2_000, {"jobtitle": "Dr"}, origin=origin))
        assert (told(step), step.outcome) == ([], "equal")

    @pytest.mark.parametrize("origin", ["crawl", "lookup", "receipt"])
    def test_always_what_a_full_sync_a_lookup_or_a_write_saw(self, origin: Origin) -> None:
        step = after(contact(1_000, {"jobtitle": "Dr"}), contact(2_000, {"jobtitle": "Dr"}, origin=origin))
        assert told(step) == [("joined", EMAIL)]

    def test_a_stale_crawl_tells_what_is_known_and_not_what_it_read(self) -> None:
        step = after(contact(2_000, {"jobtitle": "Prof"}), contact(1_000, {"jobtitle": "Dr"}, origin="crawl"))
        assert step.matches[0].fields["jobtitle"].value == "Prof"

    def test_a_new_revision_of_the_mappings_is_told_once(self) -> None:
        first, again = contact(1_000, {}), contact(2_000, {}, revision=2)
        assert told(after(first, again)) == [("joined", EMAIL)]
        assert told(after(first, again, contact(3_000, {}, revision=2))) == []

    def test_the_answer_to_our_write_carries_what_was_sent_and_what_is_stored(self) -> None:
        step = after(
            contact(1_000, {"tier": "free"}), written("hubspot", CONTACT, 2_000, {"tier": "Pro "}, {"tier": "Pro"})
        )
        answer = step.matches[0].answered["tier"]
        assert (answer.sent, answer.stored, answer.at_ms) == ("Pro ", "Pro", 2_000)


class TestPresence:
    def test_a_deleted_object_leaves_and_its_values_are_forgotten(self) -> None:
        step = after(contact(1_000, {"jobtitle": "Dr"}), gone("hubspot", CONTACT, 2_000))
        assert told(step) == [("left", EMAIL)]
        assert step.state is not None
        assert (step.state.present, step.state.fields, step.state.matches) == (False, {}, {})

    def test_an_older_observation_does_not_bring_it_back(self) -> None:
        step = after(contact(1_000, {}), gone("hubspot", CONTACT, 3_000), contact(2_000, {}))
        assert (told(step), step.outcome, step.state) == ([], "stale", None)

    def test_a_deletion_seen_first_keeps_an_older_observation_out(self) -> None:
        step = after(gone("hubspot", CONTACT, 3_000), contact(2_000, {}))
        assert (told(step), step.outcome) == ([], "stale")

    def test_a_newer_observation_brings_it_back_with_its_new_values_only(self) -> None:
        step = after(contact(1_000, {"jobtitle": "Dr"}), gone("hubspot", CONTACT, 2_000), contact(3_000, {"plan": "x"}))
        assert told(step) == [("joined", EMAIL)]
        assert step.state is not None
        assert set(step.state.fields) == {"email", "plan"}

    def test_a_deletion_older_than_the_newest_observation_is_stale(self) -> None:
        step = after(contact(3_000, {}), gone("hubspot", CONTACT, 2_000))
        assert (told(step), step.outcome) == ([], "stale")

    def test_a_deletion_within_the_second_of_an_observation_is_read_again(self) -> None:
        step = after(user(1_437, {}), gone("userflow", "u-ada", 1_000, spread_ms=999))
        assert (told(step), [request.delay_ms for request in step.rereads]) == ([], [PRESENCE_DELAY_MS])


class TestRereads:
    def test_two_values_of_one_second_are_read_once_more_and_the_read_is_later_than_both(self) -> None:
        step = after(user(1_000, {"plan": "a"}, spread_ms=999), user(1_400, {"plan": "b"}))
        (request,) = step.rereads
        assert (request.kind, request.values, request.delay_ms) == ("reread", ("u-ada",), 0)
        assert step.state is not None
        assert step.state.fields["plan"].value == "a"

    def test_two_values_of_one_millisecond_are_read_soon(self) -> None:
        step = after(contact(1_000, {"jobtitle": "a"}), contact(1_000, {"jobtitle": "b"}))
        assert [request.delay_ms for request in step.rereads] == [EXACT_DELAY_MS]

    def test_the_read_settles_it(self) -> None:
        first, other = user(1_000, {"plan": "a"}, spread_ms=999), user(1_400, {"plan": "b"})
        step = after(first, other, user(3_000, {"plan": "b"}, spread_ms=999, origin="lookup"))
        assert (step.rereads, step.matches[0].fields["plan"].value) == ((), "b")


def test_fields_of_several_rules_are_told_together() -> None:
    view = mapping(flow("jobtitle", "title"), flow("company.name", "employer"), flow("plan", "tier", "to_hubspot"))
    step = after(
        contact(1_000, {"jobtitle": "Dr", "company.name": "Acme", "tier": "pro", "city": "Rome"}), views=(view,)
    )
    assert set(step.matches[0].fields) == {"jobtitle", "company.name", "tier"}


@given(st.permutations([contact(at_ms, {"jobtitle": f"title {at_ms}"}) for at_ms in (10, 20, 30)]), st.data())
def test_arrival_order_does_not_change_the_object(changes: list[ChangeEvent], data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(changes), max_size=3))
    state = after(*changes, *again).state or after(*changes).state
    assert state is not None
    assert state.fields["jobtitle"] == stamped("title 30", 30)
