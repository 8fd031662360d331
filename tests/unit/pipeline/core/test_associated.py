"""What an object shows of an associated one: which object it is decides first, then that object's own time."""

from collections.abc import Mapping
from dataclasses import replace

from pipeline.agents.rereading import IDS_A_REQUEST, MOST_OUTPUTS
from pipeline.core.matching import holds, observe
from schemas.records import ChangeEvent, StampedValue, StateCommand
from schemas.state import ObjectState
from schemas.values import FieldValue
from tests.unit.pipeline.core.given import CONTACT, EMAIL, change, flow, gone, mapping, stamped, user
from tests.unit.pipeline.middle import Middle

VIEW = mapping(flow("company.name", "employer"), flow("jobtitle", "title"))
ID, NAME = "company.hs_object_id", "company.name"


def read(
    seen_ms: int, company: str | None, name: FieldValue, modified_ms: int, id: str = CONTACT, **more: object
) -> ChangeEvent:
    """A contact whose company was read in the second from `seen_ms` on and was modified when it says."""
    fields: Mapping[str, StampedValue] = {
        "email": stamped(EMAIL, 1_000),
        ID: stamped(company, seen_ms, 999),
        NAME: stamped(name, modified_ms),
    }
    return replace(change("hubspot", id, 1_000, **more), fields=fields)  # type: ignore[arg-type]


def told(company: str, name: FieldValue, modified_ms: int, id: str = CONTACT) -> ChangeEvent:
    """A fan-out's news of a company for one contact."""
    event = change("hubspot", id, modified_ms, {NAME: name})
    return replace(event, given={ID: company})


def after(*changes: ChangeEvent) -> ObjectState:
    state: ObjectState | None = None
    for seen in changes:
        state = observe(state, seen, (VIEW,)).state or state
    assert state is not None
    return state


def shown(*changes: ChangeEvent) -> FieldValue:
    return after(*changes).fields[NAME].value


class TestWhichCompany:
    def test_one_that_was_edited_long_ago_replaces_one_that_was_edited_today(self) -> None:
        assert shown(read(10_000, "1", "Today", 9_000), read(20_000, "2", "Yesterday", 1)) == "Yesterday"

    def test_news_of_the_old_one_that_came_first_does_not_hold_the_new_one_off(self) -> None:
        assert shown(read(10_000, "1", "Old", 1), told("1", "Older", 21_000), read(20_000, "2", "New", 5)) == "New"

    def test_an_older_read_brings_back_neither_the_old_one_nor_its_values(self) -> None:
        state = after(read(20_000, "2", "New", 5), read(10_000, "1", "Old", 19_000))
        assert (state.fields[ID].value, state.fields[NAME].value) == ("2", "New")

    def test_none_clears(self) -> None:
        assert shown(read(10_000, "1", "Old", 1), read(20_000, None, None, 20_000)) is None

    def test_two_companies_of_one_second_are_read_again_and_until_then_nothing_changes(self) -> None:
        step = observe(after(read(10_000, "1", "Old", 1)), read(10_500, "2", "New", 10_400), (VIEW,))
        assert step.state is not None
        assert step.state.fields[NAME].value == "Old"
        assert [request.values for request in step.rereads] == [(CONTACT,)]

    def test_what_the_new_one_is_not_seen_to_hold_is_not_known(self) -> None:
        other = read(10_000, "1", "Old", 1)
        wider = replace(other, fields={**other.fields, "company.city": stamped("Oslo", 1)})
        assert "company.city" not in after(wider, read(20_000, "2", "New", 5)).fields

    def test_a_change_without_the_company_leaves_what_is_shown(self) -> None:
        state = after(read(10_000, "1", "Old", 1), change("hubspot", CONTACT, 30_000, {"jobtitle": "Dr"}))
        assert state.fields[NAME].value == "Old"


class TestOnACondition:
    def test_a_rename_reaches_who_shows_the_company_and_tells_its_pair(self) -> None:
        step = observe(after(read(10_000, "1", "Old", 1)), told("1", "New", 15_000), (VIEW,))
        assert (step.outcome, step.matches[0].fields[NAME].value) == ("derived", "New")

    def test_the_companys_own_time_orders_its_names_to_the_millisecond(self) -> None:
        assert shown(read(10_000, "1", "Old", 9_000), told("1", "New", 9_001), read(10_100, "1", "Old", 9_000)) == "New"

    def test_who_shows_another_company_or_none_or_is_not_known_is_left_alone(self) -> None:
        for state in (after(read(10_000, "2", "Other", 1)), after(read(10_000, None, None, 1)), None):
            step = observe(state, told("1", "New", 15_000), (VIEW,))
            assert (step.state, step.matches, step.rereads, step.outcome) == (None, (), (), "stale")

    def test_nobody_comes_back_by_it(self) -> None:
        dead = after(read(10_000, "1", "Old", 1), gone("hubspot", CONTACT, 20_000))
        assert observe(dead, told("1", "New", 30_000), (VIEW,)).outcome == "stale"

    def test_it_does_not_say_that_the_object_was_there(self) -> None:
        before = after(read(10_000, "1", "Old", 1))
        state = after(read(10_000, "1", "Old", 1), told("1", "New", 90_000))
        assert (state.at_ms, state.spread_ms, state.revision) == (before.at_ms, before.spread_ms, before.revision)

    def test_an_older_or_equal_name_tells_nobody(self) -> None:
        state = after(read(10_000, "1", "New", 9_000))
        assert observe(state, told("1", "Old", 8_000), (VIEW,)).outcome == "stale"
        assert observe(state, told("1", "New", 9_000), (VIEW,)).matches == ()

    def test_ids_are_compared_as_text_and_several_may_be_named(self) -> None:
        assert holds({ID: stamped(42, 1)}, {ID: "42"})
        assert holds({ID: stamped("42", 1)}, {ID: ("41", "42")})
        assert not holds({ID: stamped(None, 1)}, {ID: "42"})
        assert not holds({}, {ID: ("42",)})


class TestPairs:
    def test_a_user_follows_its_contact_to_another_company_and_that_companys_name(self) -> None:
        middle = Middle(VIEW)
        middle.feed(user(1_000, {"employer": "Old"}), read(10_000, "1", "Old", 9_000))
        assert middle.feed(read(20_000, "2", "New", 5)).wrote == [("userflow", "u-ada", {"employer": "New"})]
        assert middle.feed(told("1", "Older", 21_000)).wrote == []
        assert middle.feed(told("2", "Newer", 22_000)).wrote == [("userflow", "u-ada", {"employer": "Newer"})]

    def test_a_user_that_comes_later_gets_the_name_too(self) -> None:
        middle = Middle(VIEW)
        middle.feed(read(10_000, "1", "Old", 9_000), told("1", "New", 15_000))
        assert middle.feed(user(20_000, {"employer": None})).wrote == [("userflow", "u-ada", {"employer": "New"})]


class TestRereadCommand:
    def command(self, **where: FieldValue) -> StateCommand:
        return StateCommand("acme", 1, "objects", "reread", where=where or {ID: ("1", "3")})

    def test_it_asks_for_those_that_show_what_is_gone_in_bulk(self) -> None:
        middle = Middle(VIEW)
        middle.feed(
            read(1, "1", "a", 1, id="11"), read(1, "2", "b", 1, id="12"), read(1, "3", "c", 1, id="13"), user(1, {})
        )
        middle.feed(read(1, "1", "a", 1, id="14"), gone("hubspot", "14", 5_000))
        (request,) = middle.feed(self.command()).requests
        assert (request.kind, request.object_type, request.values, request.bulk) == (
            "reread",
            "contacts",
            ("11", "13"),
            True,
        )

    def test_many_are_asked_for_slice_by_slice(self) -> None:
        middle = Middle(VIEW)
        row = after(read(1, "1", "a", 1))
        number = MOST_OUTPUTS * IDS_A_REQUEST + 50
        middle.objects = {f"acme:1:hubspot:contacts:{n}": row for n in range(number)}
        requests = middle.feed(self.command()).requests
        assert len(middle.commands) == 2
        asked = [object_id for request in requests for object_id in request.values]
        assert len(asked) == len(set(asked)) == number
        assert max(len(request.values) for request in requests) == IDS_A_REQUEST
