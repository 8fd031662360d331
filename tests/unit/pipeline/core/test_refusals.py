"""Values that a target does not take, and fields that somebody else keeps rewriting."""

from dataclasses import replace

import pytest

from tests.unit.pipeline.core.given import (
    CONTACT,
    EMAIL,
    MINUTE_MS,
    USER,
    contact,
    flow,
    gone,
    mapping,
    receipt,
    user,
    written,
)
from tests.unit.pipeline.core.pair_in_step import in_step, rederive, title, write
from tests.unit.pipeline.middle import Left, Middle

COLOUR = flow("colour", "colour", "to_hubspot", target_type="enumeration", options=("red", "green"))


class TestRefusals:
    """HubSpot's colour accepts red and green; the target may refuse those too."""

    def refused(self) -> Middle:
        middle = Middle(mapping(COLOUR))
        middle.feed(contact(1_000, {"colour": "red"}), user(1_000, {"colour": "red"}))
        assert middle.feed(user(2_000, {"colour": "blue"})).reported == [("hubspot.colour", "not_an_option")]
        return middle

    def refused_by_target(self) -> Middle:
        middle = in_step()
        middle.feed(contact(2_000, {"jobtitle": "Prof"}))
        middle.feed(receipt("userflow", USER, {"title": "Prof"}, reason="attribute_conflict"))
        return middle

    def test_reported_once(self) -> None:
        middle = self.refused()
        assert middle.feed(user(3_000, {"colour": "blue"}, origin="crawl")).nothing
        assert middle.feed(contact(3_000, {}, origin="crawl")).nothing

    def test_what_the_target_refused_is_reported_once(self) -> None:
        """A patch derived before the refusal was known is refused too; its receipt is no second refusal."""
        middle = in_step()
        middle.feed(contact(2_000, {"jobtitle": "Prof"}))
        refusal = receipt("userflow", USER, {"title": "Prof"}, reason="attribute_conflict")
        first, second = middle.feed(refusal), middle.feed(refusal)
        assert first.reported == [("userflow.title", "attribute_conflict")]
        assert first.letters[0].stage == "userflow.sink"
        assert (second.letters, second.outcomes) == ([], ["refused"])

    def test_a_refusal_of_a_value_that_was_replaced_is_none(self) -> None:
        middle = in_step()
        middle.feed(contact(2_000, {"jobtitle": "Prof"}), contact(3_000, {"jobtitle": "Mr"}))
        late = middle.feed(receipt("userflow", USER, {"title": "Prof"}))
        assert (late.letters, late.outcomes) == ([], ["superseded"])

    def test_not_written_again_what_the_target_refused(self) -> None:
        middle = self.refused_by_target()
        assert middle.feed(contact(3_000, {"jobtitle": "Prof"}, origin="crawl")).nothing
        assert middle.feed(user(3_000, {"plan": "free"})).wrote == [("hubspot", CONTACT, {"tier": "free"})]

    def test_cleared_by_another_value(self) -> None:
        middle = self.refused_by_target()
        assert middle.feed(contact(3_000, {"jobtitle": "Mr"})).wrote == title("Mr")
        assert middle.feed(contact(4_000, {"jobtitle": "Prof"})).wrote == title("Prof")

    def test_cleared_by_a_mapping_edit(self) -> None:
        middle = self.refused()
        middle.view_as(mapping(COLOUR, revision=2))
        assert middle.feed(user(3_000, {"colour": "blue"}, origin="crawl")).reported == [
            ("hubspot.colour", "not_an_option")
        ]

    def test_cleared_when_somebody_else_changes_the_target(self) -> None:
        assert self.refused_by_target().feed(user(3_000, {"title": "changed"})).wrote == title("Prof")

    def test_cleared_by_the_next_full_sync_and_only_once_by_it(self) -> None:
        middle = self.refused_by_target()
        assert middle.feed(contact(3_000, {"jobtitle": "Prof"}, origin="crawl", run_id="run-1")).nothing
        assert middle.feed(write()).wrote == title("Prof")
        middle.feed(receipt("userflow", USER, {"title": "Prof"}, reason="attribute_conflict"))
        assert middle.feed(user(3_000, {"title": "Dr"}, origin="crawl", run_id="run-1"), write()).nothing

    def test_cleared_by_a_write_of_that_value_that_was_answered(self) -> None:
        middle = self.refused_by_target()
        middle.feed(written("userflow", USER, 3_000, {"title": "Prof"}))
        assert middle.pair(EMAIL).refused == {}

    def test_cleared_by_a_redrive(self) -> None:
        assert self.refused_by_target().feed(rederive(retry_refused=True)).wrote == title("Prof")

    def test_a_receipt_for_another_value_does_not_block_the_new_one(self) -> None:
        middle = in_step()
        middle.feed(contact(2_000, {"jobtitle": "Prof"}), contact(3_000, {"jobtitle": "Mr"}))
        middle.feed(receipt("userflow", USER, {"title": "Prof"}))
        assert middle.feed(contact(4_000, {"jobtitle": "Mr"}, origin="crawl")).wrote == title("Mr")

    def test_a_receipt_for_an_older_value_does_not_make_us_forget_the_newer_refusal(self) -> None:
        middle = self.refused_by_target()
        middle.feed(receipt("userflow", USER, {"title": "older"}))
        assert middle.feed(contact(4_000, {"jobtitle": "Prof"}, origin="crawl")).nothing

    def test_an_answer_for_an_older_value_does_not_make_us_forget_the_newer_refusal(self) -> None:
        middle = in_step()
        middle.feed(contact(2_000, {"jobtitle": "ok"}))
        answer = written("userflow", USER, 3_000, {"title": "ok"})
        middle.feed(answer, contact(4_000, {"jobtitle": "Prof"}), receipt("userflow", USER, {"title": "Prof"}))
        assert middle.feed(answer).nothing

    def test_a_receipt_of_an_object_that_left_the_pair_says_nothing_of_its_successor(self) -> None:
        middle = in_step()
        middle.feed(contact(2_000, {"jobtitle": "Prof"}), gone("userflow", USER, 3_000))
        middle.feed(user(4_000, {"title": None, "plan": "pro"}, id="u-two"))
        middle.feed(receipt("userflow", USER, {"title": "Prof"}))
        assert middle.pair(EMAIL).refused == {}

    def test_a_receipt_under_the_mapping_before_an_edit_says_nothing_of_the_new_one(self) -> None:
        middle = in_step()
        middle.feed(contact(2_000, {"jobtitle": "Prof"}))
        middle.view_as(mapping(revision=2))
        middle.feed(receipt("userflow", USER, {"title": "Prof"}, revision=1))
        assert middle.feed(contact(4_000, {"jobtitle": "Prof"}, origin="crawl")).wrote == title("Prof")

    def test_an_object_that_was_never_in_the_pair_and_left_does_not_clear_it(self) -> None:
        """Records of an aborted transaction are seen, so a pair may hear twice that somebody left."""
        middle = self.refused_by_target()
        middle.feed(user(2_500, {"plan": "pro"}, id="u-two"), gone("userflow", "u-two", 3_000))
        middle.feed(receipt("userflow", USER, {"title": "Prof"}))
        again = middle.matches[-1]
        assert (again.presence, again.object_id) == ("left", "u-two")
        middle.feed(again)
        assert middle.pair(EMAIL).refused.keys() == {"userflow.title"}


class TestContests:
    """Somebody else rewrites what we own."""

    def rewritten(self, middle: Middle, round: int, value: str = "theirs", *, echo_first: bool = False) -> Left:
        """Our write at :10, their rewrite at :20; returns what the last of the two records led to."""
        at_ms = 10_000 + round * 2 * MINUTE_MS
        ours = written("userflow", USER, at_ms + 10_000, {"title": "Prof"})
        theirs = user(at_ms + 20_000, {"title": f"{value} {round}"})
        seen = [middle.feed(record) for record in ([theirs, ours] if echo_first else [ours, theirs])]
        seen[1].letters = seen[0].letters + seen[1].letters
        return seen[1]

    def fought(self, *, echo_first: bool) -> Middle:
        middle = in_step()
        middle.feed(contact(2_000, {"jobtitle": "Prof"}))
        for round in range(2):
            found = self.rewritten(middle, round, echo_first=echo_first)
            assert (found.wrote, found.reported) == (title("Prof"), [])
        return middle

    @pytest.mark.parametrize("echo_first", [False, True], ids=["answer first", "their change first"])
    def test_the_third_rewrite_within_ten_minutes_is_contested_and_reported_once(self, echo_first: bool) -> None:
        middle = self.fought(echo_first=echo_first)
        third = self.rewritten(middle, 2, echo_first=echo_first)
        assert (third.wrote, third.reported) == ([], [("userflow.title", "contested")])
        assert third.outcomes[-1] == "contested"
        again = middle.feed(user(30 * MINUTE_MS, {"title": "theirs again"}))
        assert again.nothing

    def test_two_rewrites_and_a_third_much_later_are_no_contest(self) -> None:
        middle = self.fought(echo_first=False)
        found = self.rewritten(middle, 10)
        assert (found.wrote, found.reported) == (title("Prof"), [])

    def test_it_ends_with_the_next_full_sync(self) -> None:
        middle = self.fought(echo_first=False)
        self.rewritten(middle, 2)
        crawled = user(30 * MINUTE_MS, {"title": "theirs 2"}, origin="crawl", run_id="run-1")
        assert middle.feed(crawled).nothing
        assert middle.feed(write()).wrote == title("Prof")

    def test_a_contested_field_does_not_stop_the_others(self) -> None:
        middle = self.fought(echo_first=False)
        self.rewritten(middle, 2)
        assert middle.feed(user(30 * MINUTE_MS, {"plan": "free"})).wrote == [("hubspot", CONTACT, {"tier": "free"})]

    @pytest.mark.parametrize("echo_first", [False, True], ids=["answer first", "their change first"])
    def test_the_same_fight_told_again_counts_once(self, echo_first: bool) -> None:
        middle = self.fought(echo_first=echo_first)
        for round in (0, 1, 0, 1):
            self.rewritten(middle, round, echo_first=echo_first)
        assert middle.pair(EMAIL).contested == ()

    def test_a_rewrite_that_follows_within_the_second_of_our_answer_counts_too(self) -> None:
        """Userflow's answers name seconds: a bot that reacts at once must not fight with us for ever."""
        middle = in_step()
        middle.feed(contact(2_000, {"jobtitle": "Prof"}))
        found = []
        for round in range(3):
            at_ms = 60_000 * (round + 1)
            middle.feed(user(at_ms + 400, {"title": f"bot {round}"}))
            found.append(middle.feed(written("userflow", USER, at_ms, {"title": "Prof"}, spread_ms=999)))
        assert found[-1].reported == [("userflow.title", "contested")]

    def test_our_own_newer_write_is_no_rewrite_of_the_older_one(self) -> None:
        middle = in_step()
        for number in range(1, 6):
            middle.feed(contact(number * 10_000, {"jobtitle": f"title {number}"}))
            middle.feed(written("userflow", USER, number * 10_000 + 500, {"title": f"title {number}"}))
            if number > 1:
                earlier = (number - 1) * 10_000 + 500
                middle.feed(written("userflow", USER, earlier, {"title": f"title {number - 1}"}))
        assert middle.pair(EMAIL).rewrites == {}

    def test_our_own_write_seen_before_its_answer_is_no_rewrite(self) -> None:
        """The owner went there and back while the write was on its way, so the echo looks like somebody else's."""
        middle = in_step()
        for number in range(1, 6):
            at_ms = number * 10_000
            middle.feed(contact(at_ms, {"jobtitle": "Prof"}), contact(at_ms + 100, {"jobtitle": "Dr"}))
            middle.feed(user(at_ms + 200, {"title": "Prof"}))
            middle.feed(written("userflow", USER, at_ms + 200, {"title": "Prof"}))
            middle.feed(written("userflow", USER, at_ms + 900, {"title": "Dr"}))
        assert (middle.pair(EMAIL).contested, middle.pair(EMAIL).rewrites) == ((), {})

    def test_a_bot_that_rewrites_within_the_second_of_our_next_write_is_contested_too(self) -> None:
        """The read that follows shows our write, which came after the rewrite of the one before."""
        middle = in_step()
        middle.feed(contact(2_000, {"jobtitle": "Prof"}), written("userflow", USER, 3_000, {"title": "Prof"}))
        for at_ms in (60_000, 120_000, 180_000):
            assert middle.pair(EMAIL).contested == ()
            middle.feed(user(at_ms + 100, {"title": "bot"}))
            (asked,) = middle.feed(written("userflow", USER, at_ms, {"title": "Prof"}, spread_ms=999)).requests or (
                None,
            )
            if asked is not None:
                read = user(at_ms, {"title": "Prof"}, spread_ms=999, origin="lookup")
                middle.feed(replace(read, later_than=asked.later_than))
        assert middle.pair(EMAIL).contested == ("userflow.title",)
