"""What a full sync does next: a pure, resumable decision over its rows.

The active scheduler calls `decide` again and again. A move is a row; once it is written, the commands of its step are
published (`commands.py`). Whoever takes over after a crash between the two finds the row and publishes them once more:
each has the run id and attempt of its step, so that a repeat is harmless.

requested -> totals -> crawl -> (pass) -> ask -> (pass) -> sweep -> (pass) -> count -> [hold] -> write -> (pass)
-> confirm -> (pass, confirm again while something is open) -> completed; a count that finds nothing to do ends it too
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from pipeline.counting import counted
from pipeline.full_sync.commands import (
    asked_side,
    counted_types,
    failed_asks,
    next_round_fits,
    round_ms,
    step_mappings,
    uses,
    whole_types,
)
from pipeline.full_sync.counts import TOTAL, all_in_step, counts_of, last_attempt, mapping_rows, open_in
from pipeline.full_sync.endings import begin, can_begin, ended, over
from pipeline.full_sync.holding import worth_asking
from pipeline.full_sync.rows import CONFIRM as CONFIRMED
from pipeline.full_sync.rows import Run
from pipeline.full_sync.situation import (
    ASK,
    ASKED,
    CONFIRM,
    CONFIRM_PACED,
    COUNT,
    COUNTED,
    CRAWL,
    CRAWLED,
    HOLD,
    OPEN_YET,
    PASSES,
    PHASE_OF,
    SWEEP,
    SWEPT,
    TOTALS,
    WRITE,
    WRITE_PACED,
    WRITTEN,
    Move,
    Situation,
)
from pipeline.full_sync.stalled import why
from pipeline.full_sync.strategy import Sizes, choose, provisional
from schemas.records import ObjectMapping
from schemas.runs import RunProgress

TOTALS_MS: Final = 30_000  # how long a total is waited for: without it only the way of reading may be dearer
HEARTBEAT_MS: Final = 5_000
TELL_MS: Final = 1_000  # figures that moved are told so often
GIVE_UP_MS: Final = 600_000  # without progress, though both systems can be worked with
AGAIN_MS: Final = (1_000, 2_000, 5_000, 10_000, 30_000)  # before what is open is judged again
MOST_SWEEPS: Final = 5


def decide(run: Run, situation: Situation) -> Move | None:
    """The run's next row; None while it waits and nothing is to be told."""
    move = ended(run, situation)
    if move is not None:
        return move
    if situation.renewing or (run.row.state == "requested" and not can_begin(situation)):
        return _beat(run, situation)
    row = begin(run, situation) if run.row.state == "requested" else _stepped(run, situation)
    return Move(row) if row is not None else _beat(run, situation)


def _stepped(run: Run, situation: Situation) -> RunProgress | None:
    return _edited(run, situation) or STEPS[run.full_sync.step](run, situation)


def _beat(run: Run, situation: Situation) -> Move | None:
    """A sign of life, with the figures as they are now and what the run waits for."""
    reason, counts = why(run, situation), counts_of(run)
    full_sync = run.full_sync
    if situation.road is not None and full_sync.step in PASSES:
        waiting = situation.road.waiting
        full_sync = replace(full_sync, waiting=waiting, began_waiting=max(full_sync.began_waiting, waiting))
    age_ms = situation.now_ms - run.row.updated_at_ms
    told = replace(run.row, reason=reason, counts=counts, full_sync=full_sync)
    if age_ms < TELL_MS or (age_ms < HEARTBEAT_MS and told == run.row):
        return None
    return Move(replace(told, updated_at_ms=situation.now_ms))


def to(run: Run, situation: Situation, step: str, **changes: Any) -> RunProgress:
    """The row at the beginning of a step; no two steps begin at one time, whatever the clocks of two schedulers say."""
    before = run.full_sync
    at_ms = max(situation.now_ms, before.step_at_ms + 1)
    kept = replace(before, step=step, phase=PHASE_OF[step], step_at_ms=at_ms, ends={}, hops=0, waiting=0)
    return replace(
        run.row,
        state="running",
        updated_at_ms=situation.now_ms,
        reason=None,
        counts=counts_of(run),
        attempt=last_attempt(run, step) + 1,
        full_sync=replace(kept, **changes),
    )


def _edited(run: Run, situation: Situation) -> RunProgress | None:
    """Mappings were edited, and what was read still serves: pairs are counted anew under the rules in force."""
    names = [name for name in run.row.mappings if name in situation.mappings]
    revisions = {name: situation.mappings[name].revision for name in names}
    if revisions == {name: run.full_sync.revisions.get(name) for name in names}:
        return None
    if run.full_sync.phase == "read":
        kept = replace(run.full_sync, revisions=revisions)
        return replace(run.row, full_sync=kept, updated_at_ms=situation.now_ms)
    return to(run, situation, COUNT, revisions=revisions, confirmed=False)


def _totals(run: Run, situation: Situation) -> RunProgress | None:
    rows = [run.parts.get(f"{name}/{TOTAL}") for name in counted_types(run, situation)]
    late = situation.now_ms - run.full_sync.step_at_ms > TOTALS_MS
    if not late and any(row is None or row.state == "running" for row in rows):
        return None
    strategies = {name: provisional(situation.mappings[name], _sizes(run, situation, name)) for name in _live(run)}
    crawls = _crawls(situation.mappings, strategies)
    return to(run, situation, CRAWL, strategies=strategies, crawls=crawls)


def _crawl(run: Run, situation: Situation) -> RunProgress | None:
    rows = {name: run.parts.get(name) for name in run.full_sync.crawls}
    if any(row is None or row.state == "running" for row in rows.values()):
        return None
    failures = {name: row.reason or row.state for name, row in rows.items() if row and row.state != "completed"}
    failed = {**_concerned(run, situation, failures), **run.full_sync.failed}
    live = [name for name in run.row.mappings if name not in failed]
    if not live:
        return over(run, situation, "failed", _told(failed), failed=failed)
    strategies = {name: choose(situation.mappings[name], _sizes(run, situation, name)) for name in live}
    # a side that was listed already is never asked, and what is listed stays so
    crawls = tuple(
        dict.fromkeys((*run.full_sync.crawls, *_crawls(situation.mappings, strategies, run.full_sync.crawls)))
    )
    step = CRAWL if set(crawls) - rows.keys() else CRAWLED
    return to(run, situation, step, strategies=strategies, crawls=crawls, failed=failed)


def _crawls(
    mappings: Mapping[str, ObjectMapping], strategies: Mapping[str, str], listed: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """The types to be listed, Userflow's first."""
    userflow, hubspot = list[str](), list[str]()
    for name, strategy in strategies.items():
        mapping = mappings[name]
        if strategy != "lookup_userflow":
            userflow.append(f"userflow.{mapping.userflow_type}")
        if strategy != "lookup_hubspot":
            hubspot.append(f"hubspot.{mapping.hubspot_type}")
    found = tuple(dict.fromkeys((*userflow, *hubspot)))
    return tuple(name for name in found if name not in listed)


def _concerned(run: Run, situation: Situation, failures: Mapping[str, str]) -> dict[str, str]:
    """The mappings that use a type whose reading failed -> the type and why."""
    found: dict[str, str] = {}
    for name in step_mappings(run, situation, CRAWL):
        for object_type, reason in failures.items():
            if uses(situation.mappings[name], object_type):
                found[name] = f"{object_type}: {reason}"
    return found


def _sizes(run: Run, situation: Situation, name: str) -> Sizes:
    """What each side holds: as it was listed, else as it was told. HubSpot's index lags: thousands were told as few."""
    mapping = situation.mappings[name]
    hubspot, users = f"hubspot.{mapping.hubspot_type}", f"userflow.{mapping.userflow_type}"
    told = _size(run, users)
    if told is None:  # more than a page of them
        told = situation.read_before.get(users)
    return Sizes(_size(run, hubspot), told)


def _size(run: Run, object_type: str) -> int | None:
    crawl = run.parts.get(object_type)
    return crawl.read if crawl is not None and crawl.state == "completed" else _total(run, object_type)


def _total(run: Run, object_type: str) -> int | None:
    row = run.parts.get(f"{object_type}/{TOTAL}")
    return row.expected if row is not None and row.expected >= 0 else None


def _crawled(run: Run, situation: Situation) -> RunProgress:
    return to(run, situation, ASK if step_mappings(run, situation, ASK) else SWEEP)


def _ask(run: Run, situation: Situation) -> RunProgress | None:
    return to(run, situation, ASKED) if _completed(run, situation, ASK) else None


def _asked(run: Run, situation: Situation) -> RunProgress:
    given_up = failed_asks(run)
    asking = step_mappings(run, situation, ASK)
    failed = {
        name: f"{object_type}: {given_up[object_type]}"
        for name in asking
        if (side := asked_side(run, situation.mappings[name])) is not None
        and (object_type := f"{side}.{situation.mappings[name].object_type(side)}") in given_up
    }
    if failed and failed.keys() >= set(_live(run)):
        return over(run, situation, "failed", _told(failed), failed=failed)
    return to(run, situation, SWEEP, failed={**run.full_sync.failed, **failed})


def _sweep(run: Run, situation: Situation) -> RunProgress | None:
    wanted = [(str(number), name) for name in whole_types(run) for number in range(situation.partitions)]
    rows, attempt = mapping_rows(run, SWEEP, run.row.attempt), run.row.attempt
    if any(place not in rows or rows[place].state != "completed" for place in wanted):
        return None
    left = open_in(run, SWEEP, attempt)
    if left == 0 or attempt >= MOST_SWEEPS or (attempt > 1 and left >= open_in(run, SWEEP, attempt - 1)):
        return to(run, situation, COUNT)
    return to(run, situation, SWEPT)


def _swept(run: Run, situation: Situation) -> RunProgress:
    return to(run, situation, SWEEP)


def _count(run: Run, situation: Situation) -> RunProgress | None:
    if not _completed(run, situation, COUNT):
        return None
    attempt = run.row.attempt
    left = open_in(run, COUNT, attempt)
    if left and (attempt == 1 or left < open_in(run, COUNT, attempt - 1)):
        return to(run, situation, COUNTED)
    if worth_asking(run, situation) and not run.full_sync.confirmed:
        rows = mapping_rows(run, COUNT, attempt).values()
        samples = tuple(sample for row in rows for sample in row.samples)[:10]
        # a confirmation that is there already answered another question: mappings were edited since
        return replace(to(run, situation, HOLD, ends=_confirmations(run)), samples=samples)
    return _ended(run, situation) if all_in_step(run, attempt) else to(run, situation, WRITE)


def _ended(run: Run, situation: Situation) -> RunProgress:
    failed = run.full_sync.failed
    return over(run, situation, "failed", _told(failed)) if failed else over(run, situation, "completed", None)


def _counted(run: Run, situation: Situation) -> RunProgress:
    return to(run, situation, COUNT)


def _hold(run: Run, situation: Situation) -> RunProgress | None:
    confirmed = _confirmations(run)
    return to(run, situation, WRITE, confirmed=True) if confirmed and confirmed != run.full_sync.ends else None


def _confirmations(run: Run) -> dict[str, int]:
    """When somebody confirmed last, by his clock."""
    return {CONFIRMED: run.parts[CONFIRMED].updated_at_ms} if run.confirm_asked else {}


def _write(run: Run, situation: Situation) -> RunProgress | None:
    if _completed(run, situation, WRITE):
        return to(run, situation, WRITTEN, progressed=0, began_waiting=0)
    return _rested(run, situation, WRITE, WRITE_PACED)


def _written(run: Run, situation: Situation) -> RunProgress:
    return to(run, situation, CONFIRM, progressed_at_ms=situation.now_ms)


def _confirm(run: Run, situation: Situation) -> RunProgress | None:
    if not _completed(run, situation, CONFIRM):
        return _rested(run, situation, CONFIRM, CONFIRM_PACED)
    left, before = open_in(run, CONFIRM, run.row.attempt), run.full_sync
    if left == 0:
        return _ended(run, situation)
    progressed = before.progressed == 0 or left < before.progressed
    if progressed or _away(situation):
        return to(run, situation, OPEN_YET, progressed=left, progressed_at_ms=situation.now_ms)
    if situation.now_ms - before.progressed_at_ms > GIVE_UP_MS:
        minutes = GIVE_UP_MS // 60_000
        return over(
            run, situation, "failed", f"{counted(left, 'pair')} still not in step after {minutes} minutes of trying"
        )
    return to(run, situation, OPEN_YET)


def _open_yet(run: Run, situation: Situation) -> RunProgress | None:
    """The next look waits longer each time, and until both systems can be worked with."""
    tries = last_attempt(run, CONFIRM)
    pause_ms = AGAIN_MS[min(tries, len(AGAIN_MS)) - 1]
    if _away(situation) or situation.now_ms - run.full_sync.step_at_ms < pause_ms:
        return None
    return to(run, situation, CONFIRM)


def _rested(run: Run, situation: Situation, step: str, paced: str) -> RunProgress | None:
    """Once every part has ended or rests, those that rest wait until few patches do."""
    rows = mapping_rows(run, step, run.row.attempt)
    if len(rows) < situation.partitions * len(step_mappings(run, situation, step)):
        return None
    if situation.now_ms - run.full_sync.step_at_ms < round_ms(run, situation):
        return None
    gone_on = run.full_sync.ends
    for (partition, name), row in rows.items():
        rests = row.state == "running" and row.cursor is not None
        if row.state != "completed" and (not rests or gone_on.get(f"{partition}/{name}") == row.updated_at_ms):
            return None
    return replace(to(run, situation, paced), attempt=run.row.attempt)


def _after_round(step: str) -> Callable[[Run, Situation], RunProgress | None]:
    """Back to the step, at the same attempt, while the sinks write; `ends` notes which of its rests are over."""

    def gone_on(run: Run, situation: Situation) -> RunProgress | None:
        if situation.road is not None and not run.full_sync.ends:
            return _hop(run, situation, 0)
        if not next_round_fits(run, situation):
            return None
        rows = mapping_rows(run, step, run.row.attempt).items()
        resting = {f"{place[0]}/{place[1]}": row.updated_at_ms for place, row in rows if row.state == "running"}
        return replace(to(run, situation, step, ends=resting), attempt=run.row.attempt)

    return gone_on


def _after_pass(step: str, then: Callable[[Run, Situation], RunProgress | None]) -> Callable[..., RunProgress | None]:
    """Wait until the road is empty of the run, hop by hop; then go on."""

    def hopped(run: Run, situation: Situation) -> RunProgress | None:
        road, before = situation.road, run.full_sync
        if road is None:
            return None
        if not before.ends:
            return _hop(run, situation, 0)
        if road.behind:
            return None
        if road.emitted or before.hops + 1 < PASSES[step]:
            return _hop(run, situation, before.hops + 1)
        return then(run, situation)

    return hopped


def _hop(run: Run, situation: Situation, hops: int) -> RunProgress:
    ends = situation.road.ends if situation.road is not None else {}
    full_sync = replace(run.full_sync, ends=ends, hops=hops)
    return replace(run.row, updated_at_ms=situation.now_ms, full_sync=full_sync, counts=counts_of(run))


def _completed(run: Run, situation: Situation, step: str) -> bool:
    rows = mapping_rows(run, step, run.row.attempt)
    return all(
        (row := rows.get((str(number), name))) is not None and row.state == "completed"
        for name in step_mappings(run, situation, step)
        for number in range(situation.partitions)
    )


def _live(run: Run) -> list[str]:
    return [name for name in run.row.mappings if name not in run.full_sync.failed]


def _away(situation: Situation) -> bool:
    return any(state.status != "ok" for state in situation.connectors.values())


def _told(failed: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {reason}" for name, reason in failed.items())


STEPS: Final[Mapping[str, Callable[[Run, Situation], RunProgress | None]]] = {
    TOTALS: _totals,
    CRAWL: _crawl,
    CRAWLED: _after_pass(CRAWLED, _crawled),
    ASK: _ask,
    ASKED: _after_pass(ASKED, _asked),
    SWEEP: _sweep,
    SWEPT: _after_pass(SWEPT, _swept),
    COUNT: _count,
    COUNTED: _after_pass(COUNTED, _counted),
    HOLD: _hold,
    WRITE: _write,
    WRITE_PACED: _after_round(WRITE),
    WRITTEN: _after_pass(WRITTEN, _written),
    CONFIRM: _confirm,
    CONFIRM_PACED: _after_round(CONFIRM),
    OPEN_YET: _after_pass(OPEN_YET, _open_yet),
}
