"""The way of the change that was written last: its hops by their records, and no hop that is guessed."""

from dataclasses import replace

from pipeline.explain.answer import Hop, Trace
from pipeline.explain.history import Seen
from pipeline.explain.retained import Retained
from pipeline.explain.trace import Between, last_written, trace
from schemas.records import Cause, ChangeEvent, FieldPatch
from schemas.spent import with_spent
from tests.unit.pipeline.core.given import CONTACT, EMAIL, USER, contact, joined, receipt, user, written
from tests.unit.pipeline.explain.situations import EDIT, PLAN_EDIT, Situation, caused, in_step

SPENT = with_spent(EDIT, read_s=0.1, budget_s=0.05, write_s=0.2)
NEWS: Seen = Retained(("hubspot.changes", 2, 3), 1_650, caused(contact(1_200, {"jobtitle": "Dr"}), EDIT))
ANSWER: Seen = Retained(
    ("userflow.changes", 2, 9), 2_100, caused(written("userflow", USER, 2_000, {"title": "Dr"}), SPENT)
)
MATCHED = Retained(("sync.matches", 1, 5), 1_660, replace(joined("hubspot", CONTACT, 1_200, {}), caused_by=EDIT))
PATCH = FieldPatch("acme", 1, 1, "people", EMAIL, "userflow", "users", USER, {"title": "Dr"}, caused_by=EDIT)
DERIVED = Retained(("userflow.field-patches", 0, 7), 1_670, PATCH)


def traced(*seen: Seen, between: tuple[Between, ...] = ()) -> Trace | None:
    write = last_written(seen)
    return None if write is None else trace(write, between)


def test_every_hop_has_its_time_and_its_record() -> None:
    told = traced(NEWS, ANSWER, between=(DERIVED, MATCHED))
    assert told is not None
    assert told.hops == (
        Hop("edited", 1_200, None),
        Hop("received", 1_500, ("hubspot.notifications", 2, 4410)),
        Hop("read", 1_650, ("hubspot.changes", 2, 3)),
        Hop("matched", 1_660, ("sync.matches", 1, 5)),
        Hop("derived", 1_670, ("userflow.field-patches", 0, 7)),
        Hop("written", 2_100, ("userflow.changes", 2, 9)),
    )
    assert (told.system, told.to, told.written, told.took_ms) == ("hubspot", "userflow", ("title",), 600)
    parts = told.parts
    assert (parts.pairstream, parts.read, parts.budget, parts.write) == (250, 100, 50, 200)


def test_what_is_retained_no_longer_is_left_out() -> None:
    told = traced(NEWS, ANSWER, between=(replace(MATCHED, record=joined("hubspot", CONTACT, 1, {})),))
    assert told is not None and [hop.word for hop in told.hops] == ["edited", "received", "read", "written"]
    assert traced(NEWS) is None and traced(ANSWER) is None and traced() is None


def test_an_edit_whose_instant_nobody_told_is_no_hop() -> None:
    read = caused(contact(1_200, {"jobtitle": "Dr"}, spread_ms=999), EDIT)
    ahead = caused(contact(1_501, {"jobtitle": "Dr"}), EDIT)
    for record in (read, ahead):
        told = traced(replace(NEWS, record=record), ANSWER)
        assert told is not None and told.hops[0].word == "received"
    told = traced(replace(NEWS, record=caused(contact(1_200, {"jobtitle": "Dr"}), NO_RECORD)), replace_cause(NO_RECORD))
    assert told is not None and told.hops[1] == Hop("received", 1_500, None)


NO_RECORD = Cause("", 0, -1, 1_500)


def replace_cause(cause: Cause) -> Seen:
    return replace(ANSWER, record=caused(written("userflow", USER, 2_000, {"title": "Dr"}), cause))


def test_equal_answers_full_syncs_bulk_and_refusals_are_no_last_change() -> None:
    record = ANSWER.record
    assert isinstance(record, ChangeEvent)
    for other in (
        replace(record, equal=True),
        replace(record, run_id="run-1"),
        replace(record, bulk=True),
        replace(record, operation="deleted"),
        replace(receipt("userflow", USER, {"title": "Dr"}), caused_by=EDIT),
    ):
        assert traced(NEWS, replace(ANSWER, record=other)) is None


def test_the_newest_of_several_is_told() -> None:
    later = Retained(("userflow.changes", 2, 4), 1_900, caused(user(1_700, {"plan": "pro"}), PLAN_EDIT))
    wrote = caused(written("hubspot", CONTACT, 2_900, {"tier": "pro"}), PLAN_EDIT)
    told = traced(NEWS, ANSWER, later, Retained(("hubspot.changes", 2, 8), 3_000, wrote))
    assert told is not None and (told.system, told.to, told.written) == ("userflow", "hubspot", ("tier",))


def test_fields_that_were_written_for_another_change_are_not_told() -> None:
    record = caused(written("userflow", USER, 2_000, {"title": "Dr", "stage": "x"}), EDIT)
    told = traced(NEWS, replace(ANSWER, record=replace(record, causes={"stage": PLAN_EDIT})))
    assert told is not None and told.written == ("title",)


def test_the_command_tells_it_without_values() -> None:
    lines = in_step().told()
    assert (
        "the last change, tier of HubSpot, took 400 ms: Pairstream 400 ms, reads 0 ms, limits 0 ms, writes 0 ms"
        in lines
    )
    assert "+400 ms  written   hubspot.changes[2]@3" in lines
    assert "the last change" not in Situation().happened(contact(1_000, {"jobtitle": "Dr"})).told()
