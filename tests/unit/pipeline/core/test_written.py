"""What was written to a pair is listed by its row alone, once a second holder of its match value appears."""

from pipeline.core.written import written_values
from tests.unit.pipeline.core.given import CONTACT, EMAIL, USER, contact, mapping, user, written
from tests.unit.pipeline.middle import Middle

VIEW = mapping()


def ambiguous_later() -> Middle:
    """A contact and a user were brought in step, then another user with the same email was seen."""
    middle = Middle(VIEW)
    middle.feed(contact(1_000, {"jobtitle": "Dr", "tier": None}), user(1_000, {"title": None, "plan": "pro"}))
    middle.feed(written("userflow", USER, 2_000, {"title": "Dr"}), written("hubspot", CONTACT, 2_000, {"tier": "pro"}))
    assert middle.feed(user(3_000, {"title": "own", "plan": "free"}, id="u-2")).outcomes[-1] == "ambiguous"
    return middle


def test_both_objects_and_the_fields_that_hold_what_was_written() -> None:
    middle = ambiguous_later()
    assert written_values(middle.pair(EMAIL), VIEW) == {("hubspot", CONTACT): ("tier",), ("userflow", USER): ("title",)}


def test_reading_them_again_changes_nothing_and_another_value_ends_it() -> None:
    middle = ambiguous_later()
    middle.feed(
        contact(4_000, {"jobtitle": "Dr", "tier": "pro"}, origin="crawl", run_id="run-1"),
        user(4_000, {"title": "somebody's", "plan": "pro"}),
    )
    assert written_values(middle.pair(EMAIL), VIEW) == {("hubspot", CONTACT): ("tier",)}


def test_of_a_pair_that_was_in_step_before_nothing_is_listed() -> None:
    middle = Middle(VIEW)
    middle.feed(contact(1_000, {"jobtitle": "Dr", "tier": "pro"}), user(1_000, {"title": "Dr", "plan": "pro"}))
    assert written_values(middle.pair(EMAIL), VIEW) == {}
