"""Replays for the console, each in a process of its own: planning takes a core for a while, and no page waits."""

import asyncio
from dataclasses import dataclass, replace
from typing import Any, Final

from pipeline.commands.child import Opened, answer_of
from pipeline.commands.replay_desk import Asked, NoReplay, ReplayDesk
from pipeline.commands.replay_text import plan_report
from pipeline.commands.replay_work import about_to_run, cancelled, published
from pipeline.commands.session import EXPECTED_ERRORS
from pipeline.console.replays import PlannedReplay, Wish
from pipeline.operations import OperationRefused
from pipeline.process import Process, now_ms
from pipeline.replay.credit import NothingMoves
from pipeline.replay.publishing import TakenOver
from schemas.operating import Replay
from schemas.topics import REPLAYS

PLANNED_AT_ONCE: Final = 1
"""Each takes a core, and holds every row of its integration."""
ENDS: Final = (*EXPECTED_ERRORS, NothingMoves, TakenOver)


class ReplayFailed(OperationRefused):
    """The process ended without an answer; the console's log says why."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a replay would do; whoever asks is told as its beginner."""

    wish: Wish
    by: str


@dataclass(frozen=True, slots=True)
class Run:
    """Do what was planned, or go on with what was interrupted."""

    row: Replay


@dataclass(frozen=True, slots=True)
class Cancel:
    """End a replay wherever it runs."""

    row: Replay


Job = Plan | Run | Cancel


class ReplayChildren:
    """Those that this console began."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[Any]] = {}
        self._ended: dict[str, str] = {}  # what kept one from its end
        self._planning = asyncio.Semaphore(PLANNED_AT_ONCE)

    async def plan(self, wish: Wish, by: str) -> PlannedReplay:
        """Raises OperationRefused."""
        async with self._planning:
            planned: PlannedReplay = await _answer(Plan(wish, by))
        return planned

    def run(self, row: Replay) -> None:
        """Begin, or go on; who waits follows its row."""
        if not self.runs(row.replay_id):
            self._running[row.replay_id] = asyncio.create_task(self._followed(row))

    async def cancel(self, row: Replay) -> None:
        """Raises OperationRefused."""
        self._let_go(row.replay_id)
        await _answer(Cancel(row))

    def hold(self, row: Replay) -> None:
        """Stop here; it goes on where it stands once somebody resumes it."""
        self._let_go(row.replay_id)
        self._ended[row.replay_id] = "It is held, and goes on where it stands once somebody resumes it."

    def runs(self, replay_id: str) -> bool:
        """Whether this console is at it."""
        task = self._running.get(replay_id)
        return task is not None and not task.done()

    def why_ended(self, replay_id: str) -> str:
        """What kept it from its end; empty: nothing that is known here."""
        return self._ended.get(replay_id, "")

    async def close(self) -> None:
        """Interrupt all: each goes on where it stood once somebody resumes it."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _let_go(self, replay_id: str) -> None:
        task = self._running.pop(replay_id, None)
        if task is not None:
            task.cancel()

    async def _followed(self, row: Replay) -> None:
        self._ended.pop(row.replay_id, None)
        try:
            await _answer(Run(row))
        except OperationRefused as refusal:
            self._ended[row.replay_id] = str(refusal)


async def _answer(job: Job) -> Any:
    """What a child makes of a job. Raises OperationRefused with its words."""
    answer = await answer_of(_work, job, _without_answer)
    if isinstance(answer, str):
        raise NoReplay(answer)
    return answer


def _without_answer() -> ReplayFailed:
    return ReplayFailed("the replay's process ended without an answer; the console's log says why")


def _done(process: Process, desk: ReplayDesk, job: Job) -> Any:
    match job:
        case Plan():
            wish = job.wish
            chosen = (wish.topics, wish.mapping, wish.wanted, wish.activity, wish.edited)
            asked = Asked(wish.name, wish.begin, wish.end, *chosen)
            planned = desk.plan(replace(desk.new_row(asked), by=job.by), wish.edited)
            return PlannedReplay(about_to_run(planned).row, planned.records, plan_report(planned, now_ms()))
        case Run():
            row, _, _ = published(process, desk, desk.plan(job.row), lambda _: None, lambda _: None)
            return row
        case Cancel():
            return cancelled(process, desk, job.row)


def _work(opened: Opened, job: Job) -> Any:
    """The answer to a job, or the words that say why there is none."""
    try:
        process = opened()
        tables = process.start(process.tables(REPLAYS), records=False)
        try:
            return _done(process, ReplayDesk(process, tables), job)
        finally:
            tables.stop()
    except ENDS as error:
        return str(error)
