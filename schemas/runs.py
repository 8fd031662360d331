"""Full syncs: the rows of `sync.runs`, and how one is asked for."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

RequestedBy = Literal["person", "schedule", "reconnect", "gap"]
RunState = Literal["requested", "running", "completed", "failed", "stopped", "superseded"]
OPEN: Final[frozenset[RunState]] = frozenset({"requested", "running"})
"""States of a run that has not ended."""

WITH_REFUSED: Final = "with_refused"
"""In counts: pairs of which a field is refused, whether or not another one was written."""
TOUCHED: Final = "touched"
"""In the counts of what is to be written: pairs to which nothing is, and whose row the writing changes all the same."""


@dataclass(frozen=True, slots=True)
class FullSyncRun:
    """A full sync as a whole: what was asked for, and where it stands. Its one writer is the active scheduler."""

    requested_by: str = "person"  # person, schedule, reconnect or gap
    connection: int = 0  # the connection it reads
    phase: str = ""  # read, compare or confirm; empty before it begins
    step: str = ""  # where in its phase it stands
    supersede: bool = False  # request: ends the run under way
    types: tuple[str, ...] = ()  # request: only mappings that use one of these `<system>.<object type>`s
    strategies: Mapping[str, str] = field(default_factory=dict)  # mapping -> which sides are listed, and which is asked
    crawls: tuple[str, ...] = ()  # the `<system>.<object type>`s that it lists
    revisions: Mapping[str, int] = field(default_factory=dict)  # mapping -> the revision it began with
    failed: Mapping[str, str] = field(default_factory=dict)  # mapping -> why it was left out
    ends: Mapping[str, int] = field(default_factory=dict)  # `<topic>[<partition>]` -> the end offset that is waited for
    hops: int = 0  # how often the road was waited for in this step
    waiting: int = 0  # how many records the road still has before those ends
    began_waiting: int = 0  # how many it had when the waiting began
    finished_at_ms: int = 0  # our clock; 0: it is not finished
    step_at_ms: int = 0  # our clock: when its step began
    confirmed: bool = False  # true: a person let it write more than the bound
    progressed: int = 0  # how many pairs were open when it last made progress
    progressed_at_ms: int = 0  # our clock: when it last made progress
    asks: bool = False  # request: a person lets it write once it has counted, whatever it counted
    most_per_s: int = 0  # request: fields written a second at most; 0: as fast as the systems take them


@dataclass(frozen=True, slots=True)
class RunProgress:
    """One part's progress of a full sync. Key: run, and stage and partition where it is a part."""

    run_id: str  # the run
    integration: str  # whose run
    part: str  # `run`, `hubspot.contacts`, `userflow.users`, ...
    state: RunState  # where it stands
    started_at_ms: int  # our clock
    updated_at_ms: int  # our clock: heartbeat
    read: int = 0  # objects read
    cursor: str | None = None  # where the crawl goes on
    reason: str | None = None  # why it failed
    mappings: tuple[str, ...] = ()  # only these mappings; none named: all
    counts: Mapping[str, int] = field(default_factory=dict)  # what a part of the worker counted, by outcome
    expected: int = -1  # objects that are to be read; -1: not known
    calls: int = 0  # requests made to the system
    attempt: int = 0  # how often the run asked for this part
    samples: tuple[str, ...] = ()  # pairs worth showing: ids and field names, no values
    full_sync: FullSyncRun | None = None  # the run as a whole, on the row of the run itself


def run_id_at(at_ms: int, mark: str) -> str:
    """Sorts by time: an older run that is replayed must not pass for a new one."""
    return f"{at_ms:013d}-{mark}"


def run_id_after(run_ids: Iterable[str], at_ms: int, mark: str) -> str:
    """The id of a run asked for at that time; it sorts after the others, whichever machine's clock made them."""
    return run_id_at(max(at_ms, 1 + max(map(asked_for_ms, run_ids), default=0)), mark)


def asked_for_ms(run_id: str) -> int:
    """The time that the id begins with."""
    return int(run_id.partition("-")[0])


def mark_of(run_id: str) -> str:
    """What tells runs of one millisecond apart."""
    return run_id.rpartition("-")[2]


def run_request(
    integration: str,
    now_ms: int,
    by: RequestedBy,
    *,
    types: Sequence[str] = (),
    mappings: Sequence[str] = (),
    connection: int = 0,
    supersede: bool = False,
    asks: bool = False,
    most_per_s: int = 0,
) -> RunProgress:
    """The row that asks for a run; `types` are `<system>.<object type>`, and stand for the mappings that use them.

    Its key is its run id. `connection` 0: whichever is in force when it begins.
    """
    asked = FullSyncRun(by, connection, types=tuple(types), supersede=supersede, asks=asks, most_per_s=most_per_s)
    run_id = run_id_at(now_ms, uuid.uuid4().hex[:4])
    return RunProgress(
        run_id, integration, "run", "requested", now_ms, now_ms, mappings=tuple(mappings), full_sync=asked
    )


def revisions_told(revisions: Mapping[str, int]) -> tuple[str, ...]:
    """Mappings with their revisions, as the values of a request of kind `whole`."""
    return tuple(f"{mapping}@{revision}" for mapping, revision in sorted(revisions.items()))


def revisions_in(values: Iterable[str]) -> dict[str, int]:
    """The same read back; what is none is left out."""
    words = (value.rpartition("@") for value in values)
    return {mapping: int(revision) for mapping, _, revision in words if revision.isdecimal()}
