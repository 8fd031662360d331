"""What the tests of Userflow's source, sink and setup share: an account on a simulator in this process."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import httpx

from connectors.contract.account import Account, Opening
from connectors.contract.catalog import Catalog
from connectors.contract.errors import Transient, UnknownResult
from connectors.http.messages import Headers, Request, Response
from connectors.simulation import VendorClock
from connectors.userflow.account import assemble
from connectors.userflow.simulator import UserflowSettings, UserflowSimulator
from schemas.values import FieldDefinition
from tests.unit.connectors.fake_clock import InstantClock
from tests.unit.connectors.simulation.simulated import Json, ToldTime

KEY = "ak_simulated"
WEBHOOK_URL = "https://pairs.example.com/webhooks/userflow/acme"
WANTED = {"users": ("id", "email", "name", "plan", "logins", "active", "joined", "tags"), "companies": ("name", "mrr")}
DEFINITIONS = {
    "users": {
        "plan": FieldDefinition("plan", "string"),
        "logins": FieldDefinition("logins", "number"),
        "active": FieldDefinition("active", "boolean"),
        "joined": FieldDefinition("joined", "datetime"),
        "tags": FieldDefinition("tags", "list"),
    },
    "companies": {"mrr": FieldDefinition("mrr", "number")},
}
SEED: Mapping[str, Json] = {
    "groups": [{"id": "acme", "created_at": "2026-01-01T00:00:00Z", "attributes": {"name": "Acme", "mrr": 12.5}}],
    "users": [
        {
            "id": "u-1",
            "created_at": "2026-01-05T09:30:00.000+00:00",
            "attributes": {"email": "annie@example.com", "plan": "plus", "logins": 3, "tags": ["a"]},
            "groups": ["acme"],
        },
        {"id": "a/b@ü c", "created_at": "2026-02-01T00:00:00+01:00", "attributes": {"email": "b@example.com"}},
    ],
    "attribute_definitions": [
        {"name": "joined", "scope": "user", "data_type": "datetime", "display_name": "Joined"},
        {"name": "logins", "scope": "user", "data_type": "number", "display_name": "Logins"},
        {"name": "mrr", "scope": "group", "data_type": "number", "display_name": "MRR"},
        {"name": "last_flow", "scope": "user", "data_type": "content", "display_name": "Last flow"},
    ],
}

Intercept = Callable[[Request, int], None]
"""(request, how many were sent before): called before a request reaches the simulator; may raise."""


@dataclass
class InProcess:
    """A transport to a simulator without a network; `intercept` plays the world between two requests."""

    simulator: UserflowSimulator
    sent: list[Request] = field(default_factory=list)
    intercept: Intercept | None = None
    dated: bool = True

    async def send(self, request: Request) -> Response:
        if self.intercept is not None:
            self.intercept(request, len(self.sent))
        self.sent.append(request)
        try:
            answer = await self._exchange(request)
        except httpx.TransportError as error:
            raise UnknownResult("lost") if request.kind == "write" else Transient("lost") from error
        headers = [(name, text) for name, text in answer.headers.multi_items() if self.dated or name != "date"]
        return Response(answer.status_code, Headers(headers), answer.content)

    async def _exchange(self, request: Request) -> httpx.Response:
        way = httpx.ASGITransport(self.simulator.app)
        async with httpx.AsyncClient(transport=way, base_url="http://vendor") as client:
            target, headers = request.target, list(request.headers)
            return await client.request(request.method, target, headers=headers, content=request.body)

    @property
    def verbs(self) -> list[str]:
        """The methods sent, in order."""
        return [request.method for request in self.sent]


@dataclass
class Incidents:
    """What was reported."""

    reasons: list[str] = field(default_factory=list)

    async def __call__(self, reason: str, detail: str) -> None:
        assert detail
        self.reasons.append(reason)


@dataclass
class World:
    """A simulator and the account that works with it."""

    simulator: UserflowSimulator
    transport: InProcess
    account: Account
    opening: Opening
    incidents: Incidents
    now: ToldTime
    clock: InstantClock

    def again(self, secrets: Mapping[str, str]) -> Account:
        """The same account opened anew with other secrets."""
        return assemble(replace(self.opening, secrets=secrets), self.transport, KEY)


async def ignore(_: object) -> None:
    """Keeps no grant: Userflow has none."""


def opening(incidents: Incidents, api_url: str | None = None, **options: str) -> Opening:
    """An opening of the integration `acme` with the catalog of these tests."""
    catalog = Catalog()
    catalog.replace(WANTED, DEFINITIONS)
    return Opening(
        integration="acme",
        connection=2,
        account="production",
        options=options,
        secrets={"api_key": KEY},
        catalog=catalog,
        clock=InstantClock(),
        api_url=api_url,
        api_version="",
        webhook_url=WEBHOOK_URL,
        store_grant=ignore,
        incident=incidents,
    )


@asynccontextmanager
async def world(**settings: Json) -> AsyncIterator[World]:
    """A seeded simulator, a minute after its seeding, without limits and delays."""
    now, incidents = ToldTime(), Incidents()
    chosen = UserflowSettings(**{"latency_ms": 0, "rate_per_s": None, "max_in_flight": None, **settings})
    simulator = UserflowSimulator(chosen, clock=VendorClock(wall=now, monotonic=now))
    simulator.load(SEED)
    now.pass_ms(60_000)
    opened = opening(incidents)
    clock = opened.clock
    assert isinstance(clock, InstantClock)
    async with simulator:
        transport = InProcess(simulator)
        account = assemble(opened, transport, KEY)
        yield World(simulator, transport, account, opened, incidents, now, clock)
