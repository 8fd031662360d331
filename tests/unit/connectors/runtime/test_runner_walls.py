"""What fails in one integration stops there: its records wait, end as letters, or are let go; the others go on."""

import asyncio
from functools import partial
from typing import Any

import pytest

from connectors.kafka.partitioner import partition_of
from connectors.runtime import patience
from connectors.runtime import runner as runner_module
from connectors.runtime.opening import IntegrationOpener, OpenerDeps
from schemas.topics import DEAD_LETTERS, RECEIPTS
from tests.unit.connectors.runtime.runners import (
    DOWN,
    PARTITIONS,
    WELL,
    Vendor,
)
from tests.unit.connectors.runtime.running import (
    TOPIC,
    GatedVendor,
    Member,
    failures,
    running,
    taken,
    until,
    within,
)


async def test_an_account_that_cannot_be_opened_for_no_known_reason_fails_alone(members: list[Member]) -> None:
    vendors = {WELL: Vendor()}
    async with running(members, vendors) as it:
        it.configure(DOWN, WELL)  # nobody knows how to open the first
        it.member.hooks.taken([taken(DOWN, 0), taken(WELL, 1)])
        await until(lambda: "user-1" in vendors[WELL].written and bool(failures(it)))
        assert failures(it) == [(DOWN, "step_failed")]
        assert it.stops == []


async def test_a_record_at_which_worker_after_worker_fails_ends_as_a_letter_and_the_others_go_on(
    members: list[Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "OPEN_AGAIN_S", (0.01,))
    vendors = {DOWN: Vendor(), WELL: Vendor()}
    async with running(members, vendors) as it:
        it.publisher.poisoned = DOWN
        ended: list[str] = []
        it.member.hooks.taken([taken(DOWN, 0, lambda: ended.append("poisoned"))])
        await until(lambda: bool(failures(it)))
        it.member.hooks.taken([taken(WELL, 1)])
        await until(lambda: "user-1" in vendors[WELL].written and ended == ["poisoned"])
        (letter,) = it.publisher.of(DEAD_LETTERS)
        assert (letter.integration, letter.reason, letter.topic, letter.offset) == (DOWN, "step_failed", TOPIC, 0)
        assert "TypeError in send:" in letter.detail
        assert "secret" not in letter.detail
        assert it.stops == []


async def test_records_that_wait_beside_the_one_at_which_workers_fail_are_not_buried_with_it(
    members: list[Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "OPEN_AGAIN_S", (0.01,))
    async with running(members, {DOWN: Vendor()}) as it:
        it.publisher.poisoned = "user-3"
        ended: list[int] = []
        it.member.hooks.taken([taken(DOWN, offset, partial(ended.append, offset)) for offset in range(8)])
        await until(lambda: sorted(ended) == list(range(8)))
        assert [letter.offset for letter in it.publisher.of(DEAD_LETTERS)] == [3]
        assert it.stops == []


async def test_records_of_a_partition_that_went_and_came_back_while_their_worker_closed_are_left_to_the_brokers(
    members: list[Member],
) -> None:
    """They were taken from the brokers again and kept here too: handled twice."""
    vendor = GatedVendor()
    async with running(members, {DOWN: vendor}) as it:
        it.member.hooks.taken([taken(DOWN, 0)])
        await within(vendor.begun.wait)
        it.configure(DOWN, secret=b"another key")
        await asyncio.sleep(0)
        given_away = asyncio.create_task(it.member.revoke())
        await asyncio.sleep(0)
        it.member.assign(partition_of(DOWN, PARTITIONS))
        vendor.may_end.set()
        await within(lambda: given_away)
        it.member.hooks.taken([taken(DOWN, 1)])
        await until(lambda: "user-1" in vendor.written)
        assert "user-0" not in vendor.written


async def test_a_worker_of_which_two_parts_fail_at_once_ends_once_and_is_opened_again(
    members: list[Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "OPEN_AGAIN_S", (0.01,))
    given: list[OpenerDeps] = []

    def opener(*arguments: Any) -> IntegrationOpener:
        given.append(arguments[-1])
        return IntegrationOpener(*arguments)

    monkeypatch.setattr(runner_module, "IntegrationOpener", opener)
    vendors = {WELL: Vendor()}
    async with running(members, vendors) as it:
        it.member.hooks.taken([taken(WELL, 1)])
        await until(lambda: "user-1" in vendors[WELL].written)
        for _ in range(2):
            given[0].broken(WELL, TypeError("both halves meet it in one turn of the loop"))
        await until(lambda: bool(failures(it)))
        it.member.hooks.taken([taken(WELL, 2)])
        await until(lambda: "user-2" in vendors[WELL].written)
        assert it.stops == []


async def test_what_the_brokers_do_not_take_ends_the_process(members: list[Member]) -> None:
    async with running(members, {WELL: Vendor()}) as it:
        it.publisher.away = True
        it.member.hooks.taken([taken(WELL, 0)])
        await within(it.stopped.wait)
        assert "PublishFailed" in it.stops[0]


async def test_records_of_an_integration_that_cannot_be_opened_hold_back_its_neighbours_offsets_only_so_long(
    members: list[Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "OPEN_AGAIN_S", (*(0.01,) * (patience.WORN - 1), 60.0))
    async with running(members, {WELL: Vendor()}) as it:
        it.configure(DOWN)  # nobody knows how to open it
        ended: list[int] = []
        it.member.hooks.taken([taken(DOWN, 0, partial(ended.append, 0))])
        await until(lambda: ended == [0])
        it.member.hooks.taken([taken(DOWN, 1, partial(ended.append, 1))])
        await until(lambda: ended == [0, 1])
        assert [receipt.kind for receipt in it.publisher.of(RECEIPTS)] == ["parked", "parked"]


async def test_records_of_an_integration_that_cannot_be_opened_wait_in_bounded_memory(
    members: list[Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "MOST_WAITING", 3)
    async with running(members, {}) as it:
        it.configure(DOWN)
        await until(lambda: bool(failures(it)))
        ended: list[int] = []
        it.member.hooks.taken([taken(DOWN, offset, partial(ended.append, offset)) for offset in range(5)])
        await until(lambda: ended == [3, 4])
        assert [(one.object_id, one.kind) for one in it.publisher.of(RECEIPTS)] == [
            ("user-3", "parked"),
            ("user-4", "parked"),
        ]


async def test_one_of_them_whose_receipt_no_message_holds_is_a_letter(
    members: list[Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "MOST_WAITING", 0)
    async with running(members, {}) as it:
        it.configure(DOWN)
        await until(lambda: bool(failures(it)))
        it.publisher.unencodable = RECEIPTS
        ended: list[int] = []
        it.member.hooks.taken([taken(DOWN, 0, partial(ended.append, 0))])
        await until(lambda: ended == [0])
        assert [letter.reason for letter in it.publisher.of(DEAD_LETTERS)] == ["step_failed"]
        assert it.stops == []
