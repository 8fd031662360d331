"""How a run begins and how it ends early: what people asked, what became of its integration and mappings. Pure."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from pipeline.full_sync.commands import uses
from pipeline.full_sync.counts import counts_of
from pipeline.full_sync.rows import Run
from pipeline.full_sync.situation import PHASE_OF, TOTALS, Move, Situation
from schemas.records import ObjectMapping
from schemas.runs import RunProgress, RunState, mark_of, run_id_after, run_request

BY_NOBODY: Final = frozenset({"gap", "reconnect", "schedule"})
"""Requests that no person waits for: they wait for an integration that is paused."""
EDITED: Final = "its mappings were edited while it read"
TAKES_ITS_PLACE: Final = "run {} takes its place"
READS_THE_SAME: Final = "run {} reads the same"
_INSTEAD: Final = re.compile(r"\brun (\S+) (?:takes its place|reads the same)$")


def over(run: Run, situation: Situation, state: RunState, reason: str | None, **changes: Any) -> RunProgress:
    """The run's last row."""
    full_sync = replace(run.full_sync, finished_at_ms=situation.now_ms, ends={}, waiting=0, **changes)
    counts = counts_of(run)
    return replace(
        run.row, state=state, reason=reason, updated_at_ms=situation.now_ms, counts=counts, full_sync=full_sync
    )


def ended(run: Run, situation: Situation) -> Move | None:
    """The end of a run that cannot or is not to go on."""
    settings, connection, name = situation.settings, run.full_sync.connection, run.row.integration
    if run.stop_asked:
        return Move(over(run, situation, "stopped", "stopped by `pairstream full-sync stop`"))
    if settings is None or settings.state == "disconnected":
        return Move(over(run, situation, "stopped", f"{name} is disconnected"))
    if connection and connection != settings.connection:
        return Move(over(run, situation, "stopped", f"{name} was connected anew"))
    if situation.superseded_by is not None:
        reason = TAKES_ITS_PLACE.format(situation.superseded_by)
        return Move(over(run, situation, "superseded", reason))
    if settings.state != "active":
        return _paused(run, situation, f"{name} is {settings.state}")
    if run.row.state == "running" and not situation.renewing:
        return _overtaken(run, situation)
    return None


def _paused(run: Run, situation: Situation, why: str) -> Move | None:
    """A person starts it again; what nobody waits for is owed, and begins once the integration is active."""
    if run.full_sync.requested_by not in BY_NOBODY:
        return Move(over(run, situation, "stopped", why))
    if run.row.state == "requested":
        return None
    return Move(over(run, situation, "stopped", why), _again(run, situation, run.row.mappings))


def _overtaken(run: Run, situation: Situation) -> Move | None:
    """Mappings that read other fields than the run did ask for another run; those that are gone are left out."""
    names = run.row.mappings
    left = tuple(name for name in names if name in situation.mappings)
    if not left:
        return Move(over(run, situation, "stopped", "its mappings are no more"))
    reads_more = any(_reads_more(situation.mappings[name], run.full_sync.revisions.get(name, 0)) for name in left)
    if left == names and not reads_more:
        return None
    successor = _again(run, situation, left)
    reason = f"{EDITED}: {TAKES_ITS_PLACE.format(successor.run_id)}"
    return Move(over(run, situation, "superseded", reason), successor)


def _reads_more(mapping: ObjectMapping, revision: int) -> bool:
    """Whether it reads a field that the run, begun under that revision, did not."""
    return mapping.revision != revision and max(mapping.read_since.values(), default=0) > revision


def _again(run: Run, situation: Situation, mappings: tuple[str, ...]) -> RunProgress:
    """The request of the run that takes the place of this one; its id follows from this one's, so that it is one."""
    request = run_request(run.row.integration, situation.now_ms, "gap", mappings=mappings)
    asked = replace(
        request.full_sync or run.full_sync,
        requested_by=run.full_sync.requested_by,
        asks=run.full_sync.asks,
        most_per_s=run.full_sync.most_per_s,
    )
    return replace(request, run_id=successor_id(run), full_sync=asked)


def successor_id(run: Run) -> str:
    """The id of the run that takes the place of this one, if one does.

    It is later by both clocks: that of whoever asked for this run may be ahead of the scheduler's.
    """
    return run_id_after([run.run_id], run.row.started_at_ms + 1, mark_of(run.run_id))


def done_instead(run: Run) -> str | None:
    """The id of the run that does what this one was asked for, as its reason tells; None where it is no other."""
    found = _INSTEAD.search(run.row.reason or "") if run.row.state == "superseded" else None
    return found[1] if found else None


def can_begin(situation: Situation) -> bool:
    """Whether a run that was asked for can begin: one that is owed waits while its integration is paused."""
    return situation.settings is not None and situation.settings.state == "active"


def begin(run: Run, situation: Situation) -> RunProgress:
    """The first row of a run that was asked for."""
    wanted = wanted_mappings(run, situation.mappings)
    missing = [name for name in run.row.mappings if name not in situation.mappings]
    if missing or not wanted:
        what = f"no mapping {', '.join(missing)}" if missing else "no such mapping"
        return over(run, situation, "failed", f"{run.row.integration} has {what} in force")
    connection = situation.settings.connection if situation.settings is not None else 0
    full_sync = replace(
        run.full_sync,
        connection=connection,
        step=TOTALS,
        phase=PHASE_OF[TOTALS],
        step_at_ms=situation.now_ms,
        revisions={name: situation.mappings[name].revision for name in wanted},
    )
    return replace(
        run.row,
        state="running",
        started_at_ms=situation.now_ms,
        updated_at_ms=situation.now_ms,
        mappings=wanted,
        full_sync=full_sync,
        attempt=1,
    )


def wanted_mappings(run: Run, mappings: Mapping[str, ObjectMapping]) -> tuple[str, ...]:
    """The mappings that the request names, or that use one of the types it names, or all."""
    if run.row.mappings:
        return tuple(name for name in run.row.mappings if name in mappings)
    types = run.full_sync.types
    return tuple(name for name in sorted(mappings) if not types or any(uses(mappings[name], one) for one in types))
