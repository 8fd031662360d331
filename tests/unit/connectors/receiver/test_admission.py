"""What the receiver does under load, with slow brokers and with senders that mean no good."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from starlette.types import Message, Scope

from connectors.receiver import AdmissionLimits
from connectors.receiver.splitting import parts
from connectors.userflow.protocol import parse_notifications
from tests.unit.connectors.receiver.receiving import (
    DEADLINE_S,
    USERFLOW_SECRET,
    Bench,
    Shelf,
    code,
    events,
    signed,
    userflow_signature,
)


async def test_what_the_brokers_do_not_take_is_to_be_sent_again() -> None:
    bench = Bench(shelf=Shelf(refuses=["beta"]))

    response = await bench.hubspot(events(62515, 777))

    assert (response.status_code, code(response)) == (503, "not_stored")
    assert response.headers["Retry-After"] == "1"
    assert bench.counted == {("hubspot", "stored"): 1, ("hubspot", "not_stored"): 1}


async def test_brokers_that_are_too_slow_are_not_waited_for() -> None:
    bench = Bench(shelf=Shelf(waits=True), limits=AdmissionLimits(answer_within_s=0.02))

    response = await asyncio.wait_for(bench.hubspot(events(62515)), DEADLINE_S)

    assert (response.status_code, code(response)) == (503, "too_slow")
    assert bench.counted == {("hubspot", "too_slow"): 1}


async def test_a_body_that_trickles_is_not_waited_for() -> None:
    bench = Bench(limits=AdmissionLimits(answer_within_s=0.02))

    async def trickle() -> AsyncIterator[bytes]:
        yield b"["
        await asyncio.Event().wait()

    response = await asyncio.wait_for(bench.call("/webhooks/hubspot", trickle(), signed(events(62515))), DEADLINE_S)

    assert (response.status_code, code(response)) == (503, "too_slow")


async def test_the_default_deadline_leaves_hubspot_its_five_seconds() -> None:
    assert AdmissionLimits().answer_within_s == 4.0


@pytest.mark.parametrize("path", ["/webhooks/hubspot", "/webhooks/userflow/acme"])
@pytest.mark.parametrize("told", [True, False], ids=["length told", "length not told"])
async def test_a_body_over_the_limit_is_refused(path: str, told: bool) -> None:
    bench = Bench(limits=AdmissionLimits(hubspot_body_bytes=100, userflow_body_bytes=100))

    async def chunks() -> AsyncIterator[bytes]:
        yield b"x" * 100
        yield b"x"

    heads = signed(b"") | {"Userflow-Signature": userflow_signature(USERFLOW_SECRET, b"")}
    response = await bench.call(path, b"x" * 101 if told else chunks(), heads)

    assert (response.status_code, code(response)) == (413, "too_large")


async def test_a_body_larger_than_a_record_is_kept_in_several_in_order() -> None:
    bench = Bench(limits=AdmissionLimits(part_bytes=250))
    body = json.dumps(
        [{"portalId": 62515, "objectId": number, "propertyValue": "é" * 10} for number in range(9)]
    ).encode()

    response = await bench.hubspot(body)

    assert response.status_code == 200
    assert all(len(one.body) <= 250 for one in bench.shelf.stored)
    assert len(bench.shelf.stored) > 2
    assert [event for one in bench.shelf.stored for event in json.loads(one.body)] == json.loads(body)


async def test_one_event_larger_than_a_record_is_refused() -> None:
    bench = Bench(limits=AdmissionLimits(part_bytes=250))
    body = json.dumps([{"portalId": 62515, "objectId": 1, "propertyValue": "x" * 250}]).encode()

    response = await bench.hubspot(body)

    assert (response.status_code, code(response)) == (413, "too_large")
    assert bench.shelf.stored == []


@pytest.mark.parametrize("body", [b'"portalId": 62515 ' + b"x" * 250, b'[{"portalId": 62515, "a": "' + b"x" * 250])
async def test_what_cannot_be_split_is_refused_and_not_stored_as_nothing(body: bytes) -> None:
    bench = Bench(limits=AdmissionLimits(part_bytes=250))

    response = await bench.hubspot(body)

    assert (response.status_code, bench.shelf.stored) == (413, [])


async def test_of_a_user_larger_than_a_record_is_kept_that_it_is_to_be_read() -> None:
    bench = Bench(limits=AdmissionLimits(part_bytes=250))
    body = json.dumps(
        {
            "id": "n-1",
            "topic": "user.updated",
            "created_at": "2026-01-01T00:00:00Z",
            "data": {"object": {"object": "user", "id": "u-1", "attributes": {"notes": "x" * 250}}},
        }
    ).encode()

    response = await bench.userflow("acme", body, userflow_signature(USERFLOW_SECRET, body))

    assert response.status_code == 200
    [kept] = bench.shelf.stored
    (notification,) = parse_notifications(kept.body)
    assert notification.record is not None
    assert (notification.record.id, notification.created_at_ms) == ("u-1", None)


async def test_one_event_of_userflow_larger_than_a_record_is_refused() -> None:
    bench = Bench(limits=AdmissionLimits(part_bytes=250))
    body = json.dumps({"id": "n-1", "data": {"object": {"object": "event", "id": "x" * 250}}}).encode()

    response = await bench.userflow("acme", body, userflow_signature(USERFLOW_SECRET, body))

    assert (response.status_code, code(response)) == (413, "too_large")


async def test_a_megabyte_is_read_by_default_and_a_setting_away_from_more() -> None:
    limits = AdmissionLimits()

    assert (limits.body_bytes("hubspot"), limits.body_bytes("userflow")) == (1_000_000, 1_000_000)


async def test_splitting_a_large_body_looks_at_each_event_once(monkeypatch: pytest.MonkeyPatch) -> None:
    # joining all of a part for each of its events took seconds for a megabyte
    joined = list[int]()

    def counting(items: list[bytes]) -> bytes:
        joined.append(len(items))
        return b"[" + b",".join(items) + b"]"

    monkeypatch.setattr("connectors.receiver.splitting._array", counting)
    body = json.dumps([{"portalId": 62515, "objectId": number} for number in range(1_000)]).encode()

    found = list(parts(body, 10_000))

    assert all(len(part) <= 10_000 for part in found)
    assert sum(joined) == 1_000


async def test_a_bounded_number_of_requests_is_under_way() -> None:
    bench = Bench(shelf=Shelf(waits=True), limits=AdmissionLimits(requests=1))
    first = asyncio.ensure_future(bench.hubspot(events(62515)))
    await asyncio.wait_for(bench.shelf.asked.wait(), DEADLINE_S)

    second = await bench.hubspot(events(62515))
    bench.shelf.acknowledge.set()
    assert (await first).status_code == 200
    third = await bench.hubspot(events(62515))

    assert (second.status_code, code(second)) == (503, "overloaded")
    assert second.headers["Retry-After"] == "1"
    assert third.status_code == 200


async def test_a_bounded_number_of_bytes_is_held_and_given_back() -> None:
    body = events(62515)
    bench = Bench(shelf=Shelf(waits=True), limits=AdmissionLimits(held_bytes=len(body) + 1))
    first = asyncio.ensure_future(bench.hubspot(body))
    await asyncio.wait_for(bench.shelf.asked.wait(), DEADLINE_S)

    second = await bench.hubspot(body)
    bench.shelf.acknowledge.set()
    assert (await first).status_code == 200

    assert (second.status_code, code(second)) == (503, "overloaded")
    assert (await bench.hubspot(body)).status_code == 200


async def test_the_oldest_body_of_a_stranger_is_dropped_when_room_gets_tight() -> None:
    body = events(62515)
    bench = Bench(limits=AdmissionLimits(held_bytes=len(body) + 10))
    reading = asyncio.Event()

    async def trickle() -> AsyncIterator[bytes]:
        yield b"x" * 11
        reading.set()
        await asyncio.Event().wait()

    first = asyncio.ensure_future(bench.call("/webhooks/hubspot", trickle(), signed(body)))
    await asyncio.wait_for(reading.wait(), DEADLINE_S)

    assert (await bench.hubspot(body)).status_code == 200
    shed = await asyncio.wait_for(first, DEADLINE_S)
    assert (shed.status_code, code(shed)) == (503, "overloaded")


async def test_what_is_signed_is_dropped_for_nobody() -> None:
    body = events(62515)
    bench = Bench(shelf=Shelf(waits=True), limits=AdmissionLimits(held_bytes=len(body) + 10))
    first = asyncio.ensure_future(bench.hubspot(body))
    await asyncio.wait_for(bench.shelf.asked.wait(), DEADLINE_S)

    second = await bench.hubspot(body)
    bench.shelf.acknowledge.set()

    assert (second.status_code, code(second)) == (503, "overloaded")
    assert (await first).status_code == 200


async def test_a_sender_that_hangs_up_leaves_nothing_behind() -> None:
    bench = Bench(limits=AdmissionLimits(requests=1))
    messages: list[Message] = [{"type": "http.request", "body": b"[", "more_body": True}, {"type": "http.disconnect"}]
    scope: Scope = {
        "type": "http",
        "method": "POST",
        "path": "/webhooks/hubspot",
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in signed(b"").items()],
        "scheme": "http",
        "server": ("receiver", 80),
    }

    async def receive() -> Message:
        return messages.pop(0)

    async def send(_: Message) -> None:
        return None

    await bench.app(scope, receive, send)

    assert bench.counted == {("hubspot", "broken_off"): 1}
    assert (await bench.hubspot(events(62515))).status_code == 200
