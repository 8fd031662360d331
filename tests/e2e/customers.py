"""Three customers, each with vendors of its own, two of them on one partition of one running pipeline.

A connector has one API URL, so both accounts answer behind one door, told apart by token as at the real vendor.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from connectors.hubspot.simulator import HubSpotSettings, HubSpotSimulator
from connectors.kafka.partitioner import partition_of
from connectors.userflow.simulator import UserflowSettings, UserflowSimulator
from pipeline.local.ports import free_port
from pipeline.local.stack import Stack
from pipeline.serving import serve
from tests import forking
from tests.e2e.world import environment_of, eventually, measured, running_machine
from tests.kafka import Kafka

PEOPLE = 10
WELL = "well"
DOWN = next(name for number in range(100) if partition_of(name := f"down-{number}", 4) == partition_of(WELL, 4))
SPARE = "spare"
"""A customer whose accounts no integration is connected to."""
ACCOUNTS: Mapping[str, int] = {WELL: 111, DOWN: 222, SPARE: 333}
PAIRED_S = 60.0
FILE = """\
integration: {name}
hubspot:
  account: {account}
  app_secret: ${{APP_SECRET}}
  token: ${{HUBSPOT_TOKEN}}
userflow:
  environment: production
  api_key: ${{USERFLOW_API_KEY}}
mappings:
  - name: people
    hubspot: contacts
    userflow: users
    match: {{hubspot: email, userflow: email}}
    to_userflow: [jobtitle]
    to_hubspot: [plan]
"""


class Door:
    """Sends each call to the account that its bearer token opens; any of them refuses a token of nobody."""

    def __init__(self, apps: Mapping[str, ASGIApp]) -> None:
        self._apps = {f"Bearer {token}".encode(): app for token, app in apps.items()}
        self._any = next(iter(apps.values()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            token = dict(scope["headers"])[b"authorization"]
            await self._apps.get(token, self._any)({**scope}, receive, send)


@dataclass(frozen=True)
class Customer:
    """One integration with its two accounts."""

    name: str
    hubspot: HubSpotSimulator
    userflow: UserflowSimulator

    def seed(self) -> None:
        for number in range(PEOPLE):
            email = f"p{number}@{self.name}.example"
            self.hubspot.create_object("contacts", {"email": email, "jobtitle": "new"}, silent=True)
            self.userflow.create_object("users", {"email": email, "plan": "new"}, object_id=f"u-{number}", silent=True)

    def edit(self, value: str) -> None:
        for contact_id in [row["id"] for row in self.hubspot.list_objects("contacts")]:
            self.hubspot.edit_object("contacts", contact_id, {"jobtitle": value})
        for number in range(PEOPLE):
            self.userflow.edit_object("users", f"u-{number}", {"plan": value})

    def missing(self, value: str) -> int:
        """How many objects do not show the value of their other side."""
        users = [row["attributes"].get("hubspot_contact_jobtitle") for row in self.userflow.list_objects("users")]
        contacts = [row["properties"].get("userflow_user_plan") for row in self.hubspot.list_objects("contacts")]
        return sum(found != value for found in [*users, *contacts])

    async def shows(self, value: str, within_s: float) -> None:
        """Wait until every object shows the value of its other side."""

        async def missing() -> int:
            return self.missing(value)

        started = time.monotonic()
        assert await eventually(missing, lambda left: left == 0, within_s, every_s=0.02) == 0
        measured(f"{self.name}: {2 * PEOPLE} values after {time.monotonic() - started:.2f} s")


@asynccontextmanager
async def customers(folder: Path, kafka: Kafka) -> AsyncIterator[tuple[Stack, Customer, Customer, Customer]]:
    """A running pipeline and the customers WELL, DOWN and SPARE; none is connected yet."""
    receiver = free_port()
    async with AsyncExitStack() as stack:
        made = {
            name: await stack.enter_async_context(vendors(name, account, receiver))
            for name, account in ACCOUNTS.items()
        }
        running = await stack.enter_async_context(pipeline_of(folder, kafka, receiver, made))
        yield running, Customer(WELL, *made[WELL]), Customer(DOWN, *made[DOWN]), Customer(SPARE, *made[SPARE])


@asynccontextmanager
async def vendors(
    name: str, account: int, receiver: int, rate_limit: int | None = None
) -> AsyncIterator[tuple[HubSpotSimulator, UserflowSimulator]]:
    """The two accounts of one customer, whose webhooks go to the receiver at that port."""
    hubspot = HubSpotSimulator(
        HubSpotSettings(
            portal_id=account,
            static_tokens=(f"pat-{name}",),
            app_secret=f"secret-{name}",
            webhook_target_url=f"http://127.0.0.1:{receiver}/webhooks/hubspot",
            rate_limit=rate_limit,
        )
    )
    userflow = UserflowSimulator(UserflowSettings(api_keys=(f"ak_{name}",), rate_per_s=None, max_in_flight=None))
    async with hubspot, userflow:
        yield hubspot, userflow


@asynccontextmanager
async def pipeline_of(
    folder: Path, kafka: Kafka, receiver: int, made: Mapping[str, tuple[HubSpotSimulator, UserflowSimulator]]
) -> AsyncIterator[Stack]:
    """A running pipeline before the vendors of these customers, each system behind one door."""
    hubspots = Door({f"pat-{name}": hubspot.app for name, (hubspot, _) in made.items()})
    userflows = Door({f"ak_{name}": userflow.app for name, (_, userflow) in made.items()})
    async with serve(hubspots, "127.0.0.1", 0) as hubspot_url, serve(userflows, "127.0.0.1", 0) as userflow_url:
        settings = {
            "PAIRSTREAM_RECEIVER_PORT": str(receiver),
            "PAIRSTREAM_PARTITIONS": "4",
            "HUBSPOT_API_URL": hubspot_url,
            "USERFLOW_API_URL": userflow_url,
        }
        async with running_machine(environment_of(folder, kafka) | settings, simulators=False) as running:
            yield running


def secrets_of(name: str) -> dict[str, str]:
    """What FILE asks the environment for, as the customer's vendors have it."""
    return {"APP_SECRET": f"secret-{name}", "HUBSPOT_TOKEN": f"pat-{name}", "USERFLOW_API_KEY": f"ak_{name}"}


async def command(running: Stack, folder: Path, name: str) -> None:
    """Apply the integration, then bring it in step."""
    path = folder / f"{name}.yaml"
    path.write_text(FILE.format(name=name, account=ACCOUNTS[name]))
    for words in (("apply", str(path), "--yes"), ("full-sync", "start", name)):
        code, said = await run(running, *words, **secrets_of(name))
        assert code == 0, said


async def run(running: Stack, *words: str, **more: str) -> tuple[int, str]:
    """Run `pairstream WORDS`, with `more` in its environment; returns its exit code and all it printed."""
    done = await asyncio.to_thread(forking.run, words, {**os.environ, **running.environment, **more})
    return done.returncode, done.stdout + done.stderr
