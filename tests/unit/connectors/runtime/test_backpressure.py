"""Credit for bulk: no more than the limit is let out before something ends downstream."""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress

import pytest

from connectors.kafka.groups import BrokersUnreachable
from connectors.runtime import backpressure
from connectors.runtime.backpressure import COUNTED_AGAIN_S, MOST_PATCHES, BulkCredit, Downstream, Look
from connectors.runtime.credit_limit import Stage
from schemas.topics import MATCHES, TopicAndPartition

DEADLINE_S = 5


def _unreported(_: int) -> None:
    """Nobody looks."""


class Answers:
    """What is unfinished in the worker, as the brokers say; a list of answers, the last one for ever."""

    def __init__(self, *answers: int | None, patches: int = 0) -> None:
        self._answers, self._patches = list(answers), patches
        self.asked = 0

    def __call__(self) -> Look:
        self.asked += 1
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if answer is None:
            raise BrokersUnreachable("away")
        return Look({"objects": Stage(answer, 0)}, self._patches)


def credit_of(answers: Answers, start: int) -> BulkCredit:
    return BulkCredit(answers, start, _unreported, lambda: 0.0)


async def taken(credit: BulkCredit, records: int) -> None:
    async with asyncio.timeout(DEADLINE_S):
        await credit.take(records)


async def test_credit_is_asked_for_once_and_used_up() -> None:
    answers = Answers(0)
    credit = credit_of(answers, 300)
    for _ in range(3):
        await credit.take(100)
    assert answers.asked == 1


async def test_a_full_road_is_waited_for() -> None:
    answers = Answers(300, 250, 150)
    await taken(credit_of(answers, 300), 100)
    assert answers.asked == 3


async def test_what_comes_free_is_let_through_by_the_half_of_the_limit() -> None:
    answers = Answers(500, 350, 300)
    credit = credit_of(answers, 600)
    for _ in range(3):
        await taken(credit, 100)
    assert answers.asked == 3


async def test_a_limit_above_what_sinks_hold_waits_for_half_of_that() -> None:
    answers = Answers(0, patches=MOST_PATCHES // 2)
    await taken(credit_of(answers, 4 * MOST_PATCHES), 100)
    assert answers.asked == 1


async def test_a_page_larger_than_the_limit_goes_when_the_road_is_empty() -> None:
    answers = Answers(10, 0)
    await taken(credit_of(answers, 50), 100)
    assert answers.asked == 2


async def test_brokers_that_do_not_answer_are_waited_for() -> None:
    answers = Answers(None, 0)
    await taken(credit_of(answers, 300), 100)
    assert answers.asked == 2


async def test_patches_that_a_vendor_does_not_take_hold_bulk_back() -> None:
    credit = credit_of(Answers(0, patches=MOST_PATCHES), 300)
    with suppress(TimeoutError):
        async with asyncio.timeout(0.2):
            await credit.take(100)
        pytest.fail("credit was given in front of a full sink")


async def test_each_measurement_is_reported_and_none_while_the_brokers_are_away() -> None:
    reports: list[int] = []
    await BulkCredit(Answers(None, 250, 0), 300, reports.append).take(100)
    assert reports == [250, 0]


async def test_it_measures_on_until_nothing_is_outstanding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backpressure, "MEASURED_EVERY_S", 0.0)
    answers, reports, empty = Answers(150, 20, None, 0), list[int](), asyncio.Event()

    def report(records: int) -> None:
        reports.append(records)
        if not records:
            empty.set()

    credit = BulkCredit(answers, 300, report)
    measuring = asyncio.create_task(credit.measure_on())
    await credit.take(100)
    async with asyncio.timeout(DEADLINE_S):
        await empty.wait()
    measuring.cancel()
    with suppress(asyncio.CancelledError):
        await measuring
    assert reports == [150, 20, 0]


class Brokers:
    """Every topic has one partition that ends at 11; groups stand where the test says, else at the end."""

    def __init__(self, **reached: int) -> None:
        self.reached = {name.replace("_", "-"): offset for name, offset in reached.items()}
        self.counted = 0
        self.each = 1

    def partitions(self) -> Mapping[str, int]:
        self.counted += 1
        return dict.fromkeys(
            (
                "hubspot.changes",
                "userflow.changes",
                MATCHES,
                "sync.receipts",
                "hubspot.field-patches",
                "userflow.field-patches",
            ),
            self.each,
        )

    def positions(
        self, groups: Mapping[str, Iterable[TopicAndPartition]]
    ) -> tuple[Mapping[TopicAndPartition, int], Mapping[str, Mapping[TopicAndPartition, int]]]:
        committed = {group: dict.fromkeys(places, self.reached.get(group, 11)) for group, places in groups.items()}
        return {place: 11 for places in committed.values() for place in places}, committed


def test_what_a_step_has_committed_is_free_before_the_workers_group_commits_it() -> None:
    brokers = Brokers(pairstream_worker=0, pairstream_objects_handled=11, pairstream_pairs_handled=4)
    look = Downstream(brokers, ("hubspot", "userflow")).look()
    assert look.stages == {"objects": Stage(0, 22), "pairs": Stage(11, 8)}  # markers may stand at each end
    assert look.patches == 0


def test_what_led_to_nothing_is_free_once_the_workers_group_commits_it() -> None:
    look = Downstream(Brokers(pairstream_objects_handled=0), ("hubspot", "userflow")).look()
    assert look.stages["objects"].unfinished == 0


def test_markers_of_all_lanes_at_one_end_are_no_records() -> None:
    brokers = Brokers(pairstream_objects_handled=11, pairstream_pairs_handled=3, pairstream_worker=3)
    brokers.each = 4  # partitions
    look = Downstream(brokers, ("hubspot", "userflow")).look()
    assert look.stages["pairs"].unfinished == 4 * (11 - 3 - 1)  # of the receipts, which no transaction writes


def test_patches_before_a_sink_count_apart() -> None:
    look = Downstream(Brokers(pairstream_hubspot=1), ("hubspot", "userflow")).look()
    assert (look.in_worker, look.patches, look.records) == (0, 8, 8)


def test_the_clusters_metadata_is_not_asked_for_at_each_look() -> None:
    now, brokers = [0.0], Brokers()
    downstream = Downstream(brokers, ("hubspot", "userflow"), lambda: now[0])
    for _ in range(5):
        downstream.look()
    assert brokers.counted == 1
    now[0] = COUNTED_AGAIN_S + 1
    downstream.look()
    assert brokers.counted == 2
