"""Each written field knows the change that led to its write, until another value takes its place."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.candidates import side
from pipeline.core.causes import last_write
from schemas.records import Cause, ChangeEvent
from schemas.state import Written
from schemas.values import FieldValue
from tests.unit.pipeline.core.given import CONTACT, EMAIL, USER, contact, flow, mapping, user, written
from tests.unit.pipeline.middle import Middle

VIEW = mapping()
FIRST = Cause("hubspot.notifications", 2, 4410, 900)
SECOND = Cause("hubspot.notifications", 2, 4411, 950)


def pair() -> Middle:
    middle = Middle(VIEW)
    middle.feed(contact(1_000, {"jobtitle": "Dr", "tier": None}), user(1_000, {"title": None, "plan": "pro"}))
    return middle


def answer(
    at_ms: int, value: FieldValue, cause: Cause | None = FIRST, *, equal: bool = False, spread_ms: int = 0
) -> ChangeEvent:
    told = written("userflow", USER, at_ms, {"title": value}, spread_ms=spread_ms)
    return replace(told, caused_by=cause, equal=equal)


def cause_of_title(middle: Middle) -> Cause | None:
    found = last_write(side(middle.pair(EMAIL), "userflow")[USER], "title")
    return None if found is None else found.caused_by


def test_a_written_field_knows_the_change_that_led_to_it() -> None:
    middle = pair()
    middle.feed(answer(2_000, "Dr", spread_ms=999))
    assert middle.pair(EMAIL).userflow[USER].written == (Written(("title",), 2_000, 999, None, FIRST),)


def test_the_run_that_wrote_is_known_too() -> None:
    middle = pair()
    middle.feed(replace(answer(2_000, "Dr"), run_id="run-1"))
    assert middle.pair(EMAIL).userflow[USER].written[0].run_id == "run-1"


def test_a_later_write_takes_the_place_of_an_earlier_one() -> None:
    middle = pair()
    middle.feed(answer(2_000, "Dr"), contact(3_000, {"jobtitle": "Prof"}), answer(4_000, "Prof", SECOND))
    assert cause_of_title(middle) == SECOND
    assert len(middle.pair(EMAIL).userflow[USER].written) == 1


def test_fields_of_one_write_with_other_causes_keep_their_own() -> None:
    middle = Middle(mapping(*VIEW.record.rules, flow("city", "home")))
    middle.feed(contact(1_000, {"jobtitle": "Dr", "city": "Bern"}), user(1_000, {"title": None, "home": None}))
    both = replace(
        written("userflow", USER, 2_000, {"title": "Dr", "home": "Bern"}), caused_by=FIRST, causes={"home": SECOND}
    )
    middle.feed(both)
    candidate = middle.pair(EMAIL).userflow[USER]
    known = {name: last_write(candidate, name) for name in ("title", "home")}
    assert {name: one.caused_by for name, one in known.items() if one} == {"title": FIRST, "home": SECOND}


def test_what_somebody_else_wrote_since_is_not_ours() -> None:
    middle = pair()
    middle.feed(answer(2_000, "Dr"), user(3_000, {"title": "own"}))
    assert cause_of_title(middle) is None


def test_an_equal_answer_repeats_the_write_that_left_the_value_and_ends_that_of_another_one() -> None:
    middle = pair()
    middle.feed(answer(2_000, "Dr"), answer(3_000, "Dr", SECOND, equal=True))
    assert cause_of_title(middle) == FIRST
    middle.feed(user(4_000, {"title": "Prof"}), contact(5_000, {"jobtitle": "Prof"}))
    middle.feed(answer(6_000, "Prof", SECOND, equal=True))
    assert cause_of_title(middle) is None


def test_a_replayed_answer_is_no_news() -> None:
    middle = pair()
    early = answer(2_000, "Dr")
    middle.feed(early, contact(3_000, {"jobtitle": "Prof"}), answer(4_000, "Prof", SECOND))
    middle.feed(contact(5_000, {"jobtitle": "Dr"}), answer(6_000, "Dr", SECOND), early)
    assert cause_of_title(middle) == SECOND


def test_a_pair_that_turns_ambiguous_still_knows_what_was_written_to_whom() -> None:
    middle = pair()
    middle.feed(answer(2_000, "Dr"), user(3_000, {"title": "own"}, id="u-2"))
    found = last_write(middle.pair(EMAIL).userflow[USER], "title")
    assert found is not None and found.caused_by == FIRST


def test_the_other_object_of_that_side_gets_no_cause_of_the_former_one() -> None:
    middle = pair()
    middle.feed(answer(2_000, "Dr"))
    middle.feed(contact(3_000, {"jobtitle": "Dr"}, id="102"))
    assert not middle.pair(EMAIL).hubspot["102"].written
    assert not middle.pair(EMAIL).hubspot[CONTACT].written


@given(st.lists(st.tuples(st.sampled_from(["Dr", "Prof", "Ms"]), st.booleans()), max_size=12))
def test_each_field_has_one_last_write_at_most(answers: list[tuple[str, bool]]) -> None:
    middle = pair()
    for number, (value, equal) in enumerate(answers):
        at_ms = 2_000 + number * 1_000
        middle.feed(contact(at_ms - 500, {"jobtitle": value}), answer(at_ms, value, FIRST, equal=equal))
        names = [name for one in middle.pair(EMAIL).userflow[USER].written for name in one.fields]
        assert len(names) == len(set(names)) <= 1
