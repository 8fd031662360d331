"""One integration of the bench: its two simulated accounts, its settings, its mappings, and what is asked for it."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Final

import httpx

from connectors.hubspot.simulator import HubSpotSettings, HubSpotSimulator
from connectors.simulation.server import serve
from connectors.simulation.vendor import Simulator
from connectors.userflow.simulator import UserflowSettings, UserflowSimulator
from schemas.configuration import IntegrationPart, IntegrationSettings, IntegrationState, SystemSettings
from schemas.records import (
    Cause,
    ConnectorRequest,
    FieldPatch,
    FieldRule,
    Notification,
    ObjectMapping,
    TimelineEvent,
)
from schemas.topics import (
    HUBSPOT_TIMELINE_EVENTS,
    INTEGRATIONS,
    MAPPINGS,
    field_patches_topic,
    notifications_topic,
    requests_topic,
)
from schemas.values import System
from tests.faults.hostile.broker import Broker
from tests.faults.hostile.vendor import HostileVendor
from tests.unit.connectors.outbound.timeline_events import streamed

PEOPLE: Final = 2
TITLE, PLAN = "hubspot_contact_jobtitle", "userflow_user_plan"
WRITTEN: Final[Mapping[System, str]] = {"hubspot": PLAN, "userflow": TITLE}
TYPES: Final[Mapping[System, tuple[str, str]]] = {
    "hubspot": ("contacts", "companies"),
    "userflow": ("users", "companies"),
}
FIELDS: Final[Mapping[System, Mapping[str, tuple[str, ...]]]] = {
    "hubspot": {"contacts": ("email", "jobtitle", PLAN), "companies": ("domain", "name")},
    "userflow": {"users": ("id", "email", "plan", TITLE), "companies": ("id", "name")},
}
MALFORMED: Final = (
    b"",
    b"{",
    b"[" * 50_000,
    b'[{"objectId":"1\xed\xa0\x80","portalId":12345678,"subscriptionType":"contact.deletion","occurredAt":1}]',
    '[{"objectId":"1\\ud800","portalId":12345678,"subscriptionType":"contact.creation"}]'.encode("utf-16"),
    b'[{"objectId":' + b"9" * 400 + b',"occurredAt":' + b"9" * 400 + b',"portalId":12345678}]',
    b'{"topic":"user.created","data":{"object":{"id":"1\\ud800","object":"user"}}}',
    b'{"created_at":"9998-01-01T00:00:00Z","topic":"user.updated","data":{"object":{"object":"user","id":"u-1"}}}',
)


class Hooked(httpx.AsyncBaseTransport):
    """Webhooks of a simulator, put where the receiver puts those that it has verified."""

    def __init__(self, broker: Broker, integration: str, system: System) -> None:
        self._broker, self._integration, self._system = broker, integration, system

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        await notify(self._broker, self._integration, self._system, body)
        return httpx.Response(200)


async def notify(broker: Broker, integration: str, system: System, body: bytes) -> None:
    record = Notification(integration, system, body, {}, now_ms())
    await broker.send(notifications_topic(system), integration, record)


@dataclass
class Customer:
    """An integration and its accounts; `vendors` stand before them where it has hostile ones."""

    name: str
    broker: Broker
    simulators: dict[System, Simulator[Any]]
    people: dict[System, list[str]]  # ids of those who are the same person stand at the same place
    urls: dict[System, str] = field(default_factory=dict)
    vendors: dict[System, HostileVendor] = field(default_factory=dict)
    revision: int = 1

    async def configure(self, state: IntegrationState = "active") -> None:
        """Put settings in force, each time of a new revision: as an apply does, they ask for a probe at once."""
        self.revision += 1
        settings = IntegrationSettings(
            1,
            self.revision,
            self.revision,
            state,
            "a",
            "done",
            None,
            "",
            SystemSettings("12345678", secrets={"token": b"pat-simulated"}, fields=FIELDS["hubspot"]),
            SystemSettings("production", secrets={"api_key": b"ak_simulated"}, fields=FIELDS["userflow"]),
            events=streamed("contacts"),
        )
        for mapping in mappings(self.name, self.revision):
            await self.broker.send(MAPPINGS, f"{self.name}/{mapping.name}", mapping)
        part = IntegrationPart(self.name, settings=settings)
        await self.broker.send(INTEGRATIONS, f"{self.name}/settings", part)

    async def patch(self, system: System, object_id: str, name: str, value: str, bulk: bool = False) -> None:
        object_type = TYPES[system][0]
        record = FieldPatch(
            self.name,
            1,
            self.revision,
            "people",
            object_id,
            system,
            object_type,
            object_id,
            {name: value},
            bulk=bulk,
            caused_by=Cause("", -1, -1, now_ms()),
        )
        await self.broker.send(field_patches_topic(system), self.name, record)

    async def burst(self, rng: Random) -> None:
        """Everything that is ever asked of both connectors, in an order of its own."""
        work = [self._webhooks(rng), self._malformed(rng), self._requests(), self._patches(), self._events()]
        rng.shuffle(work)
        for one in work:
            await one

    async def _webhooks(self, rng: Random) -> None:
        for contact in self.people["hubspot"]:
            self.simulators["hubspot"].edit_object("contacts", contact, {"jobtitle": str(rng.random())})
        for user in self.people["userflow"]:
            self.simulators["userflow"].edit_object("users", user, {"plan": str(rng.random())})

    async def _malformed(self, rng: Random) -> None:
        for system in TYPES:
            await notify(self.broker, self.name, system, rng.choice(MALFORMED))

    async def _requests(self) -> None:
        emails = (*(f"p{number}@{self.name}.example" for number in range(PEOPLE)), "y" * 70_000)
        for system, (person, _) in TYPES.items():
            for record in (
                ConnectorRequest(self.name, 1, "reread", person, (*self.people[system], "not-there")),
                ConnectorRequest(self.name, 1, "reread", person, ("x" * 6_000,)),
                ConnectorRequest(self.name, 1, "lookup", person, emails, "email", "people", by_email=True),
                *(ConnectorRequest(self.name, 1, "crawl", kind, run_id="0000000000001-x") for kind in TYPES[system]),
            ):
                await self.broker.send(requests_topic(system), self.name, record)

    async def _patches(self) -> None:
        for system, written in WRITTEN.items():
            for number, id in enumerate(self.people[system]):
                await self.patch(system, id, written, f"value {number}", bulk=number % 2 == 1)

    async def _events(self) -> None:
        for number, contact in enumerate(self.people["hubspot"]):
            event = TimelineEvent(
                self.name,
                1,
                self.revision,
                "people",
                contact,
                "contacts",
                contact,
                f"event-{number}",
                "checklist_task_completed",
                now_ms(),
                {"checklist_task_name": f"Task {number}"},
            )
            await self.broker.send(HUBSPOT_TIMELINE_EVENTS, self.name, event)


def mappings(name: str, revision: int) -> tuple[ObjectMapping, ...]:
    rules = (
        FieldRule("to_userflow", "jobtitle", "string", TITLE, "string"),
        FieldRule("to_hubspot", "plan", "string", PLAN, "string"),
    )
    people = ObjectMapping(
        name, 1, revision, "people", "contacts", "users", "email", "email", "refuse", rules, stream_events=True
    )
    named = (FieldRule("to_userflow", "name", "string", "name", "string"),)
    companies = replace(
        people,
        name="companies",
        hubspot_type="companies",
        userflow_type="companies",
        match_hubspot="domain",
        match_userflow="id",
        rules=named,
        stream_events=False,
    )
    return people, companies


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def accounts(broker: Broker, name: str, seed: int) -> dict[System, Simulator[Any]]:
    """Both accounts of an integration; webhooks go straight to its topics."""
    common: dict[str, Any] = {"webhook_target_url": "http://receiver", "latency_ms": 0, "seed": seed}
    unlimited: dict[str, Any] = {"rate_limit": 10**6, "search_limit": None, "timeline_needs_oauth": False}
    hubspot = HubSpotSettings(**common, **unlimited)
    userflow = UserflowSettings(**common, rate_per_s=None, max_in_flight=None)
    return {
        "hubspot": HubSpotSimulator(hubspot, webhook_transport=Hooked(broker, name, "hubspot")),
        "userflow": UserflowSimulator(userflow, webhook_transport=Hooked(broker, name, "userflow")),
    }


def seeded(name: str, simulators: Mapping[System, Simulator[Any]]) -> dict[System, list[str]]:
    """Some people and a company in both accounts; the people's ids."""
    hubspot, userflow = simulators["hubspot"], simulators["userflow"]
    plan = {"name": PLAN, "label": "Plan", "type": "string", "fieldType": "text"}
    hubspot.define({"properties": {"contacts": [plan]}})
    emails = [f"p{number}@{name}.example" for number in range(PEOPLE)]
    contacts = [str(hubspot.create_object("contacts", {"email": email}, silent=True)["id"]) for email in emails]
    users = [f"u-{number}" for number in range(PEOPLE)]
    for user, email in zip(users, emails, strict=True):
        userflow.create_object("users", {"email": email}, object_id=user, silent=True)
    hubspot.create_object("companies", {"domain": f"{name}.example", "name": name}, silent=True)
    userflow.create_object("groups", {"name": name}, object_id=f"{name}.example", silent=True)
    return {"hubspot": contacts, "userflow": users}


@asynccontextmanager
async def customer(
    broker: Broker, name: str, kinds: tuple[str, ...] = (), share: float = 0.0, seed: int = 0
) -> AsyncIterator[Customer]:
    """An integration with seeded accounts, each behind a hostile vendor where `kinds` are named."""
    simulators = accounts(broker, name, seed)
    made = Customer(name, broker, simulators, seeded(name, simulators))
    async with AsyncExitStack() as stack:
        for number, (system, simulator) in enumerate(simulators.items()):
            if not kinds:
                made.urls[system] = await stack.enter_async_context(serve(simulator))
                continue
            await stack.enter_async_context(simulator)
            vendor = HostileVendor(simulator.app, kinds, share, Random(2 * seed + number))
            made.vendors[system] = await stack.enter_async_context(vendor.serving())
            made.urls[system] = vendor.url
        yield made
