"""Whether webhooks arrive and are taken, by what the receivers' vital signs tell."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from connectors.receiver.ports import WEBHOOK_RESULTS, WebhookResult
from pipeline.lag.judging import Lag, fresh
from pipeline.operations.findings import Finding
from schemas.values import SYSTEMS, System
from schemas.vitals import Vitals

LATELY_MS: Final = 600_000
OURS: Final[tuple[WebhookResult, ...]] = (
    "mismatch",
    "stale",
    "missing",
    "malformed",
    "no_secret",
    "sealed",
    "not_stored",
    "too_slow",
)
"""Results that something here mends; a stranger's webhook of an unknown account says nothing of ours."""


def webhooks(lag: Lag) -> Iterator[Finding]:
    """A finding for each system of which webhooks came: the newest was accepted, or refused and why."""
    alive = [row for row in lag.processes if fresh(row, lag.at_ms)]
    for system in SYSTEMS:
        accepted_ms, refused = last_accepted_ms(alive, system), last_refused(alive, system)
        result = max(refused, key=lambda one: refused[one], default=None)
        if result is not None and refused[result] > max(accepted_ms or 0, lag.at_ms - LATELY_MS):
            ago = _ago(lag, refused[result])
            why = f"{result}: {WEBHOOK_RESULTS[result]}"
            told = f"none was accepted since one was refused {ago} ago, {why}"
            yield Finding(f"webhooks of {system}", "wrong", told, "webhooks_refused")
        elif accepted_ms is not None:
            yield Finding(f"webhooks of {system}", "ok", f"the last was accepted {_ago(lag, accepted_ms)} ago")


def last_accepted_ms(rows: Iterable[Vitals], system: System, integration: str | None = None) -> int | None:
    """When the last webhook of a system, or of one integration of it, was stored by a receiver that runs."""
    found = ((key.rpartition("/"), at_ms) for row in rows for key, at_ms in row.accepted.items())
    return max((at_ms for (name, _, of), at_ms in found if of == system and integration in (None, name)), default=None)


def last_refused(rows: Iterable[Vitals], system: System) -> Mapping[WebhookResult, int]:
    """Result -> when a webhook of the system was last refused so, of the results that something here mends."""
    found: dict[WebhookResult, int] = {}
    for row in rows:
        for result in OURS:
            at_ms = row.refused.get(f"{system}/{result}")
            if at_ms is not None:
                found[result] = max(found.get(result, 0), at_ms)
    return found


def _ago(lag: Lag, at_ms: int) -> str:
    return f"{max(lag.at_ms - at_ms, 0) / 1000:,.0f} s"
