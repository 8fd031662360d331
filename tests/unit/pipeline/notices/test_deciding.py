"""What is told: each change once, none twice after takeovers, and no trouble that is over at once."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.notices.conditions import Standing, Subject
from pipeline.notices.deciding import LASTS_MS, Deciding
from schemas.operating import Condition, Notice

HUBSPOT = Subject("acme", "hubspot")
PAIRS = Subject("", "pairs")
CONDITIONS: tuple[Condition, ...] = ("ok", "needs_reconnect", "failed", "unavailable")
LONG_MS = 1 + max(LASTS_MS.values())


def told(row: Notice) -> dict[str, Notice]:
    return {row.key: replace(row, state="told")}


def first(standing: Standing, subject: Subject = HUBSPOT) -> Notice:
    (row,) = Deciding().changes({subject: standing}, {}, ["acme"], 1_000)
    return row


def test_trouble_is_told_at_once_and_once() -> None:
    row = first(Standing("needs_reconnect", "grant_revoked"))
    assert (row.key, row.condition, row.before, row.number, row.state) == (
        "acme/hubspot",
        "needs_reconnect",
        "ok",
        1,
        "waiting",
    )
    assert not Deciding().changes({HUBSPOT: Standing("needs_reconnect", "grant_revoked")}, told(row), ["acme"], 9_000)


def test_nobody_is_told_that_all_is_well_who_was_told_of_nothing_else() -> None:
    deciding = Deciding()
    for now_ms in (0, LONG_MS):
        assert not deciding.changes({HUBSPOT: Standing("ok")}, {}, ["acme"], now_ms)


@pytest.mark.parametrize("condition", ["unavailable", "behind", "stopped"])
def test_a_condition_that_may_pass_is_told_when_it_lasts(condition: Condition) -> None:
    deciding, standing = Deciding(), {PAIRS: Standing(condition, "why")}
    assert not deciding.changes(standing, {}, [], 0)
    assert not deciding.changes(standing, {}, [], LASTS_MS[condition] - 1)
    (row,) = deciding.changes(standing, {}, [], LASTS_MS[condition])
    assert row.condition == condition


def test_what_was_well_in_between_begins_anew() -> None:
    deciding, bad = Deciding(), {PAIRS: Standing("stopped")}
    assert not deciding.changes(bad, {}, [], 0)
    assert not deciding.changes({PAIRS: Standing("ok")}, {}, [], 20_000)
    assert not deciding.changes(bad, {}, [], 31_000)


def test_the_end_of_a_trouble_is_told_after_it_lasted() -> None:
    row = first(Standing("failed", "forbidden"))
    deciding, well = Deciding(), {HUBSPOT: Standing("ok")}
    assert not deciding.changes(well, told(row), ["acme"], 2_000)
    (end,) = deciding.changes(well, told(row), ["acme"], 2_000 + LASTS_MS["ok"])
    assert (end.condition, end.before, end.number) == ("ok", "failed", 2)
    assert end.notice_id != row.notice_id


def test_another_reason_is_another_change() -> None:
    row = first(Standing("failed", "forbidden"))
    (next_one,) = Deciding().changes({HUBSPOT: Standing("failed", "bad_address")}, told(row), ["acme"], 2_000)
    assert (next_one.number, next_one.reason) == (2, "bad_address")


def test_a_stage_that_stands_still_for_another_reason_is_no_change() -> None:
    deciding = Deciding()
    assert not deciding.changes({PAIRS: Standing("stopped", "nothing is ended")}, {}, [], 0)
    assert not deciding.changes({PAIRS: Standing("stopped", "no sign of life")}, {}, [], 20_000)
    (row,) = deciding.changes({PAIRS: Standing("stopped", "nobody takes")}, {}, [], LASTS_MS["stopped"])
    assert (row.reason, row.number) == ("nobody takes", 1)
    assert not deciding.changes({PAIRS: Standing("stopped", "nothing is ended")}, told(row), [], LONG_MS)


def test_an_integration_that_is_gone_ends_its_troubles_once() -> None:
    row = first(Standing("failed", "forbidden"))
    (end,) = Deciding().changes({}, told(row), [], 2_000)
    assert end.condition == "over"
    assert not Deciding().changes({}, told(end), [], 3_000)


def test_a_connector_that_has_not_reported_yet_ends_nothing() -> None:
    assert not Deciding().changes({}, told(first(Standing("failed", "x"))), ["acme"], 2_000)


def test_what_was_not_told_is_no_former_condition() -> None:
    row = first(Standing("needs_reconnect"))
    (next_one,) = Deciding().changes({HUBSPOT: Standing("failed", "x")}, {row.key: row}, ["acme"], 2_000)
    assert next_one.before == "ok"


@given(st.lists(st.tuples(st.sampled_from(CONDITIONS), st.booleans(), st.integers(0, LONG_MS)), max_size=30))
def test_takeovers_tell_nothing_twice_and_nothing_twice_in_a_row(steps: list[tuple[Condition, bool, int]]) -> None:
    """Each step: how it is, whether another scheduler takes over, and the time that passes."""
    deciding, rows, now_ms, sent = Deciding(), dict[str, Notice](), 0, list[Notice]()
    for condition, takeover, passed_ms in steps:
        now_ms += passed_ms
        deciding = Deciding() if takeover else deciding
        for row in deciding.changes({HUBSPOT: Standing(condition)}, rows, ["acme"], now_ms):
            sent.append(row)
            rows = told(row)
    assert len({one.notice_id for one in sent}) == len(sent)
    assert [one.number for one in sent] == list(range(1, len(sent) + 1))
    assert all(later.before == one.condition != later.condition for one, later in pairwise(sent))


@given(st.sampled_from(CONDITIONS[1:]), st.text(max_size=20))
def test_two_that_decide_the_same_give_it_one_id(condition: Condition, reason: str) -> None:
    ids = set()
    for began_ms in (5, 900_000):
        deciding = Deciding()
        deciding.changes({HUBSPOT: Standing(condition, reason)}, {}, ["acme"], began_ms)
        rows = deciding.changes({HUBSPOT: Standing(condition, reason)}, {}, ["acme"], began_ms + LONG_MS)
        ids |= {row.notice_id for row in rows}
    assert len(ids) == 1
