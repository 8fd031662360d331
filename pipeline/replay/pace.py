"""How fast replays of this installation were: what tells how long the next one takes. Pure."""

from collections.abc import Iterable
from statistics import median
from typing import Final

from schemas.operating import Replay

LATELY: Final = 5
LEAST: Final = 1_000  # records: of fewer most of the time is no work


def records_per_s(rows: Iterable[Replay]) -> float | None:
    """The median of those that were completed last; None before one of any size was."""
    done = sorted(
        (row.updated_at_ms, row.published * 1000 / (row.updated_at_ms - row.started_at_ms))
        for row in rows
        if row.state == "completed" and row.published >= LEAST and row.updated_at_ms > row.started_at_ms
    )
    return median(per_s for _, per_s in done[-LATELY:]) if done else None
