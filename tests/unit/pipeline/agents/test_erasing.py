"""An erased contact leaves no value in any row, whatever of it is still under way and in whatever order it comes."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.erasures import pair_hash
from schemas.records import ActivityEvent, Cause, ChangeEvent, Found, StateCommand, TimelineEvent
from schemas.topics import object_key, pair_key
from tests.unit.pipeline.core.given import CONTACT, EMAIL, USER, change, contact, gone, mapping, receipt, user, written
from tests.unit.pipeline.middle import NOTHING_READ, NOW_MS, Middle

T = NOW_MS - 60_000
CONTACT_KEY = object_key("acme", 1, "hubspot", "contacts", CONTACT)
USER_KEY = object_key("acme", 1, "userflow", "users", USER)
TITLE = "Countess of Lovelace"
ERASURE = change("hubspot", CONTACT, T + 50, operation="erased")
BEFORE, AFTER = Cause("t", 0, 1, NOW_MS - 1), Cause("t", 0, 2, NOW_MS + 1)


def in_step() -> Middle:
    """A pair that is in step: the user holds the contact's job title."""
    middle = Middle(mapping())
    middle.feed(
        contact(T, {"jobtitle": TITLE, "tier": "pro"}),
        user(T + 1, {"plan": "pro", "title": None}),
        written("userflow", USER, T + 2, {"title": TITLE}),
    )
    assert TITLE in str(middle.objects) and EMAIL in str(middle.pairs)
    return middle


def rows(middle: Middle) -> str:
    return f"{middle.objects} {middle.pairs}"


def assert_erased(middle: Middle) -> None:
    assert TITLE not in rows(middle)
    assert EMAIL not in rows(middle)
    assert middle.objects[CONTACT_KEY].erased_ms == NOW_MS


def test_the_contact_its_pair_and_what_the_user_s_row_holds_of_it_are_gone() -> None:
    middle = in_step()
    left = middle.feed(ERASURE)
    assert_erased(middle)
    assert middle.pairs == {}
    assert set(left.erasures) == {CONTACT_KEY, USER_KEY}
    erasure = left.erasures[CONTACT_KEY]
    assert erasure.pairs == (pair_hash(erasure.salt, pair_key("acme", 1, "people", EMAIL)),)
    assert erasure.is_of_pair(pair_key("acme", 1, "people", EMAIL))
    assert not erasure.is_of_pair(pair_key("acme", 1, "people", "bob@example.com"))
    assert (erasure.for_ever, left.erasures[USER_KEY].for_ever) == (True, False)
    assert EMAIL not in str(left.erasures)
    assert [(one.kind, one.values, one.mapping) for one in left.requests] == [("erase", (USER,), "people")]
    assert (left.patches, left.letters) == ([], [])


def test_a_deletion_that_comes_first_does_not_hide_the_pair() -> None:
    middle = in_step()
    middle.feed(gone("hubspot", CONTACT, T + 40))
    assert EMAIL in rows(middle)
    left = middle.feed(ERASURE)
    assert_erased(middle)
    assert set(left.erasures) == {CONTACT_KEY, USER_KEY}


def test_the_pair_of_a_former_address_is_erased_too() -> None:
    """Its user still holds what was written to it."""
    middle = in_step()
    former = pair_key("acme", 1, "people", EMAIL)
    moved = {"email": "king@example.com", "jobtitle": TITLE}
    middle.feed(change("hubspot", CONTACT, T + 10, moved), change("hubspot", CONTACT, T + 11, moved))
    assert TITLE in str(middle.pairs[former])
    left = middle.feed(ERASURE)
    assert_erased(middle)
    assert middle.pairs == {}
    assert left.erasures[CONTACT_KEY].is_of_pair(former)
    assert left.erasures[CONTACT_KEY].is_of_pair(pair_key("acme", 1, "people", "king@example.com"))


def test_a_second_erasure_leads_to_nothing() -> None:
    middle = in_step()
    middle.feed(ERASURE)
    before = dict(middle.objects)
    left = middle.feed(ERASURE, ERASURE)
    assert (left.erasures, left.outcomes, middle.objects) == ({}, ["erased", "erased"], before)


def test_a_contact_that_nobody_knows_is_refused_later_too() -> None:
    middle = Middle(mapping())
    middle.feed(ERASURE, contact(T + 60, {"jobtitle": TITLE}))
    assert_erased(middle)


PARKED = replace(
    receipt("hubspot", CONTACT, {}, kind="parked", reason=None),
    event=TimelineEvent("acme", 1, 1, "people", EMAIL, "contacts", CONTACT, "e-1", "flow_started", T, {"a": TITLE}),
)
STRAGGLERS: Sequence[Any] = (
    contact(T + 70, {"jobtitle": TITLE}),
    contact(T + 71, {"jobtitle": TITLE}, origin="crawl", run_id="0000000000001-run"),
    gone("hubspot", CONTACT, T + 45),
    gone("hubspot", CONTACT, T + 72),
    replace(written("userflow", USER, T + 73, {"title": TITLE}), caused_by=BEFORE),
    replace(user(T + 5, {"title": TITLE}), caused_by=BEFORE),
    ActivityEvent("acme", 1, "a-1", "flow_started", USER, None, T, {"email": EMAIL}, BEFORE),
    receipt("userflow", USER, {"title": TITLE}, kind="parked", reason=None),
    receipt("userflow", USER, {"title": TITLE}),
    PARKED,
    StateCommand("acme", 1, "pairs", "rederive"),
    StateCommand("acme", 1, "objects", "resend", object_key=CONTACT_KEY),
    StateCommand("acme", 1, "objects", "stream", object_key=CONTACT_KEY, event=PARKED.event),
    ERASURE,
)


@given(st.lists(st.sampled_from(range(len(STRAGGLERS))), max_size=20))
def test_nothing_under_way_brings_it_back(order: list[int]) -> None:
    middle = in_step()
    middle.feed(ERASURE)
    left = middle.feed(*(STRAGGLERS[number] for number in order))
    assert_erased(middle)
    assert (left.patches, left.events, left.letters) == ([], [], [])


def test_the_user_lives_on_and_is_known_again_by_what_comes_later() -> None:
    middle = in_step()
    middle.feed(ERASURE)
    later = user(T + 80, {"plan": "free", "title": "kept by Userflow"})
    left = middle.feed(replace(later, caused_by=AFTER))
    assert middle.objects[USER_KEY].present
    assert left.wrote == []
    middle.feed(replace(written("userflow", USER, T + 81, {"title": TITLE}), caused_by=BEFORE))
    assert TITLE not in rows(middle)


def test_a_rival_keeps_its_place_and_the_user_is_read_again() -> None:
    middle = in_step()
    middle.feed(contact(T + 3, {"jobtitle": "rival", "tier": None}, id="102"))
    left = middle.feed(ERASURE)
    assert TITLE not in rows(middle)
    assert set(middle.pair(EMAIL).hubspot) == {"102"}
    assert [(one.kind, one.values) for one in left.requests] == [("erase", (USER,)), ("reread", (USER,))]
    again = replace(user(T + 90, {"plan": "pro", "title": TITLE}), caused_by=AFTER)
    left = middle.feed(again)
    assert [(one.system, one.object_id) for one in left.patches if one.system == "hubspot"] == [("hubspot", "102")]


def test_a_new_contact_with_the_same_address_asks_for_the_user_who_lives_on() -> None:
    middle = in_step()
    assert [one.kind for one in middle.feed(ERASURE).requests] == ["erase"]
    middle.view_as(mapping(), crawled=NOTHING_READ)  # as the connector tells once it has that request
    left = middle.feed(replace(contact(T + 100, {"jobtitle": "new", "tier": None}, id="103"), caused_by=AFTER))
    assert [(one.object_type, one.values) for one in left.lookups] == [("users", (EMAIL,))]
    shown = replace(user(T + 101, {"plan": "pro", "title": TITLE}), origin="lookup", found=Found("people", EMAIL, 1))
    left = middle.feed(replace(shown, caused_by=AFTER))
    assert ("userflow", USER, {"title": "new"}) in left.wrote


def test_another_connection_s_erasure_is_dropped() -> None:
    middle = in_step()
    other: ChangeEvent = replace(ERASURE, connection=2)
    assert middle.feed(other).outcomes == ["disconnected"]
    assert TITLE in rows(middle)
