"""Three customers, each with vendors of its own, two of them on one partition of one running pipeline.

A connector has one API URL, so both accounts answer behind one door, told apart by token as at the real vendor.
"""

import asyncio
import os
import subprocess
import sys
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
from pipeline.local.stack import Stack, machine
from pipeline.serving import serve
from tests.e2e.world import environment_of, eventually, measured
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
    """Sends each call to the account that its bearer token opens."""

    def __init__(self, apps: Mapping[str, ASGIApp]) -> None:
        self._apps = {f"Bearer {token}".encode(): app for token, app in apps.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            token = dict(scope["headers"])[b"authorization"]
            await self._apps[token]({**scope}, receive, send)


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
    public_url = f"http://127.0.0.1:{receiver}"
    async with AsyncExitStack() as stack:
        made = [await stack.enter_async_context(customer(name, public_url)) for name in (WELL, DOWN, SPARE)]
        hubspot = Door({f"pat-{it.name}": it.hubspot.app for it in made})
        userflow = Door({f"ak_{it.name}": it.userflow.app for it in made})
        settings = {
            "PAIRSTREAM_RECEIVER_PORT": str(receiver),
            "PAIRSTREAM_PARTITIONS": "4",
            "HUBSPOT_API_URL": await stack.enter_async_context(serve(hubspot, "127.0.0.1", 0)),
            "USERFLOW_API_URL": await stack.enter_async_context(serve(userflow, "127.0.0.1", 0)),
        }
        whole = machine(environment_of(folder, kafka) | settings, simulators=False)
        running = await asyncio.to_thread(whole.__enter__)
        try:
            yield running, made[0], made[1], made[2]
        finally:
            await asyncio.to_thread(whole.__exit__, None, None, None)


@asynccontextmanager
async def customer(name: str, public_url: str) -> AsyncIterator[Customer]:
    hubspot = HubSpotSimulator(
        HubSpotSettings(
            portal_id=ACCOUNTS[name],
            static_tokens=(f"pat-{name}",),
            app_secret=f"secret-{name}",
            webhook_target_url=f"{public_url}/webhooks/hubspot",
            rate_limit=None,
        )
    )
    userflow = UserflowSimulator(UserflowSettings(api_keys=(f"ak_{name}",), rate_per_s=None, max_in_flight=None))
    async with hubspot, userflow:
        yield Customer(name, hubspot, userflow)


async def command(running: Stack, folder: Path, name: str) -> None:
    """Apply the integration, then bring it in step."""
    path = folder / f"{name}.yaml"
    path.write_text(FILE.format(name=name, account=ACCOUNTS[name]))
    secrets = {"APP_SECRET": f"secret-{name}", "HUBSPOT_TOKEN": f"pat-{name}", "USERFLOW_API_KEY": f"ak_{name}"}
    environment = {**os.environ, **running.environment, **secrets}
    for words in (("apply", str(path), "--yes"), ("full-sync", "start", name)):
        argv = (sys.executable, "-m", "pipeline.cli", *words)
        done = await asyncio.to_thread(subprocess.run, argv, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
