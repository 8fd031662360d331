"""The decision to try again, and the loop around it."""

from collections.abc import Awaitable, Callable, Iterable

import pytest

from connectors.contract.errors import (
    ConnectorError,
    CredentialsRejected,
    Misconfigured,
    Missing,
    RateLimited,
    Refused,
    Transient,
    UnknownResult,
)
from connectors.http.retry import RetryPolicy, Tries, retrying
from tests.unit.connectors.fake_clock import InstantClock


def _most(low: float, high: float) -> float:
    return high


def _least(low: float, high: float) -> float:
    return low


@pytest.mark.parametrize(
    ("error", "tries", "longest_s"),
    [
        (Transient("http_502"), Tries(1), 0.5),
        (Transient("http_502"), Tries(3), 2.0),
        (Transient("http_502"), Tries(5), 8.0),
        (Transient("http_502"), Tries(6), None),
        (Transient("http_423", wait_s=2.0), Tries(1), 2.2),
        (Transient("http_503", wait_s=0.0), Tries(3), 2.0),
        (RateLimited("burst", wait_s=0.0), Tries(0, 3), 2.0),
        (UnknownResult("timed_out"), Tries(2), 1.0),
        (RateLimited("burst", wait_s=10.0), Tries(0, 99), 11.0),
        (RateLimited("unknown"), Tries(0, 1), 0.5),
        (RateLimited("unknown"), Tries(5, 2_000), 30.0),
        (Refused("invalid_value"), Tries(1), None),
        (Missing("1"), Tries(1), None),
        (CredentialsRejected("unauthorized"), Tries(1), None),
        (Misconfigured("missing_scopes"), Tries(1), None),
    ],
)
def test_the_longest_wait_before_the_next_try(error: ConnectorError, tries: Tries, longest_s: float | None) -> None:
    assert RetryPolicy().wait_s(error, tries, _most) == longest_s


def test_what_the_answer_asks_for_is_never_shortened_by_jitter() -> None:
    assert RetryPolicy().wait_s(RateLimited("burst", wait_s=10.0), Tries(0, 1), _least) == 10.0


def test_a_wait_beyond_patience_is_left_to_the_caller() -> None:
    assert RetryPolicy(patience_s=60.0).wait_s(RateLimited("daily", wait_s=900.0), Tries(0, 1), _least) is None


async def test_rate_limits_never_use_up_the_attempts() -> None:
    clock = InstantClock()
    ends = [*[RateLimited("burst", wait_s=1.0)] * 20, Transient("http_502"), RateLimited("burst", wait_s=1.0)]
    assert await retrying(_effect(ends), RetryPolicy(attempts=2), clock, _least) == "done"
    assert clock.slept == [*[1.0] * 20, 0.0, 1.0]


async def test_rate_limits_that_never_end_are_given_up_after_the_total_time() -> None:
    clock = InstantClock()
    forever = (RateLimited("unknown", status=status) for status in [429, 503] * 100_000)
    began = clock.now
    with pytest.raises(RateLimited):
        await retrying(_effect(forever), RetryPolicy(total_s=120.0), clock, _most)
    assert 120.0 <= clock.now - began < 120.0 + RetryPolicy().cap_s
    assert len(clock.slept) < 20


async def test_waits_that_the_answers_ask_for_end_with_the_total_time_too() -> None:
    clock = InstantClock()
    forever = (RateLimited("burst", wait_s=10.0) for _ in range(100_000))
    with pytest.raises(RateLimited):
        await retrying(_effect(forever), RetryPolicy(total_s=120.0), clock, _least)
    assert sum(clock.slept) == 120.0


async def test_the_last_error_is_raised_when_the_attempts_are_used_up() -> None:
    clock = InstantClock()
    with pytest.raises(Transient) as caught:
        await retrying(_effect([Transient("one"), Transient("two")]), RetryPolicy(attempts=2), clock, _least)
    assert caught.value.reason == "two"
    assert len(clock.slept) == 1


def _effect(ends: Iterable[ConnectorError]) -> Callable[[], Awaitable[str]]:
    left = iter(ends)

    async def effect() -> str:
        end = next(left, None)
        if end is not None:
            raise end
        return "done"

    return effect
