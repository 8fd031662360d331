"""What is half done and knows of offsets or partitions is named with what to do about it."""

from dataclasses import replace
from typing import Any

from pipeline.operations.stop_check import under_way
from schemas.erasures import ErasurePart, Looked, Rewriting
from schemas.operating import Replay
from schemas.runs import run_request
from schemas.topics import ERASURES, REPLAYS, RUNS

REPLAY = Replay("1-ab", "acme", 1, "running", "ada@host", 1, 1, ("hubspot.changes",), {}, {}, {}, {})
RUN = run_request("acme", 1, "person")


def told(**tables: Any) -> list[str]:
    return list(under_way({REPLAYS: {}, RUNS: {}, ERASURES: {}, **tables}))


def test_nothing_is_half_done() -> None:
    over = {REPLAYS: {"1-ab": replace(REPLAY, state="completed")}, RUNS: {"1": replace(RUN, state="completed")}}
    assert told(**over, **{ERASURES: {"looked/x": ErasurePart(looked=Looked(1, 1, 1))}}) == []


def test_each_of_them_is_named_with_its_fix() -> None:
    assert "`pairstream replay cancel 1-ab`" in told(**{REPLAYS: {"1-ab": REPLAY}})[0]
    assert f"full sync {RUN.run_id} of acme" in told(**{RUNS: {RUN.run_id: RUN}})[0]
    (erasure,) = told(**{ERASURES: {"rewriting/t/0": ErasurePart(rewriting=Rewriting(5, 1))}})
    assert "let the scheduler end it" in erasure
