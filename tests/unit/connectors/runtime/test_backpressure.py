"""Credit for bulk: no more than the limit is let out before something ends downstream."""

import asyncio
from contextlib import suppress

import pytest

from connectors.kafka.groups import BrokersUnreachable
from connectors.runtime import backpressure
from connectors.runtime.backpressure import BulkCredit


def _unreported(_: int) -> None:
    """Nobody looks."""


class Downstream:
    """What is unfinished, as the brokers say; a list of answers, the last one for ever."""

    def __init__(self, *answers: int | None) -> None:
        self._answers = list(answers)
        self.asked = 0

    def __call__(self) -> int:
        self.asked += 1
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if answer is None:
            raise BrokersUnreachable("away")
        return answer


async def test_credit_is_asked_for_once_and_used_up() -> None:
    downstream = Downstream(0)
    credit = BulkCredit(downstream, 300, _unreported)
    for _ in range(3):
        await credit.take(100)
    assert downstream.asked == 1


async def test_a_full_road_is_waited_for() -> None:
    downstream = Downstream(300, 250, 150)
    await asyncio.wait_for(BulkCredit(downstream, 300, _unreported).take(100), 5)
    assert downstream.asked == 3


async def test_a_page_larger_than_the_limit_goes_when_the_road_is_empty() -> None:
    downstream = Downstream(10, 0)
    await asyncio.wait_for(BulkCredit(downstream, 50, _unreported).take(100), 5)
    assert downstream.asked == 2


async def test_brokers_that_do_not_answer_are_waited_for() -> None:
    downstream = Downstream(None, 0)
    await asyncio.wait_for(BulkCredit(downstream, 300, _unreported).take(100), 5)
    assert downstream.asked == 2


async def test_each_measurement_is_reported_and_none_while_the_brokers_are_away() -> None:
    reports: list[int] = []
    await BulkCredit(Downstream(None, 250, 0), 300, reports.append).take(100)
    assert reports == [250, 0]


async def test_it_measures_on_until_nothing_is_outstanding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backpressure, "MEASURED_EVERY_S", 0.0)
    downstream, reports, empty = Downstream(150, 20, None, 0), list[int](), asyncio.Event()

    def report(records: int) -> None:
        reports.append(records)
        if not records:
            empty.set()

    credit = BulkCredit(downstream, 300, report)
    measuring = asyncio.create_task(credit.measure_on())
    await credit.take(100)
    async with asyncio.timeout(5):
        await empty.wait()
    measuring.cancel()
    with suppress(asyncio.CancelledError):
        await measuring
    assert reports == [150, 20, 0]
