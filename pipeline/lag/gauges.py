"""The road, and the last full syncs, as samples of gauges. Pure."""

from collections.abc import Iterable, Mapping
from typing import Final

from pipeline.full_sync.counts import by_mapping
from pipeline.full_sync.rows import Run
from pipeline.lag.judging import STANDSTILL, Lag
from pipeline.lag.stages import STAGES
from schemas.topics import TOPICS

Samples = Mapping[tuple[str, ...], float]
"""The values of a gauge's labels -> the value."""

STATES: Final = ("equal", "written", "refused", "ambiguous", "crowded", "unmatched.hubspot", "unmatched.userflow")
"""How pairs stand at the end of a full sync; each is told, 0 where no pair stands so."""


def of_lag(lag: Lag, integrations: Iterable[str], changes_retention_days: int | None = None) -> dict[str, Samples]:
    """Gauge -> samples; every connected integration has one, though nothing of it waits."""
    behind = lag.stage_behind()
    return {
        "pairstream_lag_records": {(one.stage, one.topic): one.lag for one in lag.topics},
        "pairstream_behind_seconds": {(stage,): seconds for stage, seconds in behind.items()},
        "pairstream_live_behind_seconds": {(stage,): seconds for stage, seconds in lag.stage_behind(live=True).items()},
        "pairstream_integration_behind_seconds": _integrations(lag, integrations),
        "pairstream_stage_stopped": {
            (stage.name,): float(any(one.state in STANDSTILL for one in lag.topics if one.stage == stage.name))
            for stage in STAGES
        },
        "pairstream_retention_left_seconds": _retention(lag, changes_retention_days),
        "kafka_consumergroup_lag": {
            (one.place.group, one.place.topic, str(one.place.partition)): one.place.unread.records for one in lag.places
        },
        "kafka_consumergroup_current_offset": {
            (one.place.group, one.place.topic, str(one.place.partition)): one.place.position for one in lag.places
        },
        "kafka_topic_partition_current_offset": {
            (one.place.topic, str(one.place.partition)): one.place.end for one in lag.places
        },
    }


def of_runs(runs: Iterable[Run]) -> dict[str, Samples]:
    """Gauge -> samples, of the newest run of each integration that completed; oldest run first."""
    newest = {run.row.integration: run for run in runs if run.row.state == "completed"}
    pairs: Samples = {
        (name, mapping, state): float(counts.get(state, 0))
        for name, run in newest.items()
        for mapping, counts in by_mapping(run).items()
        for state in STATES
    }
    ended: Samples = {(name,): run.full_sync.finished_at_ms / 1000 for name, run in newest.items()}
    return {"pairstream_pairs": pairs, "pairstream_last_full_sync_success_timestamp_seconds": ended}


def _integrations(lag: Lag, integrations: Iterable[str]) -> Samples:
    behind: dict[tuple[str, ...], float] = {(name,): 0.0 for name in integrations}
    for one in lag.places:
        for name, share in one.place.unread.shares.items():
            if share.at_ms is not None and name:
                behind[name,] = max(behind.get((name,), 0.0), (lag.at_ms - share.at_ms) / 1000)
    return behind


def _retention(lag: Lag, changes_retention_days: int | None) -> Samples:
    left: dict[tuple[str, ...], float] = {}
    for one in lag.topics:
        whole_s = int(TOPICS[one.topic].broker_settings(changes_retention_days)["retention.ms"]) / 1000
        reaches = one.retention_reaches_ms(changes_retention_days)
        mine = whole_s if reaches is None else (reaches - lag.at_ms) / 1000
        left[one.topic,] = min(left.get((one.topic,), whole_s), mine)
    return left
