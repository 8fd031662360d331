"""What the commands on full syncs do: start, status, watch, stop, history, confirm."""

import asyncio
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import click

from connectors.kafka.producer import Publisher
from connectors.kafka.table import TableReader
from pipeline.commands.changing import Change
from pipeline.commands.full_sync_display import Display, display
from pipeline.commands.options import Way
from pipeline.commands.output import say, say_object
from pipeline.commands.session import NONE_YET, known, with_kafka
from pipeline.exit_codes import DONE, INTERRUPTED, REFUSED
from pipeline.full_sync.endings import done_instead
from pipeline.full_sync.report import instant, report
from pipeline.full_sync.rows import SYSTEMS, Run, runs_of
from pipeline.full_sync.schedule import slot_ms
from pipeline.full_sync.text import ending, lines, table
from pipeline.operations import full_sync, runs
from pipeline.process import Process, now_ms
from pipeline.visible import visible_lines
from schemas.configuration import IntegrationSettings
from schemas.integrations import every
from schemas.runs import RunProgress
from schemas.topics import INTEGRATIONS, MAPPINGS, RUNS

LOOK_S: Final = 0.2
TAKEN_S: Final = 30.0
SHOWN_AGAIN_S: Final = 10.0  # a run of which nobody tells any more: that it is stalled shows in no new row


def start(
    name: str | None,
    mappings: Sequence[str],
    wait: bool,
    supersede: bool,
    asks: bool,
    most_per_s: int | None,
    within_s: float | None,
    way: Way,
) -> None:
    """Ask for a run of one integration, or of every active one that has none; with `wait` show them until they end."""

    async def ask(process: Process, publisher: Publisher, tables: TableReader) -> None:
        parts = tables.table(INTEGRATIONS)
        wanted = {each: known(parts, each) for each in _names(tables, name)}
        there = list(tables.table(MAPPINGS).values())
        asked, refusals = full_sync.new_requests(
            wanted,
            there,
            _runs(tables),
            now_ms(),
            only=mappings,
            supersede=supersede,
            asks=asks,
            most_per_s=most_per_s or 0,
        )
        for sentence in refusals:
            click.echo(visible_lines(sentence), err=True)
        full_sync.check_written(process.codec, asked)
        told = [report(Run(request), now_ms()) for request in asked]
        names = ", ".join(request.integration for request in asked)
        Change("full-sync start", way, runs=told).agree(_would(names, asked), f"Start a full sync of {names}?")
        for request in asked:
            await publisher.send(RUNS, request.run_id, request)
            if way.shape == "text":
                say(f"{request.integration}: full sync {request.run_id}{_how_to_watch(request.integration, wait)}")
                for sentence in runs.held_up(request.integration, parts, SYSTEMS):
                    say(f"{request.integration}: {sentence}")
        if wait:
            await _watched(tables, [request.run_id for request in asked], within_s, way.shape, one=name is not None)
        elif way.shape == "json":
            say_object(told[0] if name else {"at_ms": now_ms(), "runs": told})

    with_kafka(ask, topics=(RUNS,))


def status(name: str | None, shape: str) -> None:
    """The run under way or the last one."""

    async def tell(process: Process, _: Publisher, tables: TableReader) -> None:
        found = [_shown(tables, each) for each in _names(tables, name)] if name else _newest(tables)
        if shape == "json":
            told = [report(run, now_ms()) for run in found]
            say_object(told[0] if name else {"at_ms": now_ms(), "runs": told})
            return
        if not found:
            say("no full sync yet: `pairstream full-sync start` begins one")
        for line in table(found, now_ms()) if found else ():
            say(line)
        for run in found if name else ():
            for word, text in lines(run, now_ms()):
                say(f"  {word:<9} {text}")
        say(*_next(process, tables, name))

    with_kafka(tell, topics=(RUNS,))


def history(name: str, shape: str) -> None:
    """The last runs, newest first."""

    async def tell(_: Process, __: Publisher, tables: TableReader) -> None:
        known(tables.table(INTEGRATIONS), name)
        found = full_sync.runs_in(_runs(tables), name)[::-1]
        if shape == "json":
            return say_object({"at_ms": now_ms(), "runs": [report(run, now_ms()) for run in found]})
        full_sync.shown(name, found)
        for line in table(found, now_ms()):
            say(line)

    with_kafka(tell, topics=(RUNS,))


def watch(name: str | None, within_s: float | None, shape: str) -> None:
    """Show the run under way until it ends; one that has ended is shown once."""

    async def show(_: Process, __: Publisher, tables: TableReader) -> None:
        wanted = [_shown(tables, name)] if name else [run for run in _runs(tables) if run.under_way]
        if not wanted:
            raise full_sync.NoSuchRun("no full sync is under way: `pairstream full-sync start` begins one")
        await _watched(tables, [run.run_id for run in wanted], within_s, shape, one=name is not None)

    with_kafka(show, topics=(RUNS,))


def stop(name: str, way: Way) -> None:
    """Ask the run under way to end, and wait until it has."""
    would = "would end: before it writes nothing was written, and what it wrote by then stays"
    words = _Words("stop", would, full_sync.stop_request)
    _ask(name, words, lambda run: not run.under_way, lambda run: ending(run, now_ms()), way)


def confirm(name: str, way: Way) -> None:
    """Let the run that waits write, and wait until it does."""
    _ask(
        name,
        _Words("confirm", "would write what it has counted", full_sync.confirm_request),
        lambda run: run.full_sync.confirmed or not run.under_way,
        lambda run: f"{name}: run {run.run_id} writes now{_how_to_watch(name, False)}",
        way,
    )


@dataclass(frozen=True, slots=True)
class _Words:
    """What is asked of a run under way."""

    word: str
    would: str
    request: Callable[[str, Iterable[Run], int], tuple[str, RunProgress]]


def _ask(
    name: str,
    words: _Words,
    carried_out: Callable[[Run], bool],
    told: Callable[[Run], str],
    way: Way,
) -> None:
    """Ask something of the run under way, wait until it is carried out, and tell of it."""

    async def ask(_: Process, publisher: Publisher, tables: TableReader) -> None:
        known(tables.table(INTEGRATIONS), name)
        key, row = words.request(name, _runs(tables), now_ms())
        before = report(_runs_by_id(tables)[row.run_id], now_ms())
        change = Change(f"full-sync {words.word}", way, run=before)
        change.agree(f"{name}: run {row.run_id} {words.would}", f"{words.word.capitalize()} it?")
        await publisher.send(RUNS, key, row)
        run = await _once(tables, row.run_id, carried_out, TAKEN_S)
        say_object(report(run, now_ms())) if way.shape == "json" else say(told(run))

    with_kafka(ask, topics=(RUNS,))


async def _watched(
    tables: TableReader, run_ids: Sequence[str], within_s: float | None, shape: str, *, one: bool = True
) -> None:
    """Show each run until it ends; exits 1 where one did not complete, or time is over. `one`: as its object."""
    deadline = None if within_s is None else time.monotonic() + within_s
    ends: dict[str, Run] = {}  # two that were watched may have come to one
    with _goes_on(), display(shape) as shown:
        for run_id in run_ids:
            run = await _to_its_end(tables, run_id, deadline, shown)
            ends[run.run_id] = run
    ended = list(ends.values())
    if shape == "json":
        told = [report(run, now_ms()) for run in ended]
        say_object(told[0] if one else {"at_ms": now_ms(), "runs": told})
    sys.exit(DONE if all(run.row.state == "completed" for run in ended) else REFUSED)


async def _to_its_end(tables: TableReader, run_id: str, deadline: float | None, shown: Display) -> Run:
    """Show the run until it ends; where another does what it was asked for, that one, to the end of the last."""
    followed = {run_id}
    while True:
        run = await _ended(tables, run_id, deadline, shown)
        instead = done_instead(run)
        if instead is None or instead in followed or instead not in _runs_by_id(tables):
            shown.ended(run, now_ms())
            return run
        shown.goes_on(run, instead, now_ms())
        run_id = instead
        followed.add(run_id)


async def _ended(tables: TableReader, run_id: str, deadline: float | None, shown: Display) -> Run:
    """Show one run until it ends. Raises NoSuchRun where time is over before."""
    seen, shown_at = None, float("-inf")
    while True:
        run = _runs_by_id(tables).get(run_id)
        if run is not None and (run.row is not seen or time.monotonic() - shown_at >= SHOWN_AGAIN_S):
            seen, shown_at = run.row, time.monotonic()
            shown.show(run, now_ms())
        if run is not None and not run.under_way:
            return run
        if deadline is not None and time.monotonic() > deadline:
            raise full_sync.NoSuchRun(f"run {run_id} did not end in time; it goes on")
        await asyncio.sleep(LOOK_S)


async def _once(tables: TableReader, run_id: str, good: Callable[[Run], bool], within_s: float) -> Run:
    deadline = time.monotonic() + within_s
    while True:
        run = _runs_by_id(tables)[run_id]
        if good(run):
            return run
        if time.monotonic() > deadline:
            why = f"no scheduler took the request within {within_s:.0f} s"
            raise full_sync.NoSuchRun(
                f"{why}: is `pairstream run scheduler` (or `up`) running? One that starts takes it"
            )
        await asyncio.sleep(LOOK_S)


@contextmanager
def _goes_on() -> Iterator[None]:
    """Ctrl-C ends the display, not the run: it puts the cursor back and says so. A second one ends all at once."""
    loop, watching = asyncio.get_running_loop(), asyncio.current_task()
    assert watching is not None
    loop.add_signal_handler(signal.SIGINT, watching.cancel)
    try:
        yield
    except asyncio.CancelledError:
        click.echo("the run goes on: `pairstream full-sync watch` shows it again", err=True)
        sys.exit(INTERRUPTED)
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # as the program began


def _would(names: str, asked: Sequence[RunProgress]) -> str:
    """What starting these runs comes to."""
    only = f" of {', '.join(asked[0].mappings)}" if asked[0].mappings else ""
    return f"{names}: both systems would be read{only}, then what differs is written"


def _names(tables: TableReader, name: str | None) -> list[str]:
    if name:
        known(tables.table(INTEGRATIONS), name)
        return [name]
    active = _active(tables)
    if not active:
        raise full_sync.NotStarted(_why_none(every(tables.table(INTEGRATIONS))))
    return active


def _why_none(there: Mapping[str, IntegrationSettings]) -> str:
    """Why no integration can be synced."""
    paused = [name for name, settings in there.items() if settings.state == "paused"]
    if not paused:
        return NONE_YET
    return f"no integration is active; paused: {', '.join(paused)}. Fix: `pairstream integration resume {paused[0]}`"


def _active(tables: TableReader) -> list[str]:
    return [name for name, settings in every(tables.table(INTEGRATIONS)).items() if settings.state == "active"]


def _runs_by_id(tables: TableReader) -> dict[str, Run]:
    return dict(runs_of(tables.table(RUNS)))


def _runs(tables: TableReader) -> list[Run]:
    return list(_runs_by_id(tables).values())


def _shown(tables: TableReader, name: str) -> Run:
    known(tables.table(INTEGRATIONS), name)
    return full_sync.shown(name, _runs(tables))


def _newest(tables: TableReader) -> list[Run]:
    """The run under way or the last one of each integration that has had one."""
    known_runs = _runs(tables)
    return [full_sync.shown(name, known_runs) for name in sorted({run.row.integration for run in known_runs})]


def _next(process: Process, tables: TableReader, name: str | None) -> list[str]:
    """When the scheduler begins the next one."""
    interval_s = process.settings.full_sync_interval_s
    if not interval_s:
        return ["next: none (PAIRSTREAM_FULL_SYNC_INTERVAL_S=0)"]
    wanted = [one for one in _active(tables) if name in (None, one)]
    soon = ((slot_ms(one, interval_s, now_ms()) + interval_s * 1000, one) for one in wanted)
    return [
        f"next: {one} {instant(at_ms)[:16].replace('T', ' ')} UTC (PAIRSTREAM_FULL_SYNC_INTERVAL_S={interval_s})"
        for at_ms, one in sorted(soon)
    ]


def _how_to_watch(name: str, watched: bool) -> str:
    return "" if watched else f"; `pairstream full-sync watch {name}` shows how far it is"
