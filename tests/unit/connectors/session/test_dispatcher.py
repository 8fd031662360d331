"""Batches: what fails together is one failure, and what never succeeds ends as an outage."""

from connectors.contract.errors import CredentialsRejected, RateLimited, Transient
from connectors.http.retry import CALLS
from connectors.session.context import IntegrationContext
from connectors.session.dispatcher import BatchDispatcher
from tests.unit.connectors.fake_clock import FakeClock
from tests.unit.connectors.session.contexts import context_of

AT_ONCE = 4


def dispatching(clock: FakeClock) -> tuple[BatchDispatcher, IntegrationContext]:
    context, _ = context_of("hubspot", clock, uniform=lambda low, high: high)
    return BatchDispatcher(context), context


async def test_batches_that_were_under_way_together_fail_as_one() -> None:
    dispatcher, context = dispatching(FakeClock())
    for _ in range(CALLS.attempts - 1):
        begun_in = dispatcher.rounds
        for _ in range(AT_ONCE):
            dispatcher.failed(Transient("http_502"), begun_in)
        assert context.state.works
    dispatcher.failed(Transient("http_502"), dispatcher.rounds)
    assert (context.state.status, context.state.reason) == ("unavailable", "http_502")


async def test_a_success_among_them_begins_the_count_anew() -> None:
    dispatcher, context = dispatching(FakeClock())
    for _ in range(10 * CALLS.attempts):
        dispatcher.failed(Transient("http_502"), dispatcher.rounds)
        dispatcher.succeeded()
    assert context.state.works


async def test_rate_limits_without_a_success_between_them_end_as_an_outage_with_its_reason() -> None:
    clock = FakeClock()
    dispatcher, context = dispatching(clock)
    began = clock.now
    while context.state.works:
        assert clock.now - began <= CALLS.total_s, "rate limits are tried for ever"
        dispatcher.failed(RateLimited("unknown", status=503), dispatcher.rounds)
        clock.now += 1.0
    assert (context.state.status, context.state.reason) == ("unavailable", "rate_limited")
    assert clock.now - began > 100.0


async def test_a_refused_token_counts_at_once_whatever_else_was_under_way() -> None:
    dispatcher, context = dispatching(FakeClock())
    dispatcher.failed(Transient("http_502"), 0)
    dispatcher.failed(CredentialsRejected("unauthorized"), 0)
    assert context.state.status == "needs_reconnect"
