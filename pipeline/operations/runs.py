"""How the last full sync of each integration went, and what holds up the next one."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from connectors.kafka.cluster import Cluster
from connectors.kafka.latest import latest_rows
from pipeline.full_sync.report import instant, reason, report
from pipeline.full_sync.rows import Run, runs_of
from pipeline.operations.findings import Finding
from schemas.codec import Codec, MalformedRecord
from schemas.configuration import STANDS, IntegrationPart
from schemas.integrations import connector_of
from schemas.reasons import REASONS
from schemas.registry import UnknownSchema
from schemas.runs import RunProgress
from schemas.topics import RUNS
from schemas.values import System

Runs = Callable[[], Iterable[Run]]
"""Every run, oldest first."""


def read_runs(cluster: Cluster, codec: Codec, partitions: int) -> Iterable[Run]:
    """Blocks; a row that cannot be read is left out. Raises BrokersUnreachable where reading stalls."""
    rows: dict[str, RunProgress] = {}
    for key, value in latest_rows(cluster, RUNS, partitions, "", lambda *_: None).items():
        try:
            record = codec.decode(RUNS, value)
        except (MalformedRecord, UnknownSchema):
            continue
        if isinstance(record, RunProgress):
            rows[key] = record
    return runs_of(rows).values()


def last_run(integration: str, runs: Iterable[Run], now_ms: int) -> Iterator[Finding]:
    """A finding for the integration's last run; run ids sort by time."""
    ours = [run for run in runs if run.row.integration == integration]
    if ours:
        yield _finding(ours[-1], now_ms)


def _finding(run: Run, now_ms: int) -> Finding:
    name, told = run.row.integration, report(run, now_ms)
    what = f"integration {name}: last full sync"
    said = f"{run.run_id} {told['state']}, {told['pairs']} pairs, {instant(run.row.updated_at_ms)}"
    why = reason(run, now_ms)
    if told["state"] == "failed":
        fix = f"Fix: mend that, then `pairstream full-sync start {name}`"
        return Finding(what, "wrong", f"{said}: {_meant(why)}. {fix}", "full_sync_failed", name)
    if why is not None and run.under_way and why.startswith(("stalled", "waiting for confirm")):
        return Finding(what, "wrong", f"{said}: {why}", "full_sync_stalled", name)
    return Finding(what, "ok", f"{said}: {why}" if why else said, integration=name)


def _meant(why: str | None) -> str:
    """The reason, with the sentence of the code that it ends with."""
    if why is None:
        return "no reason was given"
    known = REASONS.get(why.rpartition(": ")[2])
    return f"{why} ({known.sentence})" if known is not None else why


def held_up(integration: str, parts: Mapping[str, IntegrationPart], systems: Iterable[System]) -> Iterator[str]:
    """What is known to hold up a run that is asked for now, a sentence for each system."""
    for system in systems:
        state = connector_of(parts, integration, system)
        if state is None:
            yield f"the {system} connector has not reported yet: its crawl begins once it runs"
        elif state.status != "ok":
            yield f"{system} {STANDS[state.status]}: {state.reason}: its crawl begins once it can be worked with"
