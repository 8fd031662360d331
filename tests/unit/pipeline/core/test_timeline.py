"""What people do in Userflow on its way to timelines: at once, held, given up, parked, and never twice."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.mapping import MappingView
from pipeline.core.timeline import MOST_HELD, MOST_PARKED, REMEMBERED
from schemas.records import ActivityEvent, ChangeEvent, Receipt, timeline_event_id
from tests.unit.pipeline.core.given import CONTACT, EMAIL, USER, change, contact, gone, mapping, receipt, user
from tests.unit.pipeline.core.pair_in_step import IN_STEP, rederive, write
from tests.unit.pipeline.middle import HOLD_MS, Left, Middle

HERE, THERE = contact(1_000, {"jobtitle": "Dr", "tier": "pro"}), user(1_000, {"title": "Dr", "plan": "pro"})


def streaming(
    *names: str, name: str = "people", match_hubspot: str = "email", match_userflow: str = "email"
) -> MappingView:
    record = mapping(name=name, match_hubspot=match_hubspot, match_userflow=match_userflow).record
    return MappingView(replace(record, stream_events=True, event_names=names))


def did(id: str = "e-1", name: str = "flow_started", at_ms: int = 5_000, who: str = USER) -> ActivityEvent:
    return ActivityEvent("acme", 1, id, name, who, None, at_ms, {"flow_name": "Intro"})


def names(left: Left) -> list[tuple[str, str]]:
    return [(event.name, event.object_id) for event in left.events]


def in_step(*wanted: str) -> Middle:
    middle = Middle(streaming(*wanted))
    middle.feed(*IN_STEP)
    return middle


def both(*contacts: ChangeEvent) -> Middle:
    """Two mappings of contacts and users: by email, and by the user's id."""
    middle = Middle(streaming(), streaming(name="by-id", match_hubspot="userflow_id", match_userflow="id"))
    middle.feed(*contacts, user(1_000, {}))
    return middle


class TestAtOnce:
    def test_an_event_of_a_pair_goes_to_its_contact(self) -> None:
        (event,) = in_step().feed(did()).events
        assert (event.object_type, event.object_id, event.match_value, event.mapping) == (
            "contacts",
            CONTACT,
            EMAIL,
            "people",
        )
        assert (event.name, event.occurred_at_ms, event.attributes) == ("flow_started", 5_000, {"flow_name": "Intro"})

    def test_it_writes_no_field_and_ends_as_derived(self) -> None:
        left = in_step().feed(did())
        assert left.patches == []
        assert left.outcomes == ["derived", "derived", "derived"]

    def test_told_again_it_is_not_sent_again(self) -> None:
        middle = in_step()
        middle.feed(did())
        left = middle.feed(did())
        assert (left.events, left.outcomes) == ([], ["derived", "equal"])

    def test_only_the_events_that_the_mapping_names(self) -> None:
        middle = in_step("flow_completed")
        left = middle.feed(did(), did("e-2", "flow_completed"))
        assert names(left) == [("flow_completed", CONTACT)]
        assert left.outcomes[0] == "equal"

    def test_nothing_without_a_mapping_that_streams(self) -> None:
        middle = Middle(mapping())
        middle.feed(*IN_STEP)
        assert middle.feed(did()).outcomes == ["equal"]

    def test_two_mappings_onto_one_contact_put_it_there_once(self) -> None:
        middle = both(contact(1_000, {"userflow_id": USER}))
        (event,) = middle.feed(did()).events
        assert event.object_id == CONTACT
        assert middle.feed(did(), rederive(), did()).events == []

    def test_two_mappings_onto_two_contacts_put_it_on_each_with_an_id_each(self) -> None:
        other = change("hubspot", "102", 1_000, {"email": "other@example.com", "userflow_id": USER})
        events = both(HERE, other).feed(did()).events
        assert sorted(event.object_id for event in events) == [CONTACT, "102"]
        assert len({event.event_id for event in events}) == 2

    def test_the_id_follows_the_record_whatever_mapping_it_came_by(self) -> None:
        one, other = in_step(), Middle(streaming(name="by-id", match_hubspot="userflow_id", match_userflow="id"))
        other.feed(contact(1_000, {"userflow_id": USER}), user(1_000, {}))
        assert one.feed(did()).events[0].event_id == other.feed(did()).events[0].event_id

    def test_a_merge_leads_to_the_survivor_and_puts_nothing_there_again(self) -> None:
        middle = both(contact(1_000, {"userflow_id": USER}))
        middle.feed(did())
        middle.feed(replace(gone("hubspot", CONTACT, 6_000), merged_into="103"))
        middle.feed(contact(6_100, {"userflow_id": USER}, id="103"))
        assert middle.feed(did()).events == []
        (event,) = middle.feed(did("e-2")).events
        assert event.object_id == "103"
        assert event.event_id == timeline_event_id("e-2", "contacts", "103")


class TestHeld:
    def test_an_unknown_user_is_read_and_its_event_sent_once_the_pair_is_there(self) -> None:
        middle = Middle(streaming())
        middle.feed(HERE)
        left = middle.feed(did())
        assert (left.events, left.outcomes) == ([], ["held"])
        assert left.rereads == [("users", (USER,), 300)]
        assert names(middle.feed(THERE)) == [("flow_started", CONTACT)]
        assert all(state.held == () for state in middle.objects.values())

    def test_a_user_without_a_contact_waits_in_the_pair(self) -> None:
        middle = Middle(streaming())
        middle.feed(THERE)
        assert middle.feed(did()).outcomes == ["derived", "held"]
        assert names(middle.feed(HERE)) == [("flow_started", CONTACT)]
        assert middle.pair(EMAIL).held == ()

    def test_a_user_without_an_email_waits_for_it(self) -> None:
        middle = Middle(streaming())
        middle.feed(HERE, user(1_000, {"email": None}))
        assert middle.feed(did()).outcomes == ["held"]
        assert names(middle.feed(user(2_000, {}))) == [("flow_started", CONTACT)]

    def test_an_ambiguous_pair_holds_until_it_is_one_pair(self) -> None:
        middle = Middle(streaming())
        middle.feed(HERE, contact(1_000, {}, "102"), THERE)
        assert middle.feed(did()).outcomes[-1] == "held"
        assert names(middle.feed(gone("hubspot", "102", 9_000))) == [("flow_started", CONTACT)]

    @pytest.mark.parametrize("known", [(), (THERE,)])
    def test_after_its_time_it_is_given_up_and_counted(self, known: tuple[object, ...]) -> None:
        middle = Middle(streaming())
        middle.feed(*known, did())
        middle.now_ms += HOLD_MS
        left = middle.feed(HERE, user(2_000, {"title": "Dr", "plan": "pro"}))
        assert (left.events, left.expired) == ([], 1)

    def test_a_repeated_one_is_held_once(self) -> None:
        middle = Middle(streaming())
        middle.feed(did(), did())
        assert len(middle.feed(HERE, THERE).events) == 1

    def test_a_bounded_number_is_held(self) -> None:
        middle = Middle(streaming())
        left = middle.feed(*(did(f"e-{number}") for number in range(MOST_HELD + 1)))
        assert left.outcomes.count("held") == MOST_HELD
        assert left.outcomes[-1] == "unmatched"

    def test_a_user_who_is_gone_keeps_them_for_their_time_only(self) -> None:
        middle = Middle(streaming())
        middle.feed(did(), gone("userflow", USER, 2_000))
        middle.now_ms += HOLD_MS
        assert middle.feed(gone("userflow", USER, 3_000)).expired == 1


class TestParked:
    def test_what_the_sink_parked_is_sent_when_the_pair_is_derived_again(self) -> None:
        middle = in_step()
        (event,) = middle.feed(did()).events
        assert middle.feed(parked(event)).outcomes == ["parked"]
        (again,) = middle.feed(rederive()).events
        assert again == event
        assert middle.feed(rederive()).events == []

    def test_a_full_sync_sends_what_was_parked_after_the_pair_was_derived_again(self) -> None:
        middle = in_step()
        (event,) = middle.feed(did()).events
        middle.feed(rederive(), parked(event))
        assert middle.feed(write()).events == [event]

    def test_it_goes_to_the_object_that_is_the_pairs_by_then(self) -> None:
        middle = in_step()
        (event,) = middle.feed(did()).events
        middle.feed(parked(event), gone("hubspot", CONTACT, 9_000), contact(9_500, {}, "103"))
        assert names(middle.feed(rederive())) == [("flow_started", "103")]

    def test_a_bounded_number_is_kept_and_the_rest_are_dead_letters(self) -> None:
        middle = in_step()
        events = middle.feed(*(did(f"e-{number}", at_ms=number) for number in range(MOST_PARKED + 1))).events
        left = middle.feed(*map(parked, events))
        assert left.reported == [(None, "too_many_parked")]

    def test_a_refused_one_is_over(self) -> None:
        middle = in_step()
        (event,) = middle.feed(did()).events
        refused = replace(receipt("hubspot", CONTACT, {}), event=event)
        assert middle.feed(refused).outcomes == ["refused"]
        assert middle.feed(rederive()).events == []


def parked(event: object) -> Receipt:
    return replace(receipt("hubspot", CONTACT, {}, kind="parked"), event=event)  # type: ignore[arg-type]


def test_only_so_many_ids_are_remembered_and_what_is_older_counts_as_sent() -> None:
    middle = in_step()
    activities = [did(f"e-{number}", at_ms=number) for number in range(1, REMEMBERED + 11)]
    assert len(middle.feed(*activities).events) == len(activities)
    assert len(middle.pair(EMAIL).streamed) == REMEMBERED
    # the one that was forgotten last shares its time with the limit: it could be a new one
    assert len(middle.feed(*activities).events) <= 1


@given(st.permutations([HERE, THERE, *(did(f"e-{number}", at_ms=number * 10) for number in range(6))]), st.data())
def test_each_event_is_sent_once_whatever_the_order_and_whatever_is_repeated(
    order: list[object], data: st.DataObject
) -> None:
    middle = Middle(streaming())
    repeated = data.draw(st.lists(st.sampled_from(order), max_size=6))
    events = middle.feed(*order, *repeated).events
    assert sorted(event.occurred_at_ms for event in events) == [number * 10 for number in range(6)]
