"""Ids that no URL, header or record holds, at the real connectors: each costs itself a refusal, never the process."""

import json
from typing import Any

import pytest

from connectors.contract.errors import Refused
from connectors.contract.source import Seen
from schemas.records import Notification
from tests.unit.connectors.fake_clock import FakeClock
from tests.unit.connectors.hubspot.account import opened
from tests.unit.connectors.session.contexts import context_of
from tests.unit.connectors.userflow.account import world

HALF = "1\ud800"
LONG = "ä" * 25_000  # 150,000 bytes when percent-encoded
BODIES = [
    b'{"topic":"user.updated","data":{"object":{"object":"user","id":"1\xed\xa0\x80"}}}',
    b'[{"eventId":1,"subscriptionType":"contact.propertyChange","portalId":1,"objectId":"1\xed\xa0\x80"}]',
    json.dumps([{"objectId": HALF, "subscriptionType": "contact.creation", "portalId": 1}]).encode(),
    json.dumps({"data": {"object": {"id": HALF}}}).encode("utf-16"),
    '["\ud800"]'.encode("utf-16", "surrogatepass"),
    b"\xff\xfe\x00\xd8",
]


@pytest.mark.parametrize("object_id", [HALF, LONG])
async def test_userflow_refuses_to_read_it_and_reads_the_others(object_id: str) -> None:
    async with world() as made:
        context, _ = context_of("userflow", FakeClock(), account=made.account)
        source = made.account.source
        with pytest.raises(Refused):
            await context.asked(lambda: source.read("users", [object_id], "live_read"), "users", "read")
        (found,) = await context.asked(lambda: source.read("users", ["u-1"], "live_read"), "users", "read")
        assert isinstance(found, Seen)
        assert context.state.works


@pytest.mark.parametrize("body", BODIES)
async def test_a_webhook_that_holds_one_is_translated_or_none_of_the_vendors(body: bytes) -> None:
    async with world() as made:
        for source in (made.account.source, opened().account.source):
            await _translated(source, Notification("acme", "userflow", body, {}, 1))


async def _translated(source: Any, notification: Notification) -> None:
    try:
        source.translate(notification)
    except ValueError:
        return
