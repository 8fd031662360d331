"""The HubSpot client: tokens, budget and version around a call."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from connectors.contract.errors import CredentialsRejected, RateLimited, Transient
from connectors.http.messages import Call, Headers, Request, Response
from connectors.hubspot import protocol
from connectors.hubspot.client import HubSpotClient, windowed_budget
from connectors.hubspot.credentials import OAuthCredentials, StaticToken
from connectors.hubspot.protocol import Grant, OAuthApp
from tests.unit.connectors.fake_clock import FakeClock

APP = OAuthApp("client", "app-secret")
EMPTY_PAGE = Response(200, body=b'{"results": []}')
RATE_HEADERS = Headers(
    {
        "X-HubSpot-RateLimit-Max": "110",
        "X-HubSpot-RateLimit-Remaining": "100",
        "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
    }.items()
)


@dataclass
class Account:
    """Issues tokens and accepts the newest one only."""

    issued: int = 0
    sent: list[Request] = field(default_factory=list)
    refresh_answer: Callable[[int], Response] | None = None
    answer: Response = EMPTY_PAGE
    accepts: bool = True
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, request: Request) -> Response:
        self.sent.append(request)
        self.asked.set()
        await asyncio.sleep(0)
        if request.path.startswith("/oauth/"):
            self.issued += 1
            return self.refresh_answer(self.issued) if self.refresh_answer else _granted(self.issued)
        newest = ("Authorization", f"Bearer access-{self.issued}")
        return self.answer if self.accepts and newest in request.headers else Response(401, body=b"{}")

    @property
    def refreshes(self) -> int:
        return sum(request.path.startswith("/oauth/") for request in self.sent)


def _granted(number: int, refresh_token: str | None = None, expires_in_s: int = 1800) -> Response:
    grant = {
        "access_token": f"access-{number}",
        "refresh_token": refresh_token or f"refresh-{number}",
        "expires_in": expires_in_s,
    }
    return Response(200, body=json.dumps(grant).encode())


@dataclass
class Case:
    """A client on a clock that stands still."""

    account: Account = field(default_factory=Account)
    clock: FakeClock = field(default_factory=FakeClock)
    stored: list[Grant] = field(default_factory=list)
    store_fails: bool = False

    def __post_init__(self) -> None:
        self.budget = windowed_budget(self.clock)
        credentials = OAuthCredentials(APP, "refresh-0", self._store, self.clock)
        self.client = HubSpotClient(self.account, self.budget, credentials)

    async def _store(self, grant: Grant) -> None:
        if self.store_fails:
            raise OSError("no broker")
        self.stored.append(grant)

    async def read(self) -> None:
        await self.client.send(protocol.read_objects("contacts", ["1"], ["email"]))


async def test_a_token_is_fetched_once_and_used_for_many_calls_at_once() -> None:
    case = Case()
    reading = [asyncio.create_task(case.read()) for _ in range(5)]
    await case.clock.advance(1.0)
    await asyncio.gather(*reading)
    assert case.account.refreshes == 1
    assert [grant.refresh_token for grant in case.stored] == ["refresh-1"]


async def test_a_token_is_renewed_ahead_of_its_end() -> None:
    case = Case()
    await case.read()
    await case.clock.advance(1_499.0)
    await case.read()
    assert case.account.refreshes == 1
    await case.clock.advance(2.0)
    await case.read()
    assert case.account.refreshes == 2


async def test_while_the_token_still_holds_a_failed_renewal_is_no_trouble() -> None:
    clock = FakeClock()
    credentials = OAuthCredentials(APP, "refresh-0", Case()._store, clock)
    assert await credentials.token(_grants) == "access"
    await clock.advance(1_600.0)
    assert await credentials.token(_fails) == "access"
    await clock.advance(300.0)
    with pytest.raises(Transient):
        await credentials.token(_fails)


async def test_a_renewal_that_fails_is_tried_now_and_then_and_not_before_every_call() -> None:
    clock, tries = FakeClock(), 0

    async def fails(_: Call[Grant]) -> Grant:
        nonlocal tries
        tries += 1
        raise Transient("timed_out")

    credentials = OAuthCredentials(APP, "refresh-0", Case()._store, clock)
    assert await credentials.token(_grants) == "access"
    await clock.advance(1_600.0)
    for _ in range(10):
        assert await credentials.token(fails) == "access"
    assert tries == 1
    await clock.advance(16.0)
    assert await credentials.token(fails) == "access"
    assert tries == 2
    assert await credentials.token(_grants) == "access"


@pytest.mark.parametrize("expires_in_s", [0, -1, -(10**17)])
async def test_a_token_of_no_life_is_no_reason_to_renew_before_every_call(expires_in_s: int) -> None:
    case = Case(Account(refresh_answer=lambda number: _granted(number, expires_in_s=expires_in_s)))
    for _ in range(5):
        await case.read()
    assert case.account.refreshes == 1


async def test_a_rejected_token_is_renewed_once_for_all_who_used_it() -> None:
    case = Case()
    await case.read()
    case.account.issued += 1
    reading = [asyncio.create_task(case.read()) for _ in range(4)]
    await case.clock.advance(1.0)
    await asyncio.gather(*reading)
    assert case.account.refreshes == 2


async def test_a_second_rejection_is_final() -> None:
    case = Case(Account(accepts=False))
    with pytest.raises(CredentialsRejected):
        await case.read()
    assert len(case.account.sent) == 4


async def test_a_revoked_grant_needs_a_person() -> None:
    case = Case(Account(refresh_answer=lambda number: Response(400, body=b'{"status": "BAD_REFRESH_TOKEN"}')))
    with pytest.raises(CredentialsRejected) as caught:
        await case.read()
    assert caught.value.reason == "grant_rejected"


async def test_a_refresh_token_that_stays_the_same_is_not_stored_again() -> None:
    case = Case(Account(refresh_answer=lambda number: _granted(number, "refresh-0")))
    for _ in range(3):
        await case.read()
        await case.clock.advance(1_801.0)
    assert case.account.refreshes == 3
    assert [grant.refresh_token for grant in case.stored] == ["refresh-0"]


async def test_a_process_that_may_not_own_the_integration_spends_no_refresh_token() -> None:
    case, owned = Case(), False
    credentials = OAuthCredentials(APP, "refresh-0", case._store, case.clock, lambda: owned)
    client = HubSpotClient(case.account, case.budget, credentials)
    read = protocol.read_objects("contacts", ["1"], ["email"])
    with pytest.raises(Transient, match="not_owned"):
        await client.send(read)
    assert case.account.sent == []
    owned = True
    await client.send(read)
    assert case.account.refreshes == 1


async def test_closing_waits_until_a_renewal_under_way_is_stored() -> None:
    case, may_answer = Case(), asyncio.Event()
    credentials = OAuthCredentials(APP, "refresh-0", case._store, case.clock)

    async def slowly(_: Call[Grant]) -> Grant:
        case.account.asked.set()
        await may_answer.wait()
        return Grant("access", "refresh-1")

    asking = asyncio.create_task(credentials.token(slowly))
    await case.account.asked.wait()
    asking.cancel()
    closing = asyncio.create_task(credentials.close())
    await case.clock.settle()
    assert not closing.done()
    may_answer.set()
    await closing
    assert [grant.refresh_token for grant in case.stored] == ["refresh-1"]


async def test_a_new_refresh_token_that_could_not_be_stored_is_stored_with_the_next() -> None:
    case = Case(Account(refresh_answer=lambda number: _granted(number, "refresh-new")), store_fails=True)
    with pytest.raises(OSError, match="no broker"):
        await case.read()
    case.store_fails = False
    await case.read()
    assert [grant.refresh_token for grant in case.stored] == ["refresh-new"]


async def test_a_cancelled_caller_does_not_lose_the_renewal() -> None:
    case = Case()
    reading = asyncio.create_task(case.read())
    await case.account.asked.wait()
    reading.cancel()
    await case.clock.settle()
    assert reading.cancelled()
    assert [grant.refresh_token for grant in case.stored] == ["refresh-1"]


async def test_a_static_token_cannot_be_replaced() -> None:
    case = Case()
    client = HubSpotClient(case.account, case.budget, StaticToken("access-7"))
    with pytest.raises(CredentialsRejected):
        await client.send(protocol.list_properties("contacts"))
    assert len(case.account.sent) == 1


async def test_the_api_version_of_the_client_spells_the_path() -> None:
    case = Case()
    client = HubSpotClient(case.account, case.budget, StaticToken("access-0"), api_version="v3")
    await client.send(protocol.list_objects("contacts", []))
    assert case.account.sent[0].path == "/crm/v3/objects/contacts"


async def test_the_headers_of_an_answer_open_the_budget() -> None:
    case = Case(Account(answer=Response(200, RATE_HEADERS, b'{"results": []}')))
    await case.read()
    async with case.budget.slot("live_read"):
        await asyncio.wait_for(case.read(), timeout=5)


async def test_a_rate_limit_pauses_the_next_call() -> None:
    case = Case(Account(answer=Response(429, body=b'{"policyName": "TEN_SECONDLY_ROLLING"}')))
    with pytest.raises(RateLimited):
        await case.read()
    case.account.answer = EMPTY_PAGE
    waiting = asyncio.create_task(case.read())
    await case.clock.advance(9.5)
    assert not waiting.done()
    await case.clock.advance(1.0)
    assert waiting.done()


async def _grants(call: object) -> Grant:
    return Grant("access", "refresh-0")


async def _fails(call: object) -> Grant:
    raise Transient("http_502")
