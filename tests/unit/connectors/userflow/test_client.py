"""The Userflow client: key, version and budget around a call."""

import asyncio
from dataclasses import dataclass, field

import pytest

from connectors.contract.errors import CredentialsRejected, RateLimited
from connectors.http.messages import Request, Response
from connectors.userflow import protocol
from connectors.userflow.client import UserflowClient, adaptive_budget
from tests.unit.connectors.fake_clock import FakeClock


@dataclass
class Environment:
    """Answers every request with the same."""

    answer: Response
    sent: list[Request] = field(default_factory=list)

    async def send(self, request: Request) -> Response:
        self.sent.append(request)
        return self.answer


async def test_each_request_carries_key_and_version() -> None:
    environment = Environment(Response(404))
    client = UserflowClient(environment, adaptive_budget(FakeClock()), "ak_secret")
    assert await client.send(protocol.get_object("users", "u1")) is None
    headers = dict(environment.sent[0].headers)
    assert headers == {"Userflow-Version": "2020-01-03", "Authorization": "Bearer ak_secret"}


async def test_a_rejected_key_is_not_tried_again() -> None:
    environment = Environment(Response(401))
    client = UserflowClient(environment, adaptive_budget(FakeClock()), "ak_secret")
    with pytest.raises(CredentialsRejected):
        await client.send(protocol.get_object("users", "u1"))
    assert len(environment.sent) == 1


async def test_a_rate_limit_pauses_the_next_call() -> None:
    clock = FakeClock()
    environment = Environment(Response(429))
    client = UserflowClient(environment, adaptive_budget(clock), "ak_secret")
    with pytest.raises(RateLimited):
        await client.send(protocol.get_object("users", "u1"))
    environment.answer = Response(404)
    waiting = asyncio.create_task(client.send(protocol.get_object("users", "u1")))
    await clock.advance(0.9)
    assert not waiting.done()
    await clock.advance(0.2)
    assert waiting.done()
