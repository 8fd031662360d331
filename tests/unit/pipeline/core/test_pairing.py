"""The life of a pair, told as scenarios through both agents' decisions."""

from dataclasses import replace

import pytest

from pipeline.agents import all_pairs
from pipeline.core.candidates import MOST_CANDIDATES
from pipeline.core.mapping import MappingView
from pipeline.core.outcome import Outcome
from tests.unit.pipeline.core.given import (
    BOTH_WAYS,
    CONTACT,
    EMAIL,
    USER,
    change,
    contact,
    flow,
    gone,
    mapping,
    receipt,
    user,
    written,
)
from tests.unit.pipeline.core.pair_in_step import IN_STEP, in_step, rederive, title
from tests.unit.pipeline.middle import Left, Middle


class TestForming:
    @pytest.mark.parametrize("first", ["hubspot", "userflow"])
    def test_a_pair_forms_when_the_second_side_arrives(self, first: str) -> None:
        sides = [contact(1_000, {"jobtitle": "Dr", "tier": "free"}), user(2_000, {"title": None, "plan": "pro"})]
        one, two = sides if first == "hubspot" else reversed(sides)
        middle = Middle(mapping())
        assert middle.feed(one).nothing
        assert sorted(middle.feed(two).wrote, key=str) == [
            ("hubspot", CONTACT, {"tier": "pro"}),
            ("userflow", USER, {"title": "Dr"}),
        ]

    def test_a_hubspot_side_alone_keeps_no_fields(self) -> None:
        middle = Middle(mapping())
        middle.feed(contact(1_000, {"jobtitle": "Dr"}))
        assert middle.pair(EMAIL).hubspot[CONTACT].fields == {}

    def test_its_fields_are_asked_for_once_the_user_comes(self) -> None:
        middle = Middle(mapping())
        middle.feed(contact(1_000, {"jobtitle": "Dr", "tier": "pro"}))
        assert middle.commands == []
        assert middle.feed(user(2_000, {"title": None, "plan": "pro"})).wrote == title("Dr")
        assert [command.kind for command in middle.commands] == ["resend"]

    def test_what_a_full_sync_brings_together_stays_bulk(self) -> None:
        """Otherwise all of it passes for live, and a live edit waits behind it: 13 s instead of half a second."""
        middle = Middle(mapping())
        middle.feed(contact(1_000, {"jobtitle": "Dr", "tier": "pro"}, origin="crawl", bulk=True))
        formed = middle.feed(user(2_000, {"title": None, "plan": "pro"}, origin="crawl", bulk=True))
        assert [command.bulk for command in middle.commands] == [True]
        assert [patch.bulk for patch in formed.patches] == [True]

    def test_a_user_side_alone_keeps_its_fields(self) -> None:
        middle = Middle(mapping())
        middle.feed(user(1_000, {"title": "Dr"}))
        assert middle.pair(EMAIL).userflow[USER].fields["title"].value == "Dr"

    def test_two_sides_of_which_no_field_is_known_do_not_ask_each_other_for_ever(self) -> None:
        """After a mapping edit neither side has been read with the new fields yet."""
        middle = Middle(mapping(flow("new", "new"), flow("plan2", "tier2", "to_hubspot")))
        middle.feed(contact(1_000, {}), user(2_000, {}))
        assert len(middle.commands) == 1

    def test_a_changed_match_value_moves_the_contact_to_its_other_user(self) -> None:
        middle = in_step()
        middle.feed(change("userflow", "u-new", 1_000, {"email": "new@example.com", "title": None, "plan": "pro"}))
        moved = middle.feed(change("hubspot", CONTACT, 2_000, {"email": "new@example.com"}))
        assert [(match.presence, match.match_value) for match in middle.matches[-2:]] == [
            ("left", EMAIL),
            ("joined", "new@example.com"),
        ]
        assert moved.wrote == [("userflow", "u-new", {"title": "Dr"})]
        assert middle.pair(EMAIL).hubspot == {}

    def test_a_pair_that_dissolves_leaves_written_values_as_they_are(self) -> None:
        middle = in_step()
        assert middle.feed(gone("userflow", USER, 2_000)).nothing
        assert middle.feed(contact(3_000, {"jobtitle": "Prof"})).nothing

    def test_a_pair_without_objects_keeps_no_row(self) -> None:
        middle = in_step()
        middle.feed(gone("userflow", USER, 2_000), gone("hubspot", CONTACT, 2_000))
        assert middle.pairs == {}

    def test_records_of_another_connection_are_dropped(self) -> None:
        middle = in_step()
        assert middle.feed(contact(9_000, {"jobtitle": "Prof"}, connection=2)).outcomes == ["disconnected"]


class TestFlowing:
    def test_an_edit_of_the_owner_is_written(self) -> None:
        assert in_step().feed(contact(2_000, {"jobtitle": "Prof"})).wrote == title("Prof")
        assert in_step().feed(user(2_000, {"plan": "free"})).wrote == [("hubspot", CONTACT, {"tier": "free"})]

    def test_a_stale_notification_derives_nothing(self) -> None:
        middle = in_step()
        middle.feed(contact(3_000, {"jobtitle": "Prof"}), written("userflow", USER, 4_000, {"title": "Prof"}))
        assert middle.feed(contact(2_000, {"jobtitle": "Mr"})).nothing

    def test_clearing_flows(self) -> None:
        assert in_step().feed(contact(2_000, {"jobtitle": None})).wrote == title(None)

    def test_clearing_stays_away_where_the_rule_keeps(self) -> None:
        middle = Middle(mapping(flow("jobtitle", "title", on_empty="keep")))
        middle.feed(*IN_STEP)
        assert middle.feed(contact(2_000, {"jobtitle": None})).nothing

    def test_our_own_write_comes_back_and_derives_nothing(self) -> None:
        middle = in_step()
        middle.feed(contact(2_000, {"jobtitle": "Prof"}))
        assert middle.feed(written("userflow", USER, 3_000, {"title": "Prof"})).nothing
        assert middle.feed(user(3_000, {"title": "Prof"})).nothing

    def test_the_echo_may_come_before_the_answer(self) -> None:
        middle = in_step()
        middle.feed(contact(2_000, {"jobtitle": "Prof"}))
        assert middle.feed(user(3_000, {"title": "Prof"})).nothing
        assert middle.feed(written("userflow", USER, 3_000, {"title": "Prof"}, spread_ms=999)).nothing

    def test_a_patch_is_derived_again_until_its_effect_was_seen(self) -> None:
        middle = in_step()
        middle.feed(contact(2_000, {"jobtitle": "Prof"}))
        assert middle.feed(rederive()).wrote == title("Prof")
        middle.feed(written("userflow", USER, 3_000, {"title": "Prof"}))
        assert middle.feed(rederive()).nothing

    def test_two_writes_of_ours_within_a_second_are_taken_in_order(self) -> None:
        middle = in_step()
        middle.feed(contact(2_000, {"jobtitle": "A"}), contact(2_100, {"jobtitle": "B"}))
        middle.feed(written("userflow", USER, 2_000, {"title": "A"}, spread_ms=999))
        assert middle.feed(written("userflow", USER, 2_000, {"title": "B"}, spread_ms=999)).nothing
        assert middle.feed(rederive()).nothing

    def test_an_owner_who_goes_back_while_the_write_is_on_its_way_gets_the_old_value_back(self) -> None:
        middle = in_step()
        middle.feed(contact(2_000, {"jobtitle": "Prof"}))
        assert middle.feed(contact(2_500, {"jobtitle": "Dr"})).nothing
        assert middle.feed(written("userflow", USER, 3_000, {"title": "Prof"})).wrote == title("Dr")


class TestWithinOneSecond:
    """Userflow's answers name whole seconds, so a read and a write of one second are ordered by what led to what."""

    def written_at_once(self) -> tuple[Middle, Left]:
        middle = Middle(mapping())
        middle.feed(contact(1_000, {"jobtitle": "Prof", "tier": None}))
        middle.feed(user(2_000, {"title": "Mr", "plan": None}, spread_ms=999))
        return middle, middle.feed(written("userflow", USER, 2_000, {"title": "Prof"}, spread_ms=999))

    def test_the_write_followed_the_read_so_it_is_neither_repeated_nor_read(self) -> None:
        _, found = self.written_at_once()
        assert (found.wrote, found.rereads) == ([], [])

    def test_an_edit_that_a_notification_tells_of_the_same_second_is_read(self) -> None:
        middle, _ = self.written_at_once()
        found = middle.feed(user(2_500, {"title": "theirs"}))
        assert (found.wrote, found.rereads) == ([], [("users", (USER,), 0)])

    def test_the_read_ends_it(self) -> None:
        middle, _ = self.written_at_once()
        read = user(5_000, {"title": "Prof", "plan": None}, spread_ms=999, origin="lookup")
        assert middle.feed(read).nothing
        assert middle.pair(EMAIL).rewrites == {}

    def test_a_read_that_finds_another_value_has_it_written_again(self) -> None:
        middle, _ = self.written_at_once()
        read = user(5_000, {"title": "Mr", "plan": None}, spread_ms=999, origin="lookup")
        assert middle.feed(read).wrote == title("Prof")

    def test_a_former_value_of_ours_that_somebody_put_back_within_that_second_is_read(self) -> None:
        """It is ours by its value, but no answer told of it: the answer that comes after it may be of before."""
        middle = Middle(mapping())
        middle.feed(contact(1_000, {"jobtitle": "Prof", "tier": None}), user(1_000, {"title": None, "plan": None}))
        middle.feed(written("userflow", USER, 3_000, {"title": "Prof"}, spread_ms=999))
        assert middle.feed(contact(5_000, {"jobtitle": "Dame"})).wrote == title("Dame")
        middle.feed(user(6_934, {"title": "Prof"}))
        found = middle.feed(written("userflow", USER, 6_000, {"title": "Dame"}, spread_ms=999))
        assert (found.wrote, found.rereads) == ([], [("users", (USER,), 0)])
        read = user(8_000, {"title": "Prof"}, spread_ms=999, origin="lookup")
        assert middle.feed(read).wrote == title("Dame")


class TestNormalising:
    """The target trims what it is sent."""

    def settled(self) -> Middle:
        middle = in_step()
        middle.feed(contact(2_000, {"jobtitle": "a "}))
        assert middle.feed(written("userflow", USER, 3_000, {"title": "a "}, {"title": "a"})).nothing
        return middle

    def test_another_form_settles(self) -> None:
        middle = self.settled()
        assert middle.feed(rederive()).nothing
        assert middle.feed(user(3_000, {"title": "a"})).nothing

    def test_a_later_edit_still_goes_through(self) -> None:
        assert self.settled().feed(contact(4_000, {"jobtitle": "b "})).wrote == title("b ")

    def test_a_rewrite_is_put_right(self) -> None:
        assert self.settled().feed(user(4_000, {"title": "x"})).wrote == title("a ")

    def test_an_old_answer_told_again_does_not_unsettle(self) -> None:
        middle = self.settled()
        middle.feed(contact(4_000, {"jobtitle": "b "}))
        assert middle.feed(written("userflow", USER, 5_000, {"title": "b "}, {"title": "b"})).nothing
        assert middle.feed(written("userflow", USER, 3_000, {"title": "a "}, {"title": "a"})).nothing
        assert middle.feed(rederive()).nothing


class TestSeveral:
    def ambiguous(self) -> tuple[Middle, Left]:
        middle = in_step()
        return middle, middle.feed(user(2_000, {"title": "other", "plan": "pro"}, id="u-two"))

    def test_two_users_with_one_email_derive_nothing_and_are_read_once_more(self) -> None:
        middle, found = self.ambiguous()
        assert (found.patches, found.outcomes[-1]) == ([], "ambiguous")
        assert sorted(request.values[0] for request in found.requests) == ["u-ada", "u-two"]
        again = middle.feed(contact(3_000, {"jobtitle": "Prof"}, origin="lookup"))
        assert (again.nothing, again.outcomes[-1]) == (True, "ambiguous")

    def test_pairing_resumes_when_one_goes(self) -> None:
        middle, _ = self.ambiguous()
        middle.feed(contact(3_000, {"jobtitle": "Prof"}))
        assert middle.feed(gone("userflow", "u-two", 4_000)).wrote == title("Prof")

    def test_a_later_rival_is_read_too(self) -> None:
        middle, _ = self.ambiguous()
        third = middle.feed(user(3_000, {"title": "x", "plan": "pro"}, id="u-three"))
        assert [request.values for request in third.requests] == [("u-three",)]

    def test_pairing_resumes_with_a_contact_of_which_nothing_was_kept(self) -> None:
        middle = Middle(mapping())
        middle.feed(contact(1_000, {"jobtitle": "Dr", "tier": None}), contact(1_000, {"jobtitle": "Mr"}, id="102"))
        middle.feed(user(2_000, {"title": None, "plan": None}))
        assert middle.feed(gone("hubspot", "102", 3_000)).wrote == title("Dr")

    def test_newest_takes_the_newest_contact(self) -> None:
        middle = Middle(mapping(on_several="newest"))
        middle.feed(
            contact(1_000, {"jobtitle": "old", "tier": None}),
            contact(2_000, {"jobtitle": "new", "tier": None}, id="102"),
        )
        assert middle.feed(user(3_000, {"title": None, "plan": None})).wrote == title("new")

    def test_newest_goes_back_to_the_older_one_when_it_goes(self) -> None:
        middle = Middle(mapping(on_several="newest"))
        middle.feed(
            contact(1_000, {"jobtitle": "old", "tier": None}),
            contact(2_000, {"jobtitle": "new", "tier": None}, id="102"),
        )
        middle.feed(user(3_000, {"title": None, "plan": None}))
        middle.feed(written("userflow", USER, 4_000, {"title": "new"}))
        assert middle.feed(gone("hubspot", "102", 5_000)).wrote == title("old")

    def test_newest_is_the_last_that_was_changed_not_the_last_that_came_back(self) -> None:
        middle = Middle(mapping(on_several="newest"))
        middle.feed(
            contact(1_000, {"jobtitle": "old", "tier": None}),
            contact(2_000, {"jobtitle": "new", "tier": None}, id="102"),
            gone("hubspot", CONTACT, 3_000),
        )
        restored = contact(1_000, {"jobtitle": "old", "tier": None})
        middle.feed(user(3_000, {"title": "new", "plan": None}), change("hubspot", CONTACT, 4_000))
        assert middle.feed(restored).patches == []

    def test_newest_of_one_moment_is_the_highest_id(self) -> None:
        middle = Middle(mapping(on_several="newest"))
        middle.feed(*(contact(1_000, {"jobtitle": f"of {id}", "tier": None}, id=id) for id in ("99", "101", "100")))
        assert middle.feed(user(3_000, {"title": None, "plan": None})).wrote == title("of 101")

    def test_newest_does_not_choose_between_users(self) -> None:
        middle = Middle(mapping(on_several="newest"))
        middle.feed(contact(1_000, {"jobtitle": "Dr"}))
        found = middle.feed(user(2_000, {"title": None}), user(3_000, {"title": None}, id="u-two"))
        assert found.outcomes[-1] == "ambiguous"

    def test_a_crowd_is_reported_and_not_kept_whole(self) -> None:
        middle = Middle(mapping())
        outcomes: list[Outcome] = []
        for number in range(MOST_CANDIDATES + 10):
            outcomes = middle.feed(contact(1_000, {}, id=str(number))).outcomes
        assert outcomes[-1] == "crowded"
        assert len(middle.pair(EMAIL).hubspot) == MOST_CANDIDATES + 1


class TestParked:
    """The integration is away: patches come back as parked and are derived again on return."""

    def parked(self) -> Middle:
        middle = in_step()
        middle.feed(contact(2_000, {"jobtitle": "Prof"}))
        found = middle.feed(receipt("userflow", USER, {"title": "Prof"}, kind="parked"))
        assert found.outcomes == ["parked"]
        return middle

    def test_the_pair_remembers(self) -> None:
        assert self.parked().pair(EMAIL).parked

    def test_on_return_it_is_derived_again(self) -> None:
        middle = self.parked()
        assert middle.feed(rederive()).wrote == title("Prof")
        assert not middle.pair(EMAIL).parked

    def test_a_superseded_patch_leaves_nothing(self) -> None:
        middle = in_step()
        before = middle.pair(EMAIL)
        assert middle.feed(receipt("userflow", USER, {"title": "x"}, kind="superseded")).outcomes == ["superseded"]
        assert middle.pair(EMAIL) == before


def test_a_mapping_edit_derives_for_the_new_rule() -> None:
    middle = Middle(mapping(*BOTH_WAYS[:1]))
    middle.feed(*IN_STEP)
    middle.view_as(mapping(*BOTH_WAYS, revision=2))
    middle.feed(contact(3_000, {"jobtitle": "Dr", "tier": "free"}, revision=2))
    assert middle.feed(user(3_000, {"title": "Dr", "plan": "gold"}, revision=2)).wrote == [
        ("hubspot", CONTACT, {"tier": "gold"})
    ]


@pytest.mark.parametrize("touched", [(), ("contact",), ("user",), ("contact", "user")])
def test_a_rule_that_comes_back_writes_no_value_of_the_time_before_it_went(touched: tuple[str, ...]) -> None:
    title, plan = BOTH_WAYS
    middle = Middle(mapping(title, plan))
    middle.feed(contact(1_000, {"jobtitle": "A", "tier": "pro"}), user(1_000, {"title": "A", "plan": "pro"}))
    middle.view_as(mapping(plan, revision=2))
    if "contact" in touched:
        middle.feed(contact(2_000, {"tier": "pro"}, revision=2))
    if "user" in touched:
        middle.feed(user(2_000, {"plan": "pro"}, revision=2))
    # meanwhile, read by nobody, the job title becomes B and somebody in Userflow makes the title C
    back = mapping(title, plan, revision=3)
    since = {"hubspot.jobtitle": 3, "userflow.title": 3}
    middle.view_as(MappingView(replace(back.record, read_since=since)))

    assert middle.feed(user(3_000, {"title": "C", "plan": "pro"}, revision=3)).wrote == []
    assert middle.feed(contact(3_500, {"jobtitle": "B", "tier": "pro"}, revision=3)).wrote == [
        ("userflow", USER, {"title": "B"})
    ]


@pytest.mark.parametrize("limit", ["MOST_OUTPUTS", "MOST_PAIRS"])
def test_all_pairs_are_derived_again_slice_by_slice(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(all_pairs, limit, 3)
    middle = Middle(mapping())
    numbers = [f"{number:02d}" for number in range(10)]
    for number in numbers:
        one = {"email": f"p{number}@example.com"}
        middle.feed(
            contact(1_000, {**one, "jobtitle": "Dr", "tier": "free"}, id=f"c{number}"),
            user(1_000, {**one, "title": "Dr", "plan": "free"}, id=f"u{number}"),
            user(2_000, {**one, "title": "Prof", "plan": "free"}, id=f"u{number}"),
        )
    wrote = middle.feed(rederive()).wrote
    assert [(system, object_id) for system, object_id, _ in wrote] == [("userflow", f"u{number}") for number in numbers]
    assert len([command for command in middle.commands if command.kind == "rederive"]) == 4
