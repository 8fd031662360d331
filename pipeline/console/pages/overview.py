"""Whether anything is wrong, of all integrations; the worst first."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from pipeline.console.condition import Condition, Waiting, condition, waiting
from pipeline.console.visit import Shown, Visit
from pipeline.console.words import clock
from pipeline.full_sync.rows import Run
from pipeline.lag.judging import PATIENCE, Lag
from pipeline.operations.full_sync import current, runs_in
from pipeline.operations.roles import ROLES

ORDER: Final = ("bad", "warn", "work", "idle", "ok")
RUN_WORDS: Final[Mapping[str, str]] = {
    "requested": "asked for",
    "running": "running",
    "completed": "complete",
    "failed": "failed",
    "stopped": "stopped",
    "superseded": "replaced",
}
ROLE_NAMES: Final[Mapping[str, str]] = {
    "receiver": "Receiver",
    "hubspot": "HubSpot connector",
    "userflow": "Userflow connector",
    "worker": "Worker",
    "scheduler": "Scheduler",
}


@dataclass(frozen=True, slots=True)
class RunWord:
    """A full sync in two words."""

    word: str
    at: str


@dataclass(frozen=True, slots=True)
class Row:
    """One integration."""

    name: str
    hubspot: str
    userflow: str
    condition: Condition
    to_userflow: Waiting
    to_hubspot: Waiting
    run: RunWord | None
    refused: int | None


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """One role."""

    name: str
    kind: str
    word: str
    version: str


async def overview(visit: Visit) -> Shown:
    """`/`."""
    desk, lag = visit.desk, await visit.desk.lag()
    now_ms, parts, runs = desk.now_ms(), desk.parts, {name: desk.runs_of(name) for name in desk.integrations}
    rows = [
        Row(
            name,
            settings.hubspot.account,
            f"{settings.userflow.account}, {settings.userflow.options.get('region', 'us')}",
            condition(name, settings, parts, runs[name], lag, desk.refused(name) or 0),
            waiting(name, "userflow", lag),
            waiting(name, "hubspot", lag),
            run_word(name, runs[name], now_ms),
            desk.refused(name),
        )
        for name, settings in desk.integrations.items()
    ]
    rows.sort(key=lambda row: (ORDER.index(row.condition.kind), row.name))
    return Shown("overview.html", {"rows": rows, "lag": lag, "processes": processes(lag) if lag else []})


def run_word(name: str, runs: Iterable[Run], now_ms: int) -> RunWord | None:
    """The run under way, or else the last one."""
    ours = runs_in(runs, name)
    if not ours:
        return None
    run = current(name, ours) or ours[-1]
    return RunWord(RUN_WORDS.get(run.row.state, run.row.state), clock(run.row.updated_at_ms, now_ms))


def processes(lag: Lag) -> list[ProcessRow]:
    """Each role, by the vital signs of its processes."""
    found = []
    for role in ROLES:
        known = [row for row in lag.processes if row.role == role]
        alive = [row for row in known if lag.at_ms - row.at_ms <= PATIENCE * row.every_ms]
        version = ", ".join(sorted({row.version for row in alive}))
        kind = "ok" if known and len(alive) == len(known) else "warn" if alive else "bad"
        word = f"{len(alive)} of {len(known)}" if known else "no sign of life"
        found.append(ProcessRow(ROLE_NAMES.get(role, role), kind, word, version))
    return found
