"""Full syncs of one integration: how far the run is, what came of it, the runs before; and asking for one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pipeline.console.condition import Kind
from pipeline.console.head import head, settings_in
from pipeline.console.visit import Shown, Visit
from pipeline.console.words import clock
from pipeline.full_sync.report import RunReport, report
from pipeline.full_sync.rows import Run
from pipeline.full_sync.schedule import slot_ms
from pipeline.full_sync.situation import HOLD
from pipeline.full_sync.text import BY
from schemas.configuration import IntegrationSettings

HISTORY: Final = 20
PHASES: Final = ("read", "compare", "confirm")
ENDS: Final[Mapping[str, tuple[Kind, str]]] = {
    "running": ("work", "Running"),
    "completed": ("ok", "In step"),
    "failed": ("bad", "Failed"),
    "stopped": ("idle", "Stopped"),
    "superseded": ("idle", "Replaced by the next"),
}


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase of a run."""

    name: str
    state: str  # done, now, todo
    detail: str


@dataclass(frozen=True, slots=True)
class RunShown:
    """A run, as people see it."""

    told: RunReport
    kind: Kind
    word: str
    by: str
    started: str
    ended: str
    took_s: float
    read: int
    written: int
    refused: int
    waits_for_confirm: bool
    samples: Sequence[str]


async def full_sync(visit: Visit) -> Shown:
    """`/i/<integration>/full-sync`."""
    settings, lag, now_ms = settings_in(visit), await visit.desk.lag(), visit.desk.now_ms()
    runs = list(reversed(visit.desk.runs_of(visit.integration)))
    newest = next((run for run in runs if run.under_way), runs[0] if runs else None)
    return Shown(
        "full-sync.html",
        {
            "head": head(visit, settings, lag),
            "run": shown_run(newest, now_ms) if newest is not None else None,
            "phases": phases(report(newest, now_ms)) if newest is not None else [],
            "history": [shown_run(run, now_ms) for run in runs[:HISTORY]],
            "next_at": next_at(visit, settings),
        },
    )


def shown_run(run: Run, now_ms: int) -> RunShown:
    told, finished_ms = report(run, now_ms), run.full_sync.finished_at_ms
    kind, word = ENDS.get(told["state"], ("idle", told["state"]))
    return RunShown(
        told,
        kind,
        word,
        BY.get(told["requested_by"], told["requested_by"]),
        clock(run.row.started_at_ms, now_ms),
        clock(finished_ms, now_ms) if finished_ms else "",
        ((finished_ms or now_ms) - run.row.started_at_ms) / 1000,
        sum(one["read"] for one in told["read"].values()),
        sum(told["written"].values()),
        sum(told["refused"].values()),
        run.under_way and run.full_sync.step == HOLD and not run.full_sync.confirmed,
        run.row.samples,
    )


def phases(told: RunReport) -> list[Phase]:
    """Read, compare and write, confirm: each done, under way or to do."""
    ended = told["state"] == "completed"
    here = len(PHASES) if ended else PHASES.index(told["phase"])
    details = (
        "; ".join(f"{name.replace('.', ' ')}: {one['read']:,}" for name, one in told["read"].items()) or "not begun",
        f"{told['pairs']:,} linked, {sum(told['written'].values()):,} {'written' if here > 1 else 'to write'}",
        "every stage has passed what was read",
    )
    names = ("Read both sides", "Compare and write", "Confirm")
    states = ["done" if at < here else "now" if at == here else "todo" for at in range(len(PHASES))]
    return [Phase(*one) for one in zip(names, states, details, strict=True)]


def next_at(visit: Visit, settings: IntegrationSettings) -> str:
    """When the scheduler begins the next one; empty: none is planned."""
    interval_s, now_ms = visit.desk.about.full_sync_interval_s, visit.desk.now_ms()
    if not interval_s or settings.state != "active":
        return ""
    return clock(slot_ms(visit.integration, interval_s, now_ms) + interval_s * 1000, now_ms)
