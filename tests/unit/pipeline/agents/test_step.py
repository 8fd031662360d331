"""The step of every agent: nothing is lost, and nothing escapes."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace

import pytest

from pipeline.agents import step as step_module
from pipeline.agents.brake import ASKS_EACH, FAILURES_IN_A_ROW
from pipeline.agents.rows import MemoryRows
from pipeline.agents.state import Overlay
from pipeline.agents.step import (
    Copied,
    Effects,
    Incoming,
    PartitionStep,
    StepFailed,
    Undecodable,
)
from schemas.registry import UnknownSchema
from tests.unit.pipeline.agents.stage import (
    NOW_MS,
    Appending,
    FakeStepDeps,
    TextOf,
    failing_of_three,
    letters,
    sent,
    until,
)

DEADLINE_S = 5.0


def incoming(text: str, offset: int = 0) -> Incoming:
    return Incoming("hubspot.changes", 0, offset, "key", text.encode(), text)


def of_one(text: str, offset: int = 0) -> Incoming:
    """A record of the integration named before its colon."""
    return Incoming("hubspot.changes", 0, offset, "key", text.encode(), TextOf(text))


def step(deps: FakeStepDeps, stage: Appending | None = None) -> PartitionStep[str]:
    return PartitionStep(stage or Appending(), 0, deps.deps())


class TestPartitionStep:
    async def test_outputs_and_rows_are_committed_together(self) -> None:
        deps = FakeStepDeps()
        await step(deps).run([incoming("a=1"), incoming("b=2"), incoming("a=3")])
        assert deps.log().commits == 1
        assert sent(deps) == ["1", "2", "13"]
        assert deps.log().topic == [("a", b"13"), ("b", b"2")]
        assert deps.counted == [("objects", None, "derived", 3)]
        assert (deps.letters, deps.restores, [stage for stage, _ in deps.steps]) == ([], [("objects", 0)], ["objects"])

    async def test_others_go_on_between_the_parts_of_a_long_step(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A live change of another partition waited for five hundred records of bulk to be decided."""
        monkeypatch.setattr(step_module, "DECIDED_AT_ONCE", 2)
        turns: list[str] = []

        class Turning(Appending):
            def decide(self, incoming: Incoming, overlay: Overlay[str]) -> Effects:
                turns.append("step")
                return super().decide(incoming, overlay)

        deps = FakeStepDeps()
        work = asyncio.create_task(step(deps, Turning()).run([incoming(f"a={n}", n) for n in range(5)]))
        while not work.done():
            turns.append("others")
            await asyncio.sleep(0)
        first, last = turns.index("step"), len(turns) - turns[::-1].index("step")
        assert turns[first:last] == ["step", "step", "others", "step", "step", "others", "step"]
        assert (deps.log().commits, sent(deps)[-1]) == (1, "01234")

    async def test_a_decision_that_raises_becomes_a_dead_letter_and_the_others_go_on(self) -> None:
        deps = FakeStepDeps()
        await step(deps).run([incoming("a=1", 7), incoming("a=2!", 8), incoming("a=3", 9)])
        assert sent(deps) == ["1", "13"]
        (letter,) = letters(deps)
        assert (letter.reason, letter.topic, letter.offset, letter.value) == (
            "step_failed",
            "hubspot.changes",
            8,
            b"a=2!",
        )
        assert ("objects", None, "dead-lettered", 1) in deps.counted
        assert deps.letters == [("objects", "step_failed")]

    async def test_its_half_made_changes_of_state_are_dropped(self) -> None:
        deps = FakeStepDeps()
        await step(deps).run([incoming("a=1"), incoming("a=2!")])
        assert deps.log().topic == [("a", b"1")]

    async def test_no_value_reaches_the_letter_or_the_log(self, caplog: pytest.LogCaptureFixture) -> None:
        deps = FakeStepDeps()
        await step(deps).run([incoming("a=2!")])
        assert "must not be logged" not in caplog.text + letters(deps)[0].detail
        assert "LookupError" in letters(deps)[0].detail

    async def test_a_dead_letter_told_again_has_the_same_id(self) -> None:
        first, second = FakeStepDeps(), FakeStepDeps()
        await step(first).run([incoming("a=2!", 8)])
        await step(second).run([incoming("a=2!", 8)])
        assert letters(first) == letters(second)
        assert letters(first)[0].at_ms == NOW_MS

    async def test_bytes_that_are_no_record_become_a_dead_letter(self) -> None:
        deps = FakeStepDeps()
        bad = Incoming("hubspot.changes", 0, 3, "key", b"\xff", Undecodable("cut"))
        await step(deps).run([bad, incoming("a=1")])
        assert [(letter.reason, letter.detail, letter.value) for letter in letters(deps)] == [
            ("undecodable", "cut", b"\xff")
        ]
        assert sent(deps) == ["1"]

    async def test_what_leads_to_more_than_a_message_holds_becomes_a_dead_letter_and_the_others_go_on(self) -> None:
        deps = FakeStepDeps()
        deps.log().most_bytes = 100
        large = incoming("a=" + "x" * 100, 8)
        await step(deps).run([incoming("a=1", 7), large, incoming("a=2", 9)])
        assert sent(deps) == ["1", "12"]
        (letter,) = letters(deps)
        assert (letter.reason, letter.detail, letter.offset) == ("too_large", "101 bytes", 8)
        assert deps.log().topic == [("a", b"1"), ("a", b"12")]
        assert deps.log().offsets == {"hubspot.changes": 10}
        assert sum(number for *_, number in deps.counted) == 3
        assert deps.letters == [("objects", "too_large")]

    async def test_a_letter_that_is_too_large_itself_leaves_the_value_out(self) -> None:
        deps = FakeStepDeps()
        deps.log().most_bytes, deps.log().most_letter_bytes = 100, 300
        await step(deps).run([incoming("a=" + "x" * 400, 8)])
        (letter,) = letters(deps)
        assert (letter.reason, letter.value, letter.offset) == ("too_large", b"", 8)
        assert "fits no letter" in letter.detail

    async def test_records_that_were_gone_before_they_were_handled_are_told_at_the_take_over(self) -> None:
        deps = FakeStepDeps()
        await step(deps).run([incoming("a=1", 4)])
        deps.log().first = {"hubspot.changes": 9}
        await step(deps).run([incoming("a=2", 9)])
        assert deps.lost == [("hubspot.changes", 0, 5, 9)]
        assert sent(deps) == ["1", "12"], "the records that are left are handled"

    async def test_records_that_went_while_the_step_worked_are_told_where_its_input_jumps(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("pipeline.agents.step.LOOK_FOR_LOST_S", 0.0)
        deps = FakeStepDeps()
        working = step(deps)
        await working.run([incoming("a=1", 4)])
        await working.run([incoming("a=2", 6), incoming("a=3", 8)])
        assert deps.lost == [], "one marker of a transaction may stand between two records"
        deps.log().first = {"hubspot.changes": 12}
        await working.run([incoming("a=4", 12)])
        assert deps.lost == [("hubspot.changes", 0, 9, 12)]

    async def test_a_jump_over_markers_is_no_loss(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("pipeline.agents.step.LOOK_FOR_LOST_S", 0.0)
        deps = FakeStepDeps()
        working = step(deps)
        await working.run([incoming("a=1", 4)])
        await working.run([incoming("a=2", 9)])
        assert deps.lost == []

    async def test_records_that_led_to_nothing_are_not_lost_once_retention_deleted_them(self) -> None:
        deps = FakeStepDeps()
        await step(deps).run([incoming("a=1", 4)])
        deps.log().first = {"hubspot.changes": 9}
        deps.acknowledged = {"hubspot.changes": 9}
        await step(deps).run([incoming("a=2", 9)])
        assert deps.lost == []

    async def test_copies_lead_to_nothing_and_count_as_handled(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Their originals were handled, and are deleted: no loss, and no lag that nobody ends."""
        monkeypatch.setattr("pipeline.agents.step.LOOK_FOR_LOST_S", 0.0)
        deps = FakeStepDeps()
        working = step(deps)
        await working.run([incoming("a=1", 4)])
        await working.run([replace(incoming("a=7", offset), record=Copied()) for offset in range(5, 9)])
        deps.log().first = {"hubspot.changes": 9}
        await working.run([incoming("a=2", 9)])
        assert (deps.lost, sent(deps)) == ([], ["1", "12"])
        await working.run([replace(incoming("a=7", 10), record=Copied())])
        await working.settle()
        assert deps.log().offsets["hubspot.changes"] == 11

    async def test_what_retention_deleted_behind_a_gap_was_handled(self, monkeypatch: pytest.MonkeyPatch) -> None:
        deps = FakeStepDeps()
        working = step(deps)
        await working.run([incoming("a=1", 4)])
        await working.run([incoming("a=2", 7)])  # markers, or a loss: too soon after the last look to ask
        await working.run([incoming("a=3", 8)])
        monkeypatch.setattr("pipeline.agents.step.LOOK_FOR_LOST_S", 0.0)
        deps.log().first = {"hubspot.changes": 9}  # days later
        await working.run([incoming("a=4", 9)])
        assert deps.lost == [("hubspot.changes", 0, 5, 7)], "no more than the gap itself is in doubt"

    async def test_what_silent_brokers_do_not_tell_is_asked_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The question ended the worker amid a pause of the brokers, though nothing hung on its answer."""
        monkeypatch.setattr("pipeline.agents.step.LOOK_FOR_LOST_S", 0.0)
        deps = FakeStepDeps()
        working = step(deps)
        await working.run([incoming("a=1", 4)])
        deps.log().first = None
        await working.run([incoming("a=2", 9)])
        assert (sent(deps), deps.lost) == (["1", "12"], [])
        deps.log().first = {"hubspot.changes": 9}
        await working.run([incoming("a=3", 10)])
        assert deps.lost == [("hubspot.changes", 0, 5, 9)]

    async def test_a_partition_is_not_taken_over_before_it_is_known_what_was_lost(self) -> None:
        deps = FakeStepDeps()
        await step(deps).run([incoming("a=1", 4)])
        deps.log().first = None
        with pytest.raises(StepFailed, match="do not tell what was lost"):
            await step(deps).run([incoming("a=2", 9)])

    async def test_what_is_lost_is_told_while_records_go_on_coming(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each step counted as a look: where records came all the time, nobody ever looked."""
        now = [100.0]
        monkeypatch.setattr("pipeline.agents.step.time", SimpleNamespace(monotonic=lambda: now[0]))
        deps = FakeStepDeps()
        working = step(deps)
        await working.run([incoming("a=1", 4)])
        deps.log().first = {"hubspot.changes": 9}
        await working.run([incoming("a=2", 9)])
        for offset in range(10, 17):
            now[0] += 1.0
            await working.run([incoming("a=3", offset)])
        assert deps.lost == [("hubspot.changes", 0, 5, 9)]

    async def test_records_that_led_to_nothing_are_told_as_handled_once_it_settles(self) -> None:
        """Their group looked behind for ever: no transaction said that they were handled."""
        deps = FakeStepDeps()
        one = step(deps)
        await one.run([incoming("a=1", 3), incoming("nothing", 4)])
        await one.run([incoming("nothing", 5)])
        assert deps.log().offsets == {"hubspot.changes": 5}
        await one.settle()
        await one.settle()
        assert (deps.log().offsets, deps.log().commits) == ({"hubspot.changes": 6}, 2)
        await one.release()
        await one.settle()
        assert deps.log().commits == 2

    async def test_a_commit_that_does_not_end_stops_the_step(self) -> None:
        """librdkafka keeps no deadline for offsets in a transaction: a killed broker stopped a worker for good."""
        deps = FakeStepDeps(commit_within_s=0.05)
        deps.log().may_commit.clear()
        try:
            with pytest.raises(StepFailed, match=r"objects\[0\]: the brokers did not answer"):
                await asyncio.wait_for(step(deps).run([incoming("a=1")]), DEADLINE_S)
        finally:
            deps.log().may_commit.set()

    async def test_a_commit_that_fails_leaves_memory_as_it_was(self) -> None:
        deps = FakeStepDeps()
        running = step(deps)
        await running.run([incoming("a=1")])
        deps.log().failing = True
        with pytest.raises(RuntimeError, match="fenced"):
            await running.run([incoming("a=2", 1)])
        deps.log().failing = False
        await running.run([incoming("a=3", 1)])
        assert sent(deps) == ["1", "13"]
        assert len(deps.counted) == 2

    async def test_a_partition_taken_over_is_restored_before_its_first_record(self) -> None:
        deps = FakeStepDeps()
        deps.log().topic += [("a", b"old"), ("b", b"gone"), ("b", None)]
        await step(deps).run([incoming("a=+new"), incoming("b=new")])
        assert sent(deps) == ["old+new", "new"]
        assert deps.log().opened == 1

    async def test_a_partition_that_comes_back_reads_what_others_wrote_meanwhile(self) -> None:
        deps = FakeStepDeps()
        running = step(deps)
        await running.run([incoming("a=1")])
        await running.release()
        deps.log().topic += [("a", b"theirs")]
        await running.run([incoming("a=2", 1)])
        assert sent(deps) == ["1", "theirs2"]
        assert (deps.log().opened, deps.log().closed) == (2, 1)

    async def test_rows_of_a_partition_that_does_not_come_back_are_freed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        deps, stores = FakeStepDeps(), list[MemoryRows]()

        def open_rows(*_: object) -> MemoryRows:
            stores.append(MemoryRows())
            return stores[-1]

        running: PartitionStep[str] = PartitionStep(Appending(), 0, replace(deps.deps(), open_rows=open_rows))
        await running.run([incoming("a=1")])
        monkeypatch.setattr(step_module, "ROWS_KEPT_S", 0.0)
        running.drop_left_rows()
        assert list(stores[0].keys()) == ["a"], "it is ours"
        await running.release()
        monkeypatch.setattr(step_module, "ROWS_KEPT_S", 60.0)
        running.drop_left_rows()
        assert list(stores[0].keys()) == ["a"], "a rebalance may give it back"
        monkeypatch.setattr(step_module, "ROWS_KEPT_S", 0.0)
        running.drop_left_rows()
        assert list(stores[0].keys()) == []
        await running.run([incoming("a=2", 1)])
        assert (sent(deps), len(stores)) == (["1", "12"], 2)

    async def test_what_was_handled_before_a_crash_is_not_decided_again(self) -> None:
        deps, after = FakeStepDeps(), Appending()
        await step(deps).run([incoming("a=1", 7), incoming("a=2", 8)])
        await step(deps, after).run([incoming("a=1", 7), incoming("a=2", 8), incoming("a=3", 9)])
        assert sent(deps) == ["1", "12", "123"]
        assert after.decided == ["a=3"]

    async def test_a_state_topic_that_was_made_anew_is_filled_by_what_was_handled_before(self) -> None:
        deps = FakeStepDeps()
        await step(deps).run([incoming("a=1", 7)])
        deps.log().topic.clear()
        await step(deps).run([incoming("a=1", 7)])
        assert deps.log().topic == [("a", b"1")]

    async def test_release_waits_for_the_running_step(self) -> None:
        deps = FakeStepDeps()
        running = step(deps)
        deps.log().may_commit.clear()
        work = asyncio.create_task(running.run([incoming("a=1")]))
        await until(deps.log().committing.is_set)
        release = asyncio.create_task(running.release())
        await asyncio.sleep(0)
        assert (deps.log().closed, release.done()) == (0, False)
        deps.log().may_commit.set()
        await asyncio.gather(work, release)
        assert (deps.log().commits, deps.log().closed) == (1, 1)

    async def test_a_revision_that_is_not_known_here_yet_is_waited_for_before_anything_is_decided(self) -> None:
        deps, stage = FakeStepDeps(), Appending()
        stage.revisions = {"a=1": 3, "a=2": 7}
        deps.known.clear()
        work = asyncio.create_task(step(deps, stage).run([incoming("a=1"), incoming("a=2")]))
        await until(lambda: bool(deps.waited))
        assert ([wait[:2] for wait in deps.waited], stage.decided) == ([("acme", 7)], [])
        deps.known.set()
        await work
        assert sent(deps) == ["1", "12"]

    async def test_failures_of_many_integrations_in_a_row_end_the_step(self) -> None:
        deps = FakeStepDeps()
        with pytest.raises(StepFailed, match="many integrations"):
            await step(deps).run([of_one(failing_of_three(number), number) for number in range(FAILURES_IN_A_ROW)])
        assert deps.log().commits == 0

    async def test_failures_of_one_integration_are_letters_however_many_and_the_others_go_on(self) -> None:
        """A hundred in a row ended the worker, and each start again: every integration waited for one's bad records."""
        deps = FakeStepDeps()
        failures = [of_one("a:x=1!", number) for number in range(2 * FAILURES_IN_A_ROW)]
        await step(deps).run([*failures, of_one("b:x=2", len(failures))])
        assert (len(letters(deps)), sent(deps)) == (len(failures), ["2"])
        assert {letter.reason for letter in letters(deps)} == {"step_failed"}

    async def test_code_that_fails_at_any_record_ends_the_step_whoever_there_is(self) -> None:
        """With one integration or two a faulty build made a dead letter of every record."""
        deps, stage = FakeStepDeps(), Appending()
        stage.broken = True
        with pytest.raises(StepFailed, match="fails at any"):
            await step(deps, stage).run([of_one("a:x=1", number) for number in range(ASKS_EACH)])
        assert (len(stage.decided), deps.log().commits) == (ASKS_EACH, 0)

    async def test_a_row_of_a_newer_build_ends_the_step_and_is_no_fault_of_the_record(self) -> None:
        """Rows on disk are not looked through at a start: an older build made dead letters of what touched them."""

        class Newer(Appending):
            def decide(self, *_: object) -> Effects:
                raise UnknownSchema("upgrade this process")

        deps = FakeStepDeps()
        with pytest.raises(StepFailed, match="upgrade this process"):
            await step(deps, Newer()).run([incoming("a=1")])
        assert letters(deps) == []

    async def test_a_success_in_between_starts_the_count_anew(self) -> None:
        deps = FakeStepDeps()
        failures = [of_one(failing_of_three(number)) for number in range(FAILURES_IN_A_ROW - 1)]
        await step(deps).run([*failures, of_one("a:x=2"), *failures])
        assert len(letters(deps)) == 2 * (FAILURES_IN_A_ROW - 1)
