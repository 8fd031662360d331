"""A grant that is renewed while it is sealed again is not replaced by the former one."""

import asyncio
from typing import Any, cast

from connectors.runtime.exclusive import Exclusive
from connectors.runtime.resealing import Resealing, ResealingDeps
from schemas.configuration import ConnectorState, IntegrationPart, KeptGrant, SealRequest

DEADLINE_S = 10.0
STATE = ConnectorState(1, 1, 1, "ok", webhook_secret=b"old:sign")


class Rows:
    """What the connector wrote of one integration; the worker renews its grant as it ends."""

    def __init__(self) -> None:
        self.rows = {
            "acme/hubspot/grant": IntegrationPart("acme", grant=KeptGrant("1", b"old:first")),
            "acme/hubspot": IntegrationPart(
                "acme", connector=ConnectorState(1, 1, 1, "ok", webhook_secret=b"old:sign")
            ),
        }
        self.asked: SealRequest | None = None
        self.unread: dict[str, IntegrationPart] = {}
        self.opened: list[str] = []
        self.failures: list[BaseException] = []
        exclusive = Exclusive(self._let_go, self.opened.append)
        deps = ResealingDeps("newest", _renewed, self._read_to_end, self._publish, self.failures.append)
        self.resealing = Resealing(cast(Any, self), exclusive, deps)

    def seals(self) -> SealRequest | None:
        return self.asked

    def own(self, _: str) -> dict[str, IntegrationPart]:
        return dict(self.rows)

    async def _let_go(self, _: str) -> None:
        self.unread["acme/hubspot/grant"] = IntegrationPart("acme", grant=KeptGrant("1", b"old:second"))

    async def _read_to_end(self) -> None:
        self.rows |= self.unread
        self.unread = {}

    async def _publish(self, key: str, part: IntegrationPart) -> None:
        self.unread[key] = part

    async def begin(self) -> None:
        self.resealing.begin(["acme"])
        async with asyncio.timeout(DEADLINE_S):
            await self.resealing.ended()


def _renewed(sealed: bytes, _: str) -> bytes:
    return sealed.replace(b"old:", b"new:")


async def test_the_newest_token_is_sealed_again_once_for_each_request() -> None:
    stage = Rows()
    await stage.begin()
    assert stage.opened == []
    stage.asked = SealRequest("another key", 1)
    await stage.begin()
    assert stage.opened == []
    stage.asked = SealRequest("newest", 2)
    await stage.begin()
    grant, state = stage.rows["acme/hubspot/grant"].grant, stage.rows["acme/hubspot"].connector
    assert grant is not None
    assert state is not None
    assert (grant.refresh_token, state.webhook_secret) == (b"new:second", b"new:sign")
    assert (stage.opened, stage.failures) == (["acme"], [])
    await stage.begin()
    assert stage.opened == ["acme"]
