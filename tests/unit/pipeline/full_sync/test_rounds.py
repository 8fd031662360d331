"""A run writes in rounds: how large each is, when the next one leaves, and no faster than it was asked to."""

import itertools
from dataclasses import replace

import pytest

from pipeline.full_sync.commands import most_fields
from pipeline.full_sync.decide import decide
from pipeline.full_sync.situation import RoadSeen
from schemas.records import FieldRule
from schemas.runs import OPEN, FullSyncRun
from tests.unit.pipeline.full_sync.simulated import PEOPLE, RUN, Acting, requested


def test_a_partition_that_rests_goes_on() -> None:
    acting = Acting(mappings={"people": PEOPLE}, rests=5)
    assert acting.ended().state == "completed"
    assert "write paced" in acting.log


@pytest.mark.parametrize(
    ("behind", "patches", "step"),
    [
        (500, 500, "write"),  # the sinks have work for longer than the next round takes to come
        (2_000, 2_000, "write"),
        (2_001, 2_001, "write paced"),  # another round, and they would hold more than they can
        (501, 500, "write paced"),  # live changes would wait behind what several rounds lead to
        (0, 0, "write"),
    ],
)
def test_the_next_round_leaves_while_few_patches_wait(behind: int, patches: int, step: str) -> None:
    to_userflow = tuple(
        FieldRule("to_userflow", name, "string", name, "string", (), "clear") for name in ("title", "city")
    )
    rules = (*to_userflow, FieldRule("to_hubspot", "plan", "string", "plan", "string", (), "clear"))  # two in a patch
    acting = Acting(mappings={"people": replace(PEOPLE, rules=rules)}, rests=2)
    acting.until(lambda row: row.full_sync is not None and row.full_sync.step == "write paced")
    acting.until(lambda row: bool(row.full_sync is not None and row.full_sync.ends))
    road = RoadSeen({}, behind, patches)
    move = decide(acting.run, replace(acting.situation(), road=road))
    now = move.row.full_sync if move is not None else acting.run.full_sync
    assert now is not None and now.step == step


@pytest.mark.parametrize("rate", [1, 7, 40, 5_000])
def test_a_capped_run_writes_no_faster_than_it_was_asked_to(rate: int) -> None:
    rule = FieldRule("to_userflow", "jobtitle", "string", "title", "string", (), "clear")
    people, rounds = replace(PEOPLE, rules=(rule, rule, rule)), 6
    acting = Acting(mappings={"people": people}, rests=2 * rounds)
    asked = FullSyncRun(most_per_s=rate)
    acting.rows = {RUN: requested(full_sync=asked)}
    begun: list[int] = []
    while acting.row.state in OPEN:
        before = len(acting.log)
        if not acting.move():
            assert acting.row.reason in (None, f"at most {rate} fields a second are written, as asked")
            acting.now_ms += 50
        if any(line == "write people" for line in acting.log[before:]):
            begun.append(acting.run.full_sync.step_at_ms)
    assert acting.row.state == "completed" and len(begun) == rounds + 1
    a_round = 2 * (
        most_fields(acting.run, acting.situation()) + 2
    )  # partitions; what is left of a pair that a command began is written too
    assert all(a_round * 1000 <= rate * (after - at) + 1000 for at, after in itertools.pairwise(begun))


def test_what_takes_the_place_of_a_capped_run_is_capped_too() -> None:
    acting = Acting(mappings={"people": PEOPLE}, deaf=frozenset({"crawl"}))
    acting.rows = {RUN: requested(full_sync=FullSyncRun(most_per_s=9))}
    for _ in range(3):
        acting.move()
    acting.mappings = {"people": replace(PEOPLE, revision=2, read_since={"hubspot.jobtitle": 2})}
    acting.ended()
    (successor,) = acting.requests
    assert successor.full_sync is not None and successor.full_sync.most_per_s == 9
