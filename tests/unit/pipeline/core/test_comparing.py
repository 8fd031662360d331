"""How each kind of pair counts in a full sync, what is written once, and what a repeated command does."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from pipeline.core.candidates import MOST_CANDIDATES
from schemas.records import ActivityEvent, CommandStep, Found, HeldEvent, StateCommand
from schemas.state import RefusedValue
from tests.unit.pipeline.core.given import (
    BOTH_WAYS,
    CONTACT,
    EMAIL,
    USER,
    contact,
    flow,
    gone,
    mapping,
    receipt,
    user,
    written,
)
from tests.unit.pipeline.core.pair_in_step import in_step, title
from tests.unit.pipeline.middle import NOTHING_READ, Left, Middle

RUN = "run-1"
WHOLE = ("hubspot.contacts", "userflow.users")
CROWD = range(30)


def command(step: CommandStep, attempt: int = 1, run_id: str = RUN) -> StateCommand:
    return StateCommand("acme", 1, "pairs", "compare", "people", run_id=run_id, step=step, attempt=attempt, whole=WHOLE)


def counts(left: Left) -> Mapping[str, int]:
    """What the one row told that left."""
    [row] = left.rows.values()
    assert row.state == "completed"
    return row.counts


def read(middle: Middle, *, jobtitle: str | None = "Dr", title: str | None = "old", run_id: str = RUN) -> Middle:
    """A full sync has read both sides of one pair."""
    middle.feed(
        contact(5_000, {"jobtitle": jobtitle, "tier": "pro"}, origin="crawl", run_id=run_id),
        user(5_000, {"title": title, "plan": "pro"}, origin="crawl", run_id=run_id),
    )
    return middle


REFUSED = {"pairs": 1, "refused": 1, "with_refused": 1, "refused.not_an_option": 1}


class TestReading:
    def test_it_writes_and_reports_nothing(self) -> None:
        middle = Middle(mapping())
        left = middle.feed(
            contact(5_000, {"jobtitle": "Dr"}, origin="crawl", run_id=RUN),
            user(5_000, {"title": "old"}, origin="crawl", run_id=RUN),
        )
        assert (left.patches, left.letters, left.lookups) == ([], [], [])
        assert middle.feed(command("write")).wrote == title("Dr")

    def test_what_its_write_is_answered_is_no_read(self) -> None:
        middle = read(Middle(mapping()))
        middle.feed(command("write"))
        middle.feed(contact(5_500, {"jobtitle": "Prof"}))
        answer = replace(written("userflow", USER, 6_000, {"title": "Dr"}), run_id=RUN)
        assert middle.feed(answer).wrote == title("Prof")

    def test_a_converged_pair_is_not_written_again(self) -> None:
        """Userflow's answers are dated anew at each crawl; a million rows must not be written for that."""
        middle = in_step()
        before = dict(middle.pairs)
        middle.feed(
            contact(1_000, {"jobtitle": "Dr", "tier": "pro"}, origin="crawl", run_id=RUN),
            user(9_000, {"title": "Dr", "plan": "pro"}, origin="crawl", run_id=RUN),
        )
        left = middle.feed(command("count"), command("write"), command("confirm"))
        assert all(middle.pairs[key] is row for key, row in before.items())
        assert left.patches == []

    def test_a_later_value_counts_although_the_stamp_before_it_stayed(self) -> None:
        middle = in_step()
        middle.feed(user(9_000, {"title": "Dr", "plan": "pro"}, origin="crawl", run_id=RUN))
        middle.feed(user(8_000, {"title": "Dr", "plan": "late"}))
        assert middle.pair(EMAIL).userflow[USER].fields["plan"].value == "pro"
        assert middle.feed(user(9_500, {"title": "Dr", "plan": "new"})).wrote == [("hubspot", CONTACT, {"tier": "new"})]

    def test_candidates_that_a_lookup_does_not_find_are_read_again(self) -> None:
        middle = in_step()
        other = contact(5_000, {"jobtitle": "Dr"}, id="102", origin="lookup", run_id=RUN)
        found = middle.feed(replace(other, found=Found("people", EMAIL, 1)))
        assert found.rereads == [("contacts", (CONTACT,), 0)]
        assert [request.run_id for request in found.requests] == [RUN]


class TestCounting:
    @pytest.mark.parametrize("step", ["count", "write"])
    def test_what_is_to_be_written(self, step: CommandStep) -> None:
        left = read(Middle(mapping())).feed(command(step))
        told = {"touched": 0} if step == "count" else {}
        assert counts(left) == {"pairs": 1, "written": 1, "written.userflow": 1, **told}
        assert left.wrote == (title("Dr") if step == "write" else [])

    def test_counting_changes_nothing(self) -> None:
        middle = read(Middle(mapping()))
        before = dict(middle.pairs)
        middle.feed(command("count"))
        assert all(middle.pairs[key] is row for key, row in before.items())

    @pytest.mark.parametrize(
        ("changes", "touched"),
        [
            ({}, 0),
            ({"parked": True}, 1),
            ({"contested": ("userflow.title",)}, 1),
            ({"refused": {"userflow.title": RefusedValue("former", "invalid_option")}}, 1),
            ({"revision": 0}, 1),
            ({"held": (HeldEvent(ActivityEvent("acme", 1, "e-1", "seen", USER, None, 1, {}), 1),)}, 1),
        ],
    )
    def test_a_pair_in_step_whose_row_the_writing_would_change_is_told(
        self, changes: Mapping[str, Any], touched: int
    ) -> None:
        middle = in_step()
        (key,) = middle.pairs
        middle.pairs[key] = replace(middle.pairs[key], **changes)
        assert counts(middle.feed(command("count"))) == {"pairs": 1, "equal": 1, "touched": touched}

    def test_a_field_that_is_to_be_emptied_is_shown_without_its_value(self) -> None:
        left = read(Middle(mapping()), jobtitle=None).feed(command("count"))
        [row] = left.rows.values()
        assert row.counts["cleared"] == 1
        assert row.samples == (f"hubspot {CONTACT}, userflow {USER}: userflow.title",)

    def test_an_empty_field_is_not_emptied(self) -> None:
        assert "cleared" not in counts(read(Middle(mapping()), jobtitle=None, title=None).feed(command("count")))

    def test_a_pair_in_step_is_equal(self) -> None:
        assert counts(in_step().feed(command("write"))) == {"pairs": 1, "equal": 1}

    def test_who_has_no_partner(self) -> None:
        middle = Middle(mapping())
        middle.feed(contact(1_000, {}))
        assert counts(middle.feed(command("write"))) == {"unmatched.hubspot": 1}

    def test_several_on_a_side_are_ambiguous_and_many_crowded(self) -> None:
        middle = in_step()
        middle.feed(user(2_000, {"title": "x"}, id="u-2"))
        assert counts(middle.feed(command("write"))) == {"ambiguous": 1}
        middle.feed(*(user(2_000, {"title": "x"}, id=f"u-{number}") for number in CROWD))
        assert len(CROWD) > MOST_CANDIDATES
        assert counts(middle.feed(command("write"))) == {"crowded": 1}


class TestWriting:
    def test_a_repeated_command_writes_nothing_and_counts_the_same(self) -> None:
        middle = read(Middle(mapping()))
        first = middle.feed(command("write"))
        again = middle.feed(command("write"))
        assert (counts(again), again.patches) == (counts(first), [])

    def test_a_refusal_is_tried_once_and_told_once(self) -> None:
        middle = read(Middle(mapping()))
        middle.feed(command("write"), receipt("userflow", USER, {"title": "Dr"}))
        assert counts(middle.feed(command("confirm"))) == {
            "pairs": 1,
            "refused": 1,
            "with_refused": 1,
            "refused.not_an_option": 1,
        }
        again = middle.feed(command("write"))
        assert (again.patches, again.letters) == ([], [])

    def test_what_no_conversion_fits_is_told_by_the_pair_s_own_key(self) -> None:
        view = mapping(flow("colour", "colour", "to_hubspot", target_type="enumeration", options=("red",)))
        middle = Middle(view)
        middle.feed(
            contact(1_000, {"colour": "red"}, origin="crawl", run_id=RUN),
            user(1_000, {"colour": "blue"}, origin="crawl", run_id=RUN),
        )
        assert middle.feed(command("count")).letters == []
        [letter] = middle.feed(command("write")).letters
        assert (letter.key, letter.field) == (f"acme:1:people:{EMAIL}", "hubspot.colour")
        assert middle.feed(command("write"), command("confirm")).letters == []

    def test_what_no_conversion_fits_is_not_told_again_by_every_full_sync(self) -> None:
        view = mapping(flow("colour", "colour", "to_hubspot", target_type="enumeration", options=("red",)))
        middle = Middle(view)
        middle.feed(contact(1_000, {"colour": "red"}))
        assert middle.feed(user(1_000, {"colour": "blue"})).reported == [("hubspot.colour", "not_an_option")]
        left = middle.feed(command("write"))
        assert (left.letters, counts(left)) == (
            [],
            REFUSED,
        )

    def test_a_refused_field_beside_a_written_one_counts_as_written_and_not_in_step(self) -> None:
        middle = Middle(mapping(*BOTH_WAYS, flow("city", "town")))
        middle.feed(
            contact(1_000, {"jobtitle": "Dr", "city": "Rome"}, origin="crawl", run_id=RUN),
            user(1_000, {"title": None, "town": None}, origin="crawl", run_id=RUN),
        )
        middle.feed(command("write"), written("userflow", USER, 2_000, {"title": "Dr"}))
        middle.feed(receipt("userflow", USER, {"town": "Rome"}))
        told = counts(middle.feed(command("confirm")))
        counted = {"pairs": 1, "written": 1, "written.userflow": 1, "with_refused": 1, "refused.not_an_option": 1}
        assert told == counted

    def test_a_mapping_edit_has_it_written_again(self) -> None:
        middle = read(Middle(mapping()))
        middle.feed(command("write"), written("userflow", USER, 6_000, {"title": "Dr"}))
        middle.view_as(mapping(*BOTH_WAYS, flow("jobtitle", "role"), revision=2))
        assert middle.feed(command("write", attempt=2)).wrote == [("userflow", USER, {"role": "Dr"})]


class TestConfirming:
    def test_open_until_it_is_answered_then_written(self) -> None:
        middle = read(Middle(mapping()))
        middle.feed(command("write"))
        first = middle.feed(command("confirm"))
        assert (counts(first)["open"], first.wrote) == (1, title("Dr"))
        middle.feed(written("userflow", USER, 6_000, {"title": "Dr"}))
        told = {"pairs": 1, "written": 1, "written.userflow": 1}
        assert counts(middle.feed(command("confirm", 2))) == told
        assert counts(middle.feed(command("confirm", 2))) == told

    def test_what_is_parked_is_open_for_as_long_as_it_takes(self) -> None:
        middle = read(Middle(mapping()))
        middle.feed(command("write"))
        for attempt in range(1, 5):
            middle.feed(receipt("userflow", USER, {"title": "Dr"}, kind="parked"))
            left = middle.feed(command("confirm", attempt))
            assert (counts(left)["open"], left.wrote) == (1, title("Dr"))

    def test_a_live_change_after_the_first_look_does_not_hold_it_up(self) -> None:
        middle = in_step()
        middle.feed(command("write"), command("confirm"))
        middle.feed(contact(6_000, {"jobtitle": "Prof"}))
        left = middle.feed(command("confirm", 2))
        assert counts(left) == {"pairs": 1, "equal": 1}
        assert [patch.run_id for patch in left.patches] == [None]

    def test_the_next_run_counts_for_itself(self) -> None:
        middle = read(Middle(mapping()))
        middle.feed(command("write"), written("userflow", USER, 6_000, {"title": "Dr"}), command("confirm"))
        assert counts(middle.feed(command("confirm", run_id="run-2"))) == {"pairs": 1, "equal": 1}

    def test_an_object_that_is_gone_has_no_partner(self) -> None:
        middle = read(Middle(mapping()))
        middle.feed(command("write"), gone("userflow", USER, 6_000))
        assert counts(middle.feed(command("confirm"))) == {"unmatched.hubspot": 1}


class TestUnknown:
    """A side that nobody read and nobody asked."""

    def world(self) -> Middle:
        middle = Middle(mapping(match_hubspot="ref"))
        middle.view_as(mapping(match_hubspot="ref"), crawled=NOTHING_READ)
        fields = {"ref": EMAIL, "jobtitle": "Dr", "tier": "pro"}
        middle.feed(
            contact(1_000, fields, origin="crawl", run_id=RUN),
            user(1_000, {"title": None, "plan": "pro"}, origin="crawl", run_id=RUN),
        )
        return middle

    def test_it_is_asked_and_not_written(self) -> None:
        asks = StateCommand("acme", 1, "pairs", "compare", "people", run_id=RUN, step="write", attempt=1)
        left = self.world().feed(asks)
        assert (left.patches, counts(left)) == ([], {"pairs": 1, "open": 1})
        assert sorted((ask.object_type, ask.run_id, ask.tell_missing) for ask in left.lookups) == [
            ("contacts", RUN, True),
            ("users", RUN, True),
        ]

    def test_what_the_run_read_whole_is_known(self) -> None:
        assert self.world().feed(command("write")).wrote == title("Dr")
