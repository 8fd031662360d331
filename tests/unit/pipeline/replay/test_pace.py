"""How long a replay will take, by those that were."""

from dataclasses import replace

from pipeline.replay.pace import LEAST, records_per_s
from schemas.operating import Replay
from tests.unit.pipeline.console.fixtures import REPLAY


def done(published: int, took_s: float, at_s: int = 0) -> Replay:
    began_ms = 1_700_000_000_000 + at_s * 1000
    ended_ms = began_ms + round(took_s * 1000)
    return replace(REPLAY, state="completed", published=published, started_at_ms=began_ms, updated_at_ms=ended_ms)


def test_the_median_of_the_last_five_of_any_size() -> None:
    old = [done(LEAST, 1_000.0, at_s) for at_s in range(3)]
    lately = [done(LEAST * per_s, 1.0, 5_000 + per_s) for per_s in (1, 2, 3, 9, 10)]
    assert records_per_s([*lately, *old]) == 3 * LEAST


def test_small_ones_and_those_that_were_stopped_tell_nothing() -> None:
    assert records_per_s([done(LEAST - 1, 1.0), replace(done(LEAST, 1.0), state="cancelled"), done(LEAST, 0.0)]) is None
