"""A replay done: its records published behind live changes, what they led to counted; or ended before that. Blocks."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

from connectors.runtime.backpressure import Downstream
from pipeline.commands.replay_desk import Planned, ReplayDesk
from pipeline.process import Process, now_ms
from pipeline.replay.choice import places
from pipeline.replay.credit import Credit
from pipeline.replay.observing import Observed, Observing, pass_of, wait_until_handled
from pipeline.replay.publishing import Publishing, PublishingDeps
from schemas.operating import Replay
from schemas.values import SYSTEMS

HANDLED_S: Final = 600.0


def about_to_run(planned: Planned) -> Planned:
    """The plan with what its row says from now on; one that goes on keeps what was planned first."""
    row = planned.row
    row = replace(
        row,
        records=row.records or planned.records,
        planned=row.planned if row.published else planned.rehearsed.written,
    )
    return replace(planned, row=row)


def published(
    process: Process,
    desk: ReplayDesk,
    planned: Planned,
    told: Callable[[Replay], None],
    waits: Callable[[int], None],
) -> tuple[Replay, Observed, bool]:
    """Its row at the end, what it led to, and whether all of that ended in time. Raises TakenOver, NothingMoves."""
    admin = process.admin()
    downstream = Downstream(admin, SYSTEMS)
    credit = Credit(lambda: downstream.look().records, process.settings.bulk_credit, waits)
    publishing = Publishing(PublishingDeps(process.cluster, process.codec, now_ms, credit), planned.row)
    publishing.run(desk.choice(planned.row, desk.view(planned.row.integration)), told)
    observing = Observing(process.cluster, process.codec, places(planned.row.before), planned.causes)
    handled = wait_until_handled(partial(pass_of, admin), observing.look, HANDLED_S)
    observed = observing.found
    return publishing.end("completed", len(observed.targets), len(observed.refused)), observed, handled


def cancelled(process: Process, desk: ReplayDesk, row: Replay) -> Replay:
    """Its row once it is ended; whoever runs it is fenced, and stops before the next chunk."""
    deps = PublishingDeps(process.cluster, process.codec, now_ms, Credit(lambda: 0, 1))
    publishing = Publishing(deps, row)  # from here on nobody else writes its row
    publishing.goes_on_from(desk.newest(row.replay_id))
    return publishing.end("cancelled")
