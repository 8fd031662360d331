"""The rows on `sync.runs` by which a stage tells how far it is with its part of a full sync."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.agents.state import Output
from pipeline.agents.step import Incoming
from schemas.records import StateCommand
from schemas.runs import RunProgress
from schemas.topics import RUNS


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a command of a run is: what it counted so far, and where it rests until it is asked to go on."""

    counts: Mapping[str, int]
    ended: bool
    samples: Sequence[str] = ()
    rests_at: str | None = None


def told(incoming: Incoming, about: str, reached: Reached, now_ms: int) -> Output:
    """The row of one command in one partition; it is in the transaction of the slice that it tells of.

    `about` is the mapping or object type that the command is for.
    """
    command: StateCommand = incoming.record
    run_id = command.run_id or ""
    part = f"{command.stage}/{incoming.partition}/{about}/{command.step}/{command.attempt}"
    began_ms = command.caused_by.at_ms if command.caused_by is not None else now_ms
    row = RunProgress(
        run_id,
        command.integration,
        part,
        "completed" if reached.ended else "running",
        began_ms,
        now_ms,
        cursor=reached.rests_at,
        counts=dict(reached.counts),
        attempt=command.attempt,
        samples=tuple(reached.samples),
    )
    return Output(RUNS, f"{run_id}/{part}", row)
