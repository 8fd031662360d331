"""How one integration stands: what is in force, both systems, its pairs, how far behind it is. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pipeline.full_sync.counts import by_mapping, out_of_step
from pipeline.full_sync.report import instant, report
from pipeline.full_sync.rows import Run
from pipeline.lag.budgets import budgets_of
from pipeline.lag.budgets import report as budget_report
from pipeline.lag.judging import Lag
from pipeline.lag.report import by_integration
from pipeline.operations.full_sync import completed
from pipeline.operations.refused_apply import refusal_of
from pipeline.operations.webhooks import last_accepted_ms, last_refused
from schemas.audit import IN_FORCE, in_connection
from schemas.configuration import IntegrationPart, IntegrationSettings
from schemas.integrations import awaits_grant, connector_of, to_connect
from schemas.operating import AuditEntry
from schemas.values import SYSTEMS, System

Shown = dict[str, Any]
OF_PAIRS: Final = {
    "pairs": "pairs",
    "ambiguous": "ambiguous",
    "crowded": "crowded",
    "hubspot_only": "unmatched.hubspot",
    "userflow_only": "unmatched.userflow",
}
"""Key of the object -> the count of a full sync."""


@dataclass(frozen=True, slots=True)
class Known:
    """All that is looked at."""

    parts: Mapping[str, IntegrationPart]
    runs: Sequence[Run]  # oldest first
    lag: Lag
    mappings: Mapping[str, Sequence[str]]  # by integration
    partition_of: Mapping[str, int]  # by integration
    sealed: Mapping[str, tuple[int | None, int]]  # secrets sealed with the newest key (None: it is not here), and all
    next_run_ms: Mapping[str, int]  # by integration; none where none comes by itself
    audit: Sequence[AuditEntry] = ()  # oldest first, as far as it is asked for


def standing(name: str, settings: IntegrationSettings, known: Known) -> Shown:
    """The integration as one object with stable keys."""
    ours = [run for run in known.runs if run.row.integration == name]
    done = completed(ours)
    counted = counted_by(done)
    newest, total = known.sealed.get(name, (0, 0))
    came = [one for one in known.audit if (one.integration, one.action) == (name, IN_FORCE)]
    since = in_connection(settings.connection)
    return {
        "at_ms": known.lag.at_ms,
        "integration": name,
        "state": settings.state,
        "pause_reason": settings.pause_reason or None,
        "revision": settings.active_revision,
        "apply_state": settings.apply_state,
        "reason": settings.reason,
        "refusal": refusal_of(name, settings, known.parts) if settings.apply_state == "failed" else None,
        "awaits_access": _awaited(name, settings, known),
        "applied_at_ms": max((one.at_ms for one in came if one.revision == settings.active_revision), default=None),
        "connection": settings.connection,
        "connected_at_ms": min((one.at_ms for one in came if one.detail == since), default=None),
        "systems": {system: _system(name, settings, system, known) for system in SYSTEMS},
        "mappings": [of_mapping(name, mapping, counted, known.lag) for mapping in known.mappings.get(name, ())],
        "counted_at": instant(done.full_sync.finished_at_ms or done.row.updated_at_ms) if done else None,
        **_behind(name, known.lag),
        "last_full_sync": _run(ours[-1], known.lag.at_ms) if ours else None,
        "next_full_sync_at_ms": known.next_run_ms.get(name),
        "secrets": {"newest_key": newest, "all": total},
    }


def _awaited(name: str, settings: IntegrationSettings, known: Known) -> str | None:
    """The HubSpot account to which the newest file waits for access."""
    if not awaits_grant(known.parts, name, settings):
        return None
    return to_connect(known.parts, name, settings).hubspot.account


def _system(name: str, settings: IntegrationSettings, system: System, known: Known) -> Shown:
    state = connector_of(known.parts, name, system)
    ours = state if state is not None and state.connection == settings.connection else None
    section = settings.section(system)
    topics = {f"{system}.notifications", f"{system}.field-patches"}
    number = known.partition_of[name]
    owners = {
        one.place.member
        for one in known.lag.places
        if one.place.topic in topics and one.place.partition == number and one.place.member
    }
    left = [
        limit.remaining
        for row in known.lag.processes
        for limit in row.limits
        if (limit.integration, limit.system) == (name, system) and limit.remaining is not None
    ]
    return {
        "account": section.account,
        "region": section.options.get("region"),
        "status": ours.status if ours is not None else "unknown",
        "reason": ours.reason if ours is not None else None,
        "denied": dict(ours.denied) if ours is not None else {},
        "parked": ours.parked if ours is not None else False,
        "credentials": sorted(section.secrets),
        "owner": next(iter(sorted(owners)), None),
        "partition": number,
        "requests_left": left[-1] if left else None,
        "budgets": [budget_report(one) for one in budgets_of(known.lag, name, system)],
        "last_webhook_at_ms": last_accepted_ms(known.lag.processes, system, name),
        "webhooks_refused": dict(last_refused(known.lag.processes, system)),
    }


def counted_by(run: Run | None) -> Mapping[str, Mapping[str, int]]:
    """What the last full sync that completed counted, by mapping."""
    return {} if run is None else by_mapping(run)


def of_mapping(name: str, mapping: str, counted: Mapping[str, Mapping[str, int]], lag: Lag) -> Shown:
    """Its pairs as they were counted; null where they were not."""
    counts = counted.get(mapping)
    told: Shown = {key: None if counts is None else counts.get(of, 0) for key, of in OF_PAIRS.items()}
    waiting = sum(one.place.unread.mappings.get((name, mapping), 0) for one in lag.places)
    refused = None if counts is None else out_of_step(counts)
    in_step = None if refused is None else told["pairs"] - refused
    return {"mapping": mapping, "in_step": in_step, "waiting": waiting, "refused": refused, **told}


def _behind(name: str, lag: Lag) -> Shown:
    ours = [one for one in by_integration(lag) if one["integration"] == name]
    return {
        "lag": sum(one["lag"] for one in ours),
        "behind_s": max((one["behind_s"] or 0.0 for one in ours), default=0.0),
    }


def _run(run: Run, now_ms: int) -> Shown:
    told = report(run, now_ms)
    ended_ms = run.full_sync.finished_at_ms
    return {
        "run": run.run_id,
        "state": told["state"],
        "started_at": told["started_at"],
        "finished_at": instant(ended_ms) if ended_ms else None,
        "took_s": round((ended_ms or now_ms) / 1000 - run.row.started_at_ms / 1000, 1),
        "reason": told["reason"],
    }
