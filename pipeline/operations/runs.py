"""How the last full sync of each integration went, by the progress that its crawls tell on `sync.runs`."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime

from connectors.kafka.cluster import Cluster
from connectors.kafka.latest import latest_rows
from pipeline.operations.findings import Finding
from schemas.codec import Codec, MalformedRecord
from schemas.configuration import ConnectorState, IntegrationPart
from schemas.reasons import REASONS
from schemas.records import RunProgress
from schemas.registry import UnknownSchema
from schemas.topics import RUNS
from schemas.values import System

Runs = Callable[[], Iterable[RunProgress]]
"""The newest progress of every part of every run."""


def read_runs(cluster: Cluster, codec: Codec, partitions: int) -> Iterator[RunProgress]:
    """Blocks; a row that cannot be read is left out. Raises TransactionFailed where reading stalls."""
    for value in latest_rows(cluster, RUNS, partitions, "", lambda *_: None).values():
        try:
            record = codec.decode(RUNS, value)
        except (MalformedRecord, UnknownSchema):
            continue
        if isinstance(record, RunProgress):
            yield record


def last_run(integration: str, runs: Iterable[RunProgress]) -> Iterator[Finding]:
    """A finding for each crawl of the integration's last run; run ids sort by time."""
    ours = [run for run in runs if run.integration == integration]
    newest = max((run.run_id for run in ours), default=None)
    for run in sorted((run for run in ours if run.run_id == newest), key=lambda run: run.part):
        yield _finding(run)


def _finding(run: RunProgress) -> Finding:
    what = f"integration {run.integration}: last full sync: {run.part}"
    at = datetime.fromtimestamp(run.updated_at_ms / 1000, UTC).isoformat(timespec="seconds")
    told = f"{run.run_id} {run.state}, {run.read} objects read, {at}"
    if run.state != "failed":
        return Finding(what, "ok", told)
    reason = run.reason or "no reason was given"
    known = REASONS.get(reason)
    meaning = f" ({known.sentence})" if known is not None else ""
    return Finding(
        what, "wrong", f"{told}: {reason}{meaning}. Fix: mend that, then `pairstream full-sync start {run.integration}`"
    )


def held_up(integration: str, parts: Mapping[str, IntegrationPart], systems: Iterable[System]) -> Iterator[str]:
    """What is known to hold up a crawl that is asked for now, a sentence for each system."""
    for system in systems:
        part = parts.get(f"{integration}/{system}")
        state: ConnectorState | None = part.connector if part is not None else None
        if state is None:
            yield f"the {system} connector has not reported yet: its crawl begins once it runs"
        elif state.status != "ok":
            status = state.status.replace("_", " ")
            yield f"{system} is {status}: {state.reason}: its crawl begins once it can be worked with"
