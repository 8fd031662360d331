"""The settings that every simulator shares, and how they change while it runs."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar


@dataclass(frozen=True, kw_only=True)
class SimulatorSettings:
    """Times are in milliseconds, probabilities from 0 to 1; `seed` makes every random choice repeatable.

    The `webhook_*` probabilities apply per event: `drop` loses it, `duplicate` sends it twice, `delay` holds it
    for `webhook_delay_ms`, `reorder` holds it for a random time up to `webhook_reorder_ms` so that later ones pass it.
    """

    latency_ms: float = 20
    clock_offset_ms: int = 0
    seed: int = 0
    request_log_size: int = 20_000
    webhooks: bool = True
    webhook_batch_size: int = 1
    webhook_window_ms: float = 0
    webhook_timeout_ms: float = 10_000
    webhook_attempts: int = 5
    webhook_backoff_ms: float = 5_000
    webhook_backoff_cap_ms: float = 3_600_000
    webhook_max_in_flight: int = 10
    webhook_drop_probability: float = 0
    webhook_duplicate_probability: float = 0
    webhook_delay_probability: float = 0
    webhook_delay_ms: float = 1_000
    webhook_reorder_probability: float = 0
    webhook_reorder_ms: float = 100


S = TypeVar("S", bound=SimulatorSettings)


def changed(settings: S, changes: Mapping[str, object]) -> S:
    """`settings` with the named values replaced; lists become tuples. ValueError for an unknown name."""
    known = {field.name for field in dataclasses.fields(settings)}
    unknown = sorted(set(changes) - known)
    if unknown:
        raise ValueError(f"no such setting: {', '.join(unknown)}")
    # the caller checks the values: this is a test instrument
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in changes.items()
    }
    return dataclasses.replace(settings, **values)
