"""What a run waits for, in words: told where somebody does not show a sign of life, or has to be asked. Pure."""

from collections.abc import Iterator

from pipeline.counting import counted
from pipeline.full_sync.commands import counted_types, round_ms, split, step_mappings
from pipeline.full_sync.counts import TOTAL, mapping_rows
from pipeline.full_sync.holding import question
from pipeline.full_sync.rows import Run
from pipeline.full_sync.situation import (
    ASK,
    CONFIRM,
    COUNT,
    CRAWL,
    HOLD,
    PASSES,
    STALLED_MS,
    SWEEP,
    TOTALS,
    WRITE,
    Situation,
)
from schemas.configuration import STANDS


def why(run: Run, situation: Situation) -> str | None:
    """What holds the run up; None where it gets on."""
    if run.full_sync.step == HOLD:
        return question(run)
    return next(_reasons(run, situation), None)


def _reasons(run: Run, situation: Situation) -> Iterator[str]:
    step, settings = run.full_sync.step, situation.settings
    if settings is not None and settings.state != "active":
        yield f"{run.row.integration} is {settings.state}"
    for system, state in situation.connectors.items():
        if state.status != "ok":
            yield f"{system} {STANDS[state.status]}: {state.reason}"
    for part in _connector_parts(run, situation, step):
        row = run.parts.get(part)
        if row is not None and row.state != "running":
            continue
        silent_ms = situation.now_ms - (row.updated_at_ms if row is not None else run.full_sync.step_at_ms)
        if silent_ms > STALLED_MS:
            yield f"stalled: the {split(part)[0]} connector has shown no sign of life for {silent_ms // 1000} s"
        if row is not None and row.reason is not None:
            yield f"{part}: {row.reason}"
    if step in (WRITE, CONFIRM) and situation.now_ms - run.full_sync.step_at_ms < round_ms(run, situation):
        yield f"at most {run.full_sync.most_per_s} fields a second are written, as asked"
    silent_ms = situation.now_ms - _last_sign(run, step)
    if step in (ASK, SWEEP, COUNT, WRITE, CONFIRM) and silent_ms > STALLED_MS and step_mappings(run, situation, step):
        yield f"stalled: the worker has shown no sign of life for {silent_ms // 1000} s"
    behind = situation.road.behind if situation.road is not None and step in PASSES else 0
    if behind and situation.now_ms - run.full_sync.step_at_ms > STALLED_MS:
        yield f"{counted(behind, 'record')} before workers and connectors"


def _connector_parts(run: Run, situation: Situation, step: str) -> tuple[str, ...]:
    if step == TOTALS:
        return tuple(f"{name}/{TOTAL}" for name in counted_types(run, situation))
    return run.full_sync.crawls if step == CRAWL else ()


def _last_sign(run: Run, step: str) -> int:
    rows = mapping_rows(run, step, run.row.attempt).values()
    return max((run.full_sync.step_at_ms, *(row.updated_at_ms for row in rows)))
