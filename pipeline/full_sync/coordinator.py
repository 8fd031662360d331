"""Carries out full syncs in the active scheduler: the shell around `decide`, one run of each integration at a time."""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Protocol

from connectors.clock import set_within
from connectors.kafka.groups import BrokersUnreachable
from connectors.kafka.producer import Publisher, PublishFailed
from connectors.kafka.table import until_read
from pipeline.full_sync.commands import SILENT_MS, commands_of
from pipeline.full_sync.counts import read_whole
from pipeline.full_sync.decide import decide
from pipeline.full_sync.endings import BY_NOBODY, READS_THE_SAME, over, wanted_mappings
from pipeline.full_sync.rows import SYSTEMS, Run, orphans, runs_of
from pipeline.full_sync.schedule import anew, due, is_forgotten
from pipeline.full_sync.situation import PASSES, Command, Move, RoadSeen, Situation
from pipeline.full_sync.written import not_held
from schemas.codec import Codec
from schemas.configuration import ConnectorState, IntegrationPart, IntegrationSettings
from schemas.integrations import connector_of, every, settings_of
from schemas.letters import place_of
from schemas.records import ObjectMapping
from schemas.registry import UnknownSchema
from schemas.runs import OPEN, RunProgress
from schemas.topics import INTEGRATIONS, MAPPINGS, RUNS
from schemas.values import System

log = logging.getLogger(__name__)

LOOK_S: Final = 0.25  # between two looks while a run is under way, at most
PATIENCE: Final = 0.2  # of the time that no run has moved for
IDLE_S: Final = 2.0
LEAST_S: Final = 0.05  # rows come in bursts: one look for all of them
KEPT_RUNS: Final = 20  # of each integration, for `full-sync history`
SETTLED_MS: Final = 60_000  # after its end a run's parts may still be told
ORPHANED_MS: Final = 600_000
ENDS_PROCESS: Final = (BrokersUnreachable, PublishFailed, UnknownSchema, RuntimeError)
"""What is raised about the brokers, or because this process reads its own writes no more."""
RECONNECT: Final = frozenset({"reconnect"})


class Tables(Protocol):
    """Configuration and runs as they are now."""

    def table(self, topic: str) -> Mapping[str, Any]:
        """Key -> newest record."""

    def get(self, topic: str, key: str) -> Any:
        """The newest record of a key."""


class RoadReader(Protocol):
    """What the brokers say of the road; blocks."""

    def ends(self) -> RoadSeen: ...

    def seen(self, ends: Mapping[str, int], run_id: str) -> RoadSeen: ...


@dataclass(frozen=True, slots=True)
class FullSyncSettings:
    """The settings that full syncs follow."""

    partitions: int
    interval_s: int
    most_emptied: float


class FullSyncs:
    """Every integration's runs; writes nothing while `active` says no."""

    def __init__(
        self,
        tables: Tables,
        publisher: Publisher,
        road: RoadReader,
        settings: FullSyncSettings,
        *,
        active: Callable[[], bool],
        now_ms: Callable[[], int],
        codec: Codec,
    ) -> None:
        """`codec` is what the publisher writes with."""
        self._tables = tables
        self._codec = codec
        self._publisher = publisher
        self._road = road
        self._settings = settings
        self._active = active
        self._now_ms = now_ms
        self._wake = asyncio.Event()
        self._sent: dict[tuple[str, str, int], int] = {}  # run, step, its beginning -> when its commands were sent
        self._reading = asyncio.Lock()
        self._moved_at = 0.0  # when a run last changed its row

    def changed(self) -> None:
        """A row changed; to be called on the loop."""
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            busy = False
            if self._active():
                try:
                    busy = await self.look()
                except BrokersUnreachable as error:
                    log.warning("full syncs wait for the brokers: %s", error)
            else:
                self._sent.clear()  # whoever is active meanwhile sends for itself
            await asyncio.sleep(LEAST_S)
            await set_within(self._wake, patience_s(time.monotonic() - self._moved_at) if busy else IDLE_S)
            self._wake.clear()

    async def look(self) -> bool:
        """Ask for what is due, move every run that can move, forget what is old; whether a run is under way."""
        rows: Mapping[str, RunProgress] = self._tables.table(RUNS)
        by_integration: dict[str, list[Run]] = defaultdict(list)
        for run in runs_of(rows).values():
            by_integration[run.row.integration].append(run)
        await self._schedule(by_integration)
        open_runs = {name: [run for run in runs if run.under_way] for name, runs in by_integration.items()}
        under_way = {name: runs for name, runs in open_runs.items() if runs}
        moves = (self._advance_or_end(name, runs, by_integration[name]) for name, runs in under_way.items())
        # every move ends before an error is raised: none may still be at work at the next look
        errors = [end for end in await asyncio.gather(*moves, return_exceptions=True) if end is not None]
        if errors:
            raise errors[0]
        await self._forget(rows, by_integration)
        return bool(under_way)

    async def _schedule(self, runs: Mapping[str, Sequence[Run]]) -> None:
        parts: Mapping[str, IntegrationPart] = self._tables.table(INTEGRATIONS)
        mapped = {mapping.integration for mapping in self._tables.table(MAPPINGS).values()}
        for name, settings in every(parts).items():
            if settings.state != "active" or name not in mapped:  # a run that has nothing to read fails
                continue
            desired = parts.get(f"{name}/desired")
            applied_at_ms = desired.desired.applied_at_ms if desired is not None and desired.desired else 0
            request = anew(name, runs.get(name, ()), settings, self._now_ms()) or due(
                name,
                runs.get(name, ()),
                applied_at_ms=applied_at_ms,
                interval_s=self._settings.interval_s,
                now_ms=self._now_ms(),
            )
            if request is not None:
                await self._write(request)

    async def _advance_or_end(self, name: str, waiting: Sequence[Run], all_runs: Sequence[Run]) -> None:
        """A run at which our own code raises ends: every scheduler would meet it again, for all integrations."""
        try:
            await self._advance(name, waiting, all_runs)
        except ENDS_PROCESS:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is about this run
            run = _current(waiting)
            reason = f"step_failed: our own code raised at {place_of(error)}"
            log.error("%s: full sync %s ends: %s", name, run.run_id, reason)
            full_sync = replace(run.full_sync, finished_at_ms=self._now_ms(), ends={}, waiting=0)
            row = replace(run.row, state="failed", reason=reason, updated_at_ms=self._now_ms(), full_sync=full_sync)
            await self._write(row)

    async def _advance(self, name: str, waiting: Sequence[Run], all_runs: Sequence[Run]) -> None:
        """Move the integration's current run; others wait for its end, or end with it."""
        current = _current(waiting)
        situation = self._situation(name, all_runs)
        newer = [run for run in waiting if run.full_sync.supersede and run.run_id > current.run_id]
        if newer:
            situation = replace(situation, superseded_by=newer[-1].run_id)
        for run in _covered(current, waiting, situation):
            reason = READS_THE_SAME.format(current.run_id)
            await self._write(over(run, situation, "superseded", reason))
        if current.row.state == "requested" and (why := not_held(self._codec, current.row)):
            await self._write(over(current, situation, "failed", why))
            return
        while True:
            await self._send(current, situation)
            move = decide(current, await self._with_road(current, situation))
            if move is None or not await self._carry_out(move):
                return
            if move.row.state not in OPEN or move.row.full_sync == current.full_sync:
                return
            rows: Mapping[str, RunProgress] = self._tables.table(RUNS)
            current = runs_of({key: row for key, row in rows.items() if key.startswith(current.run_id)})[current.run_id]
            situation = replace(self._situation(name, all_runs), superseded_by=situation.superseded_by)

    async def _with_road(self, run: Run, situation: Situation) -> Situation:
        if run.full_sync.step not in PASSES or run.row.state != "running":
            return situation
        async with self._reading:
            ends = run.full_sync.ends
            look = partial(self._road.seen, ends, run.run_id) if ends else self._road.ends
            seen = await asyncio.to_thread(look)
        return replace(situation, road=seen)

    async def _send(self, run: Run, situation: Situation) -> None:
        """Publish the step's commands once; connectors that are silent are asked again."""
        if run.row.state != "running" or situation.renewing:
            return
        now_ms = self._now_ms()
        step = run.run_id, run.full_sync.step, run.full_sync.step_at_ms
        sent_ms = self._sent.get(step)
        if sent_ms is None:
            await self._publish(commands_of(run, situation))
        elif now_ms - sent_ms > SILENT_MS:
            await self._publish(commands_of(run, situation, silent_ms=SILENT_MS))
        else:
            return
        self._sent = {key: at for key, at in self._sent.items() if key[0] != run.run_id} | {step: now_ms}

    async def _publish(self, commands: Sequence[Command]) -> None:
        if commands and self._active():
            sent = (self._publisher.send(one.topic, one.key, one.record, one.partition) for one in commands)
            await asyncio.gather(*sent)

    async def _carry_out(self, move: Move) -> bool:
        """Write the move's rows; the successor's first, for the run's own end is written once."""
        if move.successor is not None and not await self._write(move.successor):
            return False
        before = self._tables.get(RUNS, move.row.run_id)
        if before is not None and before.full_sync is not None and move.row.full_sync is not None:
            steps = before.full_sync.step, move.row.full_sync.step
            if steps[0] != steps[1] or before.state != move.row.state:
                state = move.row.state if move.row.state not in OPEN else steps[1]
                log.info("%s: full sync %s: %s", move.row.integration, move.row.run_id, state)
        return await self._write(move.row)

    async def _write(self, row: RunProgress) -> bool:
        """Publish a row and wait until this process reads it, so that it never decides on an old one."""
        if not self._active():
            return False
        before = self._tables.get(RUNS, row.run_id)
        self._moved_at = time.monotonic()
        await self._publisher.send(RUNS, row.run_id, row)
        await until_read(RUNS, lambda: self._tables.get(RUNS, row.run_id) is not before)
        return True

    def _situation(self, name: str, runs: Sequence[Run]) -> Situation:
        parts: Mapping[str, IntegrationPart] = self._tables.table(INTEGRATIONS)
        mappings: Mapping[str, ObjectMapping] = self._tables.table(MAPPINGS)
        settings = settings_of(parts, name)
        present = [one for one in mappings.values() if settings is not None and _is_of(one, name, settings)]
        active_revision = settings.active_revision if settings is not None else 0
        return Situation(
            now_ms=self._now_ms(),
            partitions=self._settings.partitions,
            most_emptied=self._settings.most_emptied,
            settings=settings,
            mappings={one.name: one for one in present if one.revision <= active_revision},
            connectors=dict(_connectors(name, parts, settings)),
            read_before=read_whole(runs),
            renewing=any(one.revision > active_revision for one in present),
        )

    async def _forget(self, rows: Mapping[str, RunProgress], by_integration: Mapping[str, Sequence[Run]]) -> None:
        """Delete the parts of runs that ended, runs beyond those kept, and those of connections that are forgotten."""
        now_ms, gone = self._now_ms(), list[str]()
        parts: Mapping[str, IntegrationPart] = self._tables.table(INTEGRATIONS)
        for name, runs in by_integration.items():
            settings = settings_of(parts, name)
            over_runs = [run for run in runs if not run.under_way]
            newest_due = next((run for run in reversed(runs) if run.full_sync.requested_by == "schedule"), None)
            for number, run in enumerate(reversed(over_runs)):
                if now_ms - run.row.updated_at_ms > SETTLED_MS:
                    gone += [f"{run.run_id}/{part}" for part in run.parts]
                    forgotten = is_forgotten(run, settings)
                    surplus = number >= KEPT_RUNS and run is not newest_due  # were it forgotten, it were due again
                    gone += [run.run_id] if forgotten or surplus else []
        gone += [key for key in orphans(rows) if now_ms - rows[key].updated_at_ms > ORPHANED_MS]
        if gone and self._active():
            await asyncio.gather(*(self._publisher.send_bytes(RUNS, key, None) for key in gone))


def patience_s(still_s: float) -> float:
    """Until the next look, where no run has moved for that long.

    A step that ends is seen soon, and one that takes long is asked about seldom: each look asks the brokers.
    """
    return min(LOOK_S, still_s * PATIENCE)


def _current(waiting: Sequence[Run]) -> Run:
    """The run that moves, of those that have not ended."""
    return next((run for run in waiting if run.row.state == "running"), waiting[0])


def _begins(run: Run, situation: Situation) -> bool:
    move = decide(run, situation)
    return move is not None and move.row.state == "running"


def _covered(current: Run, waiting: Sequence[Run], situation: Situation) -> Iterator[Run]:
    """Requests that no person made, and whose mappings the run that begins now reads too.

    One reconnect may be told twice, once while its run reads already. A run that ends before it begins reads nothing.
    """
    begins = current.row.state == "requested"
    if begins and not _begins(current, situation):
        return
    mappings = situation.mappings
    reads = set(wanted_mappings(current, mappings))
    told_twice = RECONNECT if current.full_sync.phase == "read" else frozenset()
    for run in waiting:
        by = run.full_sync.requested_by
        covers = by in BY_NOBODY if begins else {by, current.full_sync.requested_by} == told_twice
        if run is not current and covers and set(wanted_mappings(run, mappings)) <= reads:
            yield run


def _is_of(mapping: ObjectMapping, name: str, settings: IntegrationSettings) -> bool:
    return mapping.integration == name and mapping.connection == settings.connection


def _connectors(
    name: str, parts: Mapping[str, IntegrationPart], settings: IntegrationSettings | None
) -> Iterator[tuple[System, ConnectorState]]:
    for system in SYSTEMS:
        state = connector_of(parts, name, system)
        if state is not None and settings is not None and state.connection == settings.connection:
            yield system, state
