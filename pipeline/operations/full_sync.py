"""What commands ask of full syncs, by rows of `sync.runs`: to begin, to stop, to write though much gets emptied."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pipeline.full_sync.report import instant
from pipeline.full_sync.rows import CONFIRM, STOP, Run
from pipeline.full_sync.situation import HOLD
from pipeline.full_sync.written import not_held
from pipeline.operations import OperationRefused
from schemas.codec import Codec
from schemas.configuration import IntegrationSettings
from schemas.records import ObjectMapping
from schemas.runs import RunProgress, mark_of, run_id_after, run_request


class NotStarted(OperationRefused):
    """A full sync cannot be started; the message says why and what to do."""


class NoSuchRun(OperationRefused):
    """There is no run that this could be done to; the message says what to do instead."""


def new_requests(
    settings: Mapping[str, IntegrationSettings],
    mappings: Sequence[ObjectMapping],
    runs: Sequence[Run],
    now_ms: int,
    *,
    only: Sequence[str] = (),
    supersede: bool = False,
    asks: bool = False,
    most_per_s: int = 0,
) -> tuple[list[RunProgress], list[str]]:
    """The requests of runs that a person asks for, and why other integrations get none. Raises NotStarted if all do."""
    requests, refusals = list[RunProgress](), list[str]()
    for name, own in settings.items():
        try:
            asked = new_request(
                name,
                own,
                mappings,
                runs,
                now_ms,
                only=only,
                supersede=supersede,
                asks=asks,
                most_per_s=most_per_s,
            )
            requests.append(asked)
        except NotStarted as refusal:
            refusals.append(str(refusal))
    if not requests:
        raise NotStarted("\n".join(refusals))
    return requests, refusals


def new_request(
    integration: str,
    settings: IntegrationSettings,
    mappings: Iterable[ObjectMapping],
    runs: Iterable[Run],
    now_ms: int,
    *,
    only: Sequence[str] = (),
    supersede: bool = False,
    asks: bool = False,
    most_per_s: int = 0,
) -> RunProgress:
    """The request of a run that a person asks for; `asks`: it writes once it is confirmed. Raises NotStarted."""
    if settings.state != "active":
        fix = (
            f"`pairstream integration resume {integration}`"
            if settings.state == "paused"
            else "`pairstream apply` its file"
        )
        raise NotStarted(
            f"integration {integration} is {settings.state}: only an active one is synced. Fix: {fix} first"
        )
    names = sorted(one.name for one in mappings if one.integration == integration)
    wrong = [name for name in only if name not in names]
    if wrong or not names:
        there = f"; there are: {', '.join(names) or 'none'}"
        raise NotStarted(f"integration {integration} has no mapping {', '.join(wrong) or 'in force'}{there}")
    under_way = current(integration, runs)
    if under_way is not None and not supersede:
        since = instant(under_way.row.started_at_ms)
        raise NotStarted(
            f"{integration}: run {under_way.run_id} is under way since {since}: "
            f"`pairstream full-sync watch {integration}` shows it, --supersede ends it and begins anew"
        )
    request = run_request(
        integration, now_ms, "person", mappings=only, supersede=supersede, asks=asks, most_per_s=most_per_s
    )
    ours = (run.run_id for run in runs_in(runs, integration))
    return replace(request, run_id=run_id_after(ours, now_ms, mark_of(request.run_id)))


def check_written(codec: Codec, asked: Iterable[RunProgress]) -> None:
    """That each request says all that was asked once it is written. Raises NotStarted."""
    for why in filter(None, (not_held(codec, request) for request in asked)):
        raise NotStarted(why)


def runs_in(runs: Iterable[Run], integration: str) -> list[Run]:
    """The runs of an integration, in the order given."""
    return [run for run in runs if run.row.integration == integration]


def current(integration: str, runs: Iterable[Run]) -> Run | None:
    """The run of the integration that is under way."""
    under_way = [run for run in runs_in(runs, integration) if run.under_way]
    return next((run for run in under_way if run.row.state == "running"), under_way[0] if under_way else None)


def completed(runs: Sequence[Run]) -> Run | None:
    """The newest run that completed, of runs from the oldest on."""
    return next((run for run in reversed(runs) if run.row.state == "completed"), None)


def shown(integration: str, runs: Iterable[Run]) -> Run:
    """The run of the integration under way, or else its newest. Raises NoSuchRun."""
    ours = runs_in(runs, integration)
    if not ours:
        raise NoSuchRun(f"{integration} has had no full sync yet: `pairstream full-sync start {integration}`")
    return current(integration, ours) or ours[-1]


def stop_request(integration: str, runs: Iterable[Run], now_ms: int) -> tuple[str, RunProgress]:
    """The key and row that stop the run under way. Raises NoSuchRun."""
    run = current(integration, runs)
    if run is None:
        raise NoSuchRun(
            f"{integration}: no full sync is under way: `pairstream full-sync status {integration}` shows the last one"
        )
    return _asked(run, STOP, now_ms)


def confirm_request(integration: str, runs: Iterable[Run], now_ms: int) -> tuple[str, RunProgress]:
    """The key and row that let the run under way write. Raises NoSuchRun."""
    run = current(integration, runs)
    if run is None or run.full_sync.step != HOLD:
        raise NoSuchRun(
            f"{integration}: no full sync waits to be confirmed: "
            f"`pairstream full-sync status {integration}` shows the last one"
        )
    return _asked(run, CONFIRM, now_ms)


def _asked(run: Run, what: str, now_ms: int) -> tuple[str, RunProgress]:
    row = RunProgress(run.run_id, run.row.integration, what, "requested", now_ms, now_ms)
    return f"{run.run_id}/{what}", row
