"""Whether anything is wrong, of all integrations; the worst first."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pipeline.console.condition import Condition, Waiting, condition, waiting
from pipeline.console.desk import Desk
from pipeline.console.took import Took, means_in, took_in
from pipeline.console.visit import Shown, Visit
from pipeline.console.words import clock, seconds
from pipeline.counting import counted
from pipeline.full_sync.rows import Run
from pipeline.lag.hour import Hour
from pipeline.lag.judging import Lag, fresh
from pipeline.operations.full_sync import completed, current, runs_in
from pipeline.operations.roles import ROLES
from schemas.configuration import IntegrationPart, IntegrationSettings
from schemas.values import SYSTEMS, System

LONGEST_SOUGHT: Final = 100
MOST_SILENT: Final = 3
PART: Final = 3
"""Minutes of one point of a line."""
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
    linked: int | None  # as the last full sync that completed counted; None: none has
    written: Sequence[int]  # the last hour in PARTS
    run: RunWord | None
    refused: int | None


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """One role."""

    name: str
    kind: str
    word: str
    version: str
    silent: str  # who of it has not reported for longer than it should


@dataclass(frozen=True, slots=True)
class Direction:
    """How long live changes of all integrations took to one system within the last hour."""

    to: System
    took: Took
    means_ms: Sequence[int]  # of the minutes in which one was written


async def overview(visit: Visit) -> Shown:
    """`/`; `?q=`: those whose name or account holds that."""
    desk, lag, wanted = visit.desk, await visit.desk.lag(), visit.query("q").strip().lower()[:LONGEST_SOUGHT]
    hour, parts = desk.last_hour(lag), desk.parts
    rows = [_row(desk, name, settings, parts, lag, hour) for name, settings in desk.integrations.items()]
    rows.sort(key=lambda row: (ORDER.index(row.condition.kind), row.name))
    shown = [row for row in rows if wanted in f"{row.name} {row.hubspot} {row.userflow}".lower()]
    facts = {"rows": rows, "shown": shown, "wanted": wanted, "lag": lag, "summary": summary(rows)}
    told = {"processes": processes(lag) if lag else [], "directions": directions(hour) if hour else []}
    return Shown("overview.html", {**facts, **told, "tried": tried(desk)})


def _row(
    desk: Desk,
    name: str,
    settings: IntegrationSettings,
    parts: Mapping[str, IntegrationPart],
    lag: Lag | None,
    hour: Hour | None,
) -> Row:
    runs = desk.runs_of(name)
    done = completed(runs)
    ends = hour.each("ended", name) if hour is not None else ()
    sinks = [sum(minute[f"{system} sink", "written"] for system in SYSTEMS) for minute in ends]
    return Row(
        name,
        settings.hubspot.account,
        f"{settings.userflow.account}, {settings.userflow.options.get('region', 'us')}",
        condition(name, settings, parts, runs, lag, desk.refused(name) or 0, desk.since(name)),
        waiting(name, "userflow", lag),
        waiting(name, "hubspot", lag),
        done.row.counts.get("pairs") if done is not None else None,
        [sum(sinks[at : at + PART]) for at in range(0, len(sinks), PART)],
        run_word(name, runs, desk.now_ms()),
        desk.refused(name),
    )


def summary(rows: Sequence[Row]) -> str:
    """How many there are, and how many of them need somebody."""
    needs = sum(row.condition.needs_person for row in rows)
    syncing = sum(row.condition.state == "full_sync" for row in rows)
    told = [counted(len(rows), "integration")]
    told += [f"{needs} need{'s' if needs == 1 else ''} you"] if needs else []
    told += [f"{syncing} {'is' if syncing == 1 else 'are'} in a full sync"] if syncing else []
    return f"{told[0]}. {', '.join(told[1:])}." if told[1:] else f"{told[0]}."


def tried(desk: Desk) -> str:
    """How often the brokers were asked in vain since they answered last."""
    number, since_ms = desk.tried()
    return f"Tried {counted(number, 'time')} since {clock(since_ms, desk.now_ms())}." if number else ""


def directions(hour: Hour) -> list[Direction]:
    """Both."""
    took, took_ms = hour.together.get("took", ()), hour.together.get("took_ms", ())
    return [
        Direction(system, took_in(system, took), list(means_in(system, took, took_ms)))
        for system in ("userflow", "hubspot")
    ]


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
        alive = [row for row in known if fresh(row, lag.at_ms)]
        version = ", ".join(sorted({row.version for row in alive}))
        kind = "ok" if known and len(alive) == len(known) else "warn" if alive else "bad"
        word = f"{len(alive)} of {len(known)}" if known else "no sign of life"
        silent = [
            f"{row.process} has not reported for {seconds((lag.at_ms - row.at_ms) / 1000)}"
            for row in known
            if row not in alive
        ]
        found.append(ProcessRow(ROLE_NAMES.get(role, role), kind, word, version, "; ".join(silent[:MOST_SILENT])))
    return found
