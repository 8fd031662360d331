"""What each error makes of a batch, whatever half of an integration it is of."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract.errors import ConnectorError, CredentialsRejected, Denied, Refused, Transient, UnknownResult
from connectors.contract.sink import OwnershipLost
from connectors.outbound.delivery import Sending, deliver
from connectors.session.dispatcher import BatchDispatcher
from connectors.session.failures import REFUSED_AT, Failures
from tests.unit.connectors.fake_clock import FakeClock
from tests.unit.connectors.session.contexts import context_of

Answer = Callable[[Sequence[int]], Sequence[str]]


class Bench:
    """One half of an integration whose system answers as a test says."""

    def __init__(self, answer: Answer) -> None:
        self.context, _ = context_of("hubspot", FakeClock())
        self.dispatcher = BatchDispatcher(self.context)
        self.asked, self.back, self.denied = list[Sequence[int]](), list[int](), list[int]()
        self.settled = list[str]()
        self.looked_away = 0
        self._answer = answer
        self.sending: Sending[int, str] = Sending(
            self._ask,
            self.back.extend,
            self._park,
            lambda one, reason: f"{one} {reason}",
            self._settle,
            self._away,
            Failures(lambda one: one),
        )

    async def deliver(self, *batch: int) -> None:
        await deliver(batch, self.sending, self.dispatcher)

    async def _ask(self, batch: Sequence[int]) -> Sequence[str]:
        self.asked.append(batch)
        return self._answer(batch)

    async def _park(self, batch: Sequence[int]) -> None:
        self.denied.extend(batch)

    async def _settle(self, results: Sequence[str], _: int) -> None:
        self.settled.extend(results)

    async def _away(self) -> None:
        self.looked_away += 1


def raising(error: Exception) -> Answer:
    def answer(_: Sequence[int]) -> Sequence[str]:
        raise error

    return answer


@pytest.mark.parametrize("error", [OwnershipLost("x"), Transient("x"), CredentialsRejected("x")])
async def test_what_may_succeed_later_waits_again(error: Exception) -> None:
    it = Bench(raising(error))
    await it.deliver(1, 2)
    assert (it.back, it.settled, it.looked_away) == ([1, 2], [], 1)
    assert it.context.state.works is not isinstance(error, CredentialsRejected)


async def test_what_is_denied_is_parked_until_that_is_tried_again() -> None:
    it = Bench(raising(Denied("missing_scopes")))
    await it.deliver(1, 2)
    assert (it.denied, it.back, it.settled) == ([1, 2], [], [])


@given(st.sets(st.integers(0, 40)))
async def test_a_refused_batch_is_halved_until_only_what_is_bad_is_refused(bad: set[int]) -> None:
    def answer(batch: Sequence[int]) -> Sequence[str]:
        if bad & set(batch):
            raise Refused("bad")
        return [f"{one} written" for one in batch]

    it = Bench(answer)
    await it.deliver(*range(32))
    assert sorted(it.settled) == sorted(f"{one} {'bad' if one in bad else 'written'}" for one in range(32))
    assert (it.back, it.denied) == ([], [])


@pytest.mark.parametrize("error", [Transient("http_500"), UnknownResult("timed_out")])
@given(bad=st.sets(st.integers(0, 31), min_size=1, max_size=3))
async def test_what_always_fails_is_found_and_refused_and_costs_the_others_nothing(
    error: ConnectorError, bad: set[int]
) -> None:
    def answer(batch: Sequence[int]) -> Sequence[str]:
        if bad & set(batch):
            raise error
        return [f"{one} written" for one in batch]

    it = Bench(answer)
    waiting: list[Sequence[int]] = [range(32)]
    for _ in range(1_000):
        if not waiting:
            break
        await it.deliver(*waiting.pop(0))
        again, it.back[:] = sorted(it.back), []
        waiting += [again] if again else []
    good = [f"{one} {f'{error.reason}' if one in bad else 'written'}" for one in range(32)]
    assert (sorted(it.settled), waiting) == (sorted(good), [])


async def test_a_system_that_is_away_refuses_nothing_however_long() -> None:
    it = Bench(raising(Transient("http_503")))
    for _ in range(10 * REFUSED_AT):
        await it.deliver(*range(100))
    assert it.settled == []
    assert len(it.asked) < 5 * 10 * REFUSED_AT


async def test_one_that_fails_alone_and_nobody_else_is_written_is_an_outage() -> None:
    it = Bench(raising(Transient("http_500")))
    for _ in range(3 * REFUSED_AT):
        await it.deliver(1)
    assert it.settled == []
