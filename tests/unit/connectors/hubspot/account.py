"""An opened HubSpot account on top of the simulator in this process."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from connectors.contract.account import Account, Opening
from connectors.contract.catalog import Catalog
from connectors.contract.errors import Transient, UnknownResult
from connectors.contract.sink import Write
from connectors.http.messages import Headers, Request, Response
from connectors.hubspot.account import assemble
from connectors.hubspot.journal_files import JournalFiles
from connectors.hubspot.simulator import HubSpotSettings, HubSpotSimulator
from connectors.simulation import VendorClock
from connectors.simulation.faults import FaultRule
from schemas.configuration import DescribedField
from schemas.values import FieldDefinition, FieldValue
from tests.unit.connectors.fake_clock import InstantClock
from tests.unit.connectors.simulation.simulated import ToldTime

QUIET: dict[str, Any] = {"latency_ms": 0, "rate_limit": None, "search_limit": None, "webhooks": False}
SEED = {
    "schemas": [
        {
            "name": "workspace",
            "objectTypeId": "2-77",
            "properties": [{"name": "slug", "type": "string"}, {"name": "seats", "type": "number"}],
        }
    ],
    "properties": {
        "contacts": [
            {"name": "seats", "label": "Seats", "type": "number", "fieldType": "number"},
            {"name": "vip", "label": "VIP", "type": "bool", "fieldType": "booleancheckbox"},
            {"name": "renewal", "label": "Renewal", "type": "date", "fieldType": "date"},
        ]
    },
    "objects": {
        "contacts": [
            {"id": str(number), "properties": {"email": f"person{number}@example.com", "jobtitle": f"Job {number}"}}
            for number in range(1, 9)
        ],
        "companies": [{"id": "10", "properties": {"name": "Acme", "numberofemployees": "12"}}],
        "deals": [{"id": "20", "properties": {"dealname": "Big", "dealstage": "closedwon", "amount": "10.50"}}],
        "2-77": [{"id": "30", "properties": {"slug": "acme", "seats": "7"}}],
    },
}
WANTED = {
    "contacts": ("email", "jobtitle", "seats", "vip", "renewal", "hs_buying_role"),
    "companies": ("name", "numberofemployees"),
    "deals": ("dealname", "amount", "closedate"),
    "2-77": ("slug", "seats"),
}
OAUTH = {
    "client_id": "hubspot-client",
    "client_secret": "hubspot-client-secret",
    "refresh_token": "hubspot-refresh-token",
}
DEFINITIONS = {
    "contacts": {
        "seats": FieldDefinition("seats", "number"),
        "vip": FieldDefinition("vip", "boolean"),
        "renewal": FieldDefinition("renewal", "date"),
        "hs_buying_role": FieldDefinition("hs_buying_role", "multi_select", options=("CHAMPION", "END_USER")),
    },
    "companies": {"numberofemployees": FieldDefinition("numberofemployees", "number")},
    "deals": {
        "amount": FieldDefinition("amount", "number"),
        "closedate": FieldDefinition("closedate", "datetime"),
    },
    "2-77": {"seats": FieldDefinition("seats", "number")},
}


@dataclass
class AsgiTransport:
    """Carries requests to an app in this process and keeps them."""

    app: Any
    sent: list[Request] = field(default_factory=list)

    async def send(self, request: Request) -> Response:
        self.sent.append(request)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://localhost") as client:
            try:
                answer = await client.request(
                    request.method, request.target, headers=list(request.headers), content=request.body
                )
            except httpx.TransportError:
                error = UnknownResult if request.kind == "write" else Transient
                raise error("timed_out") from None
        return Response(answer.status_code, Headers(answer.headers.multi_items()), answer.content)

    def stop(self) -> None:
        """Nobody stops it."""

    async def aclose(self) -> None:
        """Nothing is open."""


@dataclass
class Opened:
    """A simulated portal, the account that was opened to it and what was sent."""

    portal: HubSpotSimulator
    account: Account
    catalog: Catalog
    transport: AsgiTransport
    now: ToldTime
    clock: InstantClock  # ours
    allowed: bool = True

    @property
    def posts(self) -> list[Request]:
        """The batch updates that left, in order."""
        return [request for request in self.transport.sent if request.path.endswith("/batch/update")]

    def strike(self, **rule: Any) -> None:
        self.portal.faults.add([FaultRule(**rule)])

    async def write(self, *writes: Write) -> Sequence[Any]:
        return await self.account.sink.write(writes, lambda: self.allowed)

    def holds(self, object_id: str, kind: str = "contacts") -> Mapping[str, str]:
        """What the portal holds of a record."""
        properties: Mapping[str, str] = self.portal.read_object(kind, object_id)["properties"]
        return properties


async def _nothing(*_: object) -> None:
    """Nobody is told."""


def opening(
    catalog: Catalog,
    *,
    account: str = "12345678",
    secrets: Mapping[str, str] | None = None,
    options: Mapping[str, str] | None = None,
    api_url: str | None = None,
    clock: InstantClock | None = None,
) -> Opening:
    """What a runner would give."""
    return Opening(
        integration="acme",
        connection=1,
        account=account,
        options=options or {},
        secrets={"token": "pat-simulated"} if secrets is None else secrets,
        catalog=catalog,
        clock=clock or InstantClock(),
        api_url=api_url,
        api_version="2026-03",
        webhook_url="http://receiver/webhooks/hubspot",
        store_grant=_nothing,
        incident=_nothing,
    )


def opened(
    webhook_transport: httpx.AsyncBaseTransport | None = None,
    account: str = "12345678",
    timeline: str = "app_events",
    secrets: Mapping[str, str] | None = None,
    source: str = "webhooks",
    **settings: Any,
) -> Opened:
    """A seeded portal a minute after its seed, and the account opened to it."""
    now = ToldTime()
    clock = VendorClock(wall=now, monotonic=now)
    portal = HubSpotSimulator(HubSpotSettings(**QUIET | settings), clock=clock, webhook_transport=webhook_transport)
    portal.load(SEED)
    now.pass_ms(60_000)
    catalog = Catalog()
    catalog.replace(WANTED, DEFINITIONS)
    transport = AsgiTransport(portal.app)
    ours, options = InstantClock(), {"timeline": timeline, "source": source}
    given = opening(catalog, account=account, secrets=secrets, options=options, clock=ours)
    files = JournalFiles("http://localhost", opened=lambda *_: transport)
    return Opened(portal, assemble(given, transport, files), catalog, transport, now, ours)


def write(object_id: str, kind: str = "contacts", **fields: FieldValue) -> Write:
    return Write(kind, object_id, fields)


def field_of(kind: str, name: str, type_: Any, *options: str) -> DescribedField:
    return DescribedField(kind, name, name.title(), type_, options)
