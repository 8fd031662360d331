"""What the commands on replays do: plan, run, resume, status, cancel."""

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import click

from connectors.kafka.producer import publish_now
from pipeline.commands.changing import Change
from pipeline.commands.command_line import clean_up_on_ctrl_c
from pipeline.commands.file_actions import mappings_of, read_file
from pipeline.commands.options import Way
from pipeline.commands.output import say, say_object
from pipeline.commands.replay_desk import Asked, NoReplay, Planned, ReplayDesk
from pipeline.commands.replay_text import plan_lines, plan_report, row_report, status_lines
from pipeline.commands.replay_work import about_to_run, cancelled, published
from pipeline.commands.session import audit, confirm, open_process, plain_errors, refuse
from pipeline.counting import counted
from pipeline.exit_codes import CHANGES, DONE, INTERRUPTED
from pipeline.process import Process, now_ms
from pipeline.replay.choice import NOTIFICATIONS
from pipeline.replay.credit import NothingMoves
from pipeline.replay.observing import Observed
from pipeline.replay.publishing import TakenOver
from pipeline.visible import visible
from schemas.operating import Replay
from schemas.topics import REPLAYS
from schemas.values import SYSTEMS

SHOWN_EVERY_S: Final = 2.0
ANSWERED_S: Final = 20.0
"""For each connector's answer, where the mappings of a file are planned by."""


def plan_replay(asked: Asked, shape: str) -> None:
    """Print what a replay would write, by the mappings of a file where one is named; exits 2 where it writes."""
    if is_file(asked.name):
        if not Path(asked.name).is_file():
            raise click.UsageError(f"there is no file {visible(asked.name)}.")
        file = read_file(Path(asked.name))
        asked = replace(asked, name=file.integration, edited=mappings_of(file, ANSWERED_S))

    def tell(_: Process, desk: ReplayDesk) -> None:
        planned = desk.plan(desk.new_row(asked), asked.edited)
        _tell_plan(planned, shape, asked)
        sys.exit(CHANGES if planned.rehearsed.written else DONE)

    _with_desk(tell)


def is_file(text: str) -> bool:
    """Whether a text names a file: no integration's name has a dot or a slash."""
    return "." in text or "/" in text


def run_replay(asked: Asked, *, dry_run: bool, yes: bool, shape: str) -> None:
    """Say what it will write, then publish."""
    if is_file(asked.name):
        refuse(f"{asked.name}: what it says is not in force. Fix: `pairstream apply` it, then run the replay.")

    def work(process: Process, desk: ReplayDesk) -> None:
        planned = desk.plan(desk.new_row(asked))
        _go(process, desk, planned, asked, dry_run=dry_run, yes=yes, shape=shape)

    _with_desk(work)


def resume_replay(replay_id: str, *, dry_run: bool, yes: bool, shape: str) -> None:
    """Go on with an interrupted one; whoever is still at it is fenced."""

    def work(process: Process, desk: ReplayDesk) -> None:
        row = desk.row(replay_id)
        if row.state != "running":
            raise NoReplay(f"replay {replay_id} is {row.state}: `pairstream replay run` begins a new one")
        _go(process, desk, desk.plan(row), Asked(row.integration), dry_run=dry_run, yes=yes, shape=shape)

    _with_desk(work)


def _go(
    process: Process, desk: ReplayDesk, planned: Planned, asked: Asked, *, dry_run: bool, yes: bool, shape: str
) -> None:
    if shape == "text" or dry_run or not planned.records:
        _tell_plan(planned, shape, asked)
    if dry_run or not planned.records:
        sys.exit(DONE)
    if not yes:
        confirm(f"Publish {counted(planned.records, 'record')} again?")
    planned = about_to_run(planned)
    row = planned.row
    what = f"{row.replay_id}, {counted(planned.records, 'record')}"
    publish_now(process.cluster, process.codec, [audit().deed(row.integration, "replay run", what)])
    clean_up_on_ctrl_c()
    began = time.monotonic()
    try:
        ended, observed, handled = _published(process, desk, planned, shape)
    except KeyboardInterrupt:
        click.echo(f"interrupted; `pairstream replay run --resume {row.replay_id}` goes on", err=True)
        sys.exit(INTERRUPTED)
    except NothingMoves as error:
        refuse(f"{error}. Fix: see `pairstream lag`, then `pairstream replay run --resume {row.replay_id}`")
    except TakenOver:
        refuse(f"replay {row.replay_id} was cancelled, or somebody goes on with it elsewhere")
    _tell_end(planned, ended, observed, handled, time.monotonic() - began, shape)


def _published(process: Process, desk: ReplayDesk, planned: Planned, shape: str) -> tuple[Replay, Observed, bool]:
    def waits(there: int) -> None:
        click.echo(f"waiting: {counted(there, 'record')} on the way (see `pairstream lag`)", err=True)

    return published(process, desk, planned, _progress(shape), waits)


def _progress(shape: str) -> Callable[[Replay], None]:
    told_at, told = time.monotonic(), -1

    def tell(row: Replay) -> None:
        nonlocal told_at, told
        if shape != "text" or row.published == told:
            return
        if time.monotonic() - told_at >= SHOWN_EVERY_S or row.published >= row.records:
            told_at, told = time.monotonic(), row.published
            say(f"replay {row.replay_id} ... {row.published:,}/{row.records:,}")

    return tell


def _tell_end(planned: Planned, row: Replay, observed: Observed, handled: bool, took_s: float, shape: str) -> None:
    outcomes = planned.rehearsed.outcomes
    if shape == "json":
        writes = {system: observed.writes(system) for system in SYSTEMS}
        told = {**row_report(row), "outcomes": dict(outcomes), "writes": writes, "handled": handled}
        return say_object({"at_ms": now_ms(), "took_s": round(took_s, 1), **told})
    translated = sum(planned.by_topic.get(topic, 0) for topic in NOTIFICATIONS)
    if translated:
        say(f"{translated:,} notifications were translated again; what came of them is not told from live changes")
    if planned.rehearsed.records:
        ends = f"equal {outcomes['equal']:,} · stale {outcomes['stale']:,}"
        say(f"{ends} · written {row.written:,} · refused {row.refused:,}")
    if row.written != row.planned:
        say(f"{row.planned:,} writes were planned: edits meanwhile, or a system that is away, make the difference")
    if not handled:
        return say(f"published after {took_s:.0f} s; what it leads to still waits: see `pairstream lag`")
    say(f"✓ done after {took_s:.0f} s")


def status(name: str | None, shape: str) -> None:
    """Print the replays, newest first."""

    def tell(_: Process, desk: ReplayDesk) -> None:
        rows = sorted(desk.rows.values(), key=lambda row: row.replay_id, reverse=True)
        found = [row for row in rows if name in (None, row.integration)]
        if name is not None and not found:
            desk.check(name)
        if shape == "json":
            return say_object({"at_ms": now_ms(), "replays": [row_report(row) for row in found]})
        say(*(status_lines(found, now_ms()) if found else ["no replay in the last 30 days"]))

    _with_desk(tell)


def cancel(replay_id: str, way: Way) -> None:
    """End a replay; who runs it is fenced, and stops before its next chunk."""

    def work(process: Process, desk: ReplayDesk) -> None:
        row = desk.row(replay_id)
        if row.state != "running":
            raise NoReplay(f"replay {replay_id} is {row.state} already")
        change = Change("replay cancel", way, **row_report(row))
        told = f"{row.published:,} of {row.records:,} records are published and stay"
        change.agree(f"replay {replay_id} would end: {told}", "Cancel it?")
        ended = cancelled(process, desk, row)
        publish_now(process.cluster, process.codec, [audit().deed(row.integration, "replay cancel", replay_id)])
        change.say(f"replay {replay_id} is cancelled; {ended.published:,} of {ended.records:,} records were published")
        change.end(**row_report(ended))

    _with_desk(work)


def _with_desk(work: Callable[[Process, ReplayDesk], None]) -> None:
    with plain_errors():
        process = open_process()
        process.check_partitions()
        tables = process.start(process.tables(REPLAYS), records=False)
        try:
            work(process, ReplayDesk(process, tables))
        finally:
            tables.stop()


def _tell_plan(planned: Planned, shape: str, asked: Asked) -> None:
    earliest_ms = asked.begin.at_ms if asked.begin is not None else None
    if shape == "json":
        return say_object(plan_report(planned, now_ms()))
    say(*plan_lines(planned, earliest_ms))
