"""The whole pipeline on this machine for a test: every role as a process of its own, both vendors simulated.

Start one with `async with world(tmp_path) as it:`; what a person does goes through `it.hubspot` and `it.userflow`,
commands through `it.command(...)`, kills through `it.kill(role)`.
"""

import asyncio
import os
import signal
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition
from confluent_kafka.admin import AdminClient
from prometheus_client.parser import text_string_to_metric_families

from connectors.kafka.admin import Admin
from connectors.kafka.cluster import Cluster
from connectors.kafka.settings import reader_config
from connectors.kafka.table import TableReader
from pipeline.local.control import SimulatorControl
from pipeline.local.stack import Stack, machine
from schemas.codec import Codec
from schemas.records import DeadLetter
from schemas.registry import LocalRegistry
from schemas.topics import DEAD_LETTERS
from tests.forking import run
from tests.kafka import Kafka, fresh_prefix

T = TypeVar("T")

CREDENTIALS = {
    "HUBSPOT_APP_SECRET": "hubspot-app-secret",
    "HUBSPOT_TOKEN": "pat-simulated",
    "USERFLOW_API_KEY": "ak_simulated",
}
_FILE = """\
integration: acme
hubspot:
  account: 12345678
  app_id: 4242
  app_secret: ${HUBSPOT_APP_SECRET}
  token: ${HUBSPOT_TOKEN}
userflow:
  environment: production
  api_key: ${USERFLOW_API_KEY}
mappings:
  - name: contacts-users
    hubspot: contacts
    userflow: users
    match: {hubspot: email, userflow: email}
    to_userflow: [jobtitle, lifecyclestage]
    to_hubspot: [plan]
"""
SOURCE = os.environ.get("PAIRSTREAM_E2E_SOURCE", "webhooks")
"""How HubSpot's news are heard of: with `journal` or `poll` no webhook of HubSpot is sent, whatever the test."""
ASKED_OFTEN = {
    "PAIRSTREAM_JOURNAL_INTERVAL_S": "0.2",
    "PAIRSTREAM_POLL_INTERVAL_S": "0.3",
    "PAIRSTREAM_POLL_INDEX_LAG_S": "35",
    "PAIRSTREAM_POLL_ARCHIVED_INTERVAL_S": "0.5",
    "PAIRSTREAM_PATROL_OBJECTS_PER_S": "300",
    "PAIRSTREAM_POLL_SEEN_INTERVAL_S": "0.5",
}
_BY_OAUTH = (
    "  oauth: {client_id: hubspot-client, client_secret: hubspot-client-secret, refresh_token: hubspot-refresh-token}\n"
)


def heard_by(text: str, source: str) -> str:
    """A file whose HubSpot section has that source, and what it needs."""
    if source == "webhooks":
        return text
    text = text.replace("  app_secret: ${HUBSPOT_APP_SECRET}\n", f"  source: {source}\n")
    return text.replace("  token: ${HUBSPOT_TOKEN}\n", _BY_OAUTH) if source == "journal" else text


FILE = heard_by(_FILE, SOURCE)
TITLE, STAGE, PLAN = "hubspot_contact_jobtitle", "hubspot_contact_lifecyclestage", "userflow_user_plan"
SYNCED = {"jobtitle": TITLE, "lifecyclestage": STAGE}
CONVERGED_S = 60.0
WORKER_TOPICS = (
    "hubspot.changes",
    "userflow.changes",
    "userflow.activity",
    "sync.matches",
    "sync.receipts",
    "sync.state-commands",
)
GROUPS = {
    "pairstream-worker": WORKER_TOPICS,
    "pairstream-hubspot": (
        "hubspot.notifications",
        "hubspot.requests",
        "hubspot.field-patches",
        "hubspot.timeline-events",
    ),
    "pairstream-userflow": ("userflow.notifications", "userflow.requests", "userflow.field-patches"),
}


@dataclass
class World:
    """A running pipeline with its two vendors."""

    machine: Stack
    hubspot: SimulatorControl
    userflow: SimulatorControl
    folder: Path
    cluster: Cluster
    admin: Admin
    made: dict[str, str] = field(default_factory=dict)  # contact id -> user id, as made here

    async def command(self, *words: str, expect: int | None = 0, **more: str) -> str:
        """Run `pairstream WORDS`; returns all it printed, fails the test for another exit code (None: any will do).

        `more` is added to the environment of the roles.
        """
        return "".join(await self._run(words, expect, more))

    async def answer(self, *words: str, expect: int = 0, nicer: int = 0) -> str:
        """The same, but only its answer: no warnings, no progress; `nicer`: it gives way to the roles."""
        return (await self._run(words, expect, {}, nicer))[0]

    async def _run(
        self, words: tuple[str, ...], expect: int | None, more: Mapping[str, str], nicer: int = 0
    ) -> tuple[str, str]:
        done = await asyncio.to_thread(run, words, {**os.environ, **self.machine.environment, **more}, nicer=nicer)
        assert expect in (None, done.returncode), f"{words} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout, done.stderr

    async def apply(self, text: str = FILE) -> str:
        path = self.folder / "integration.yaml"
        path.write_text(text)
        return await self.command("apply", str(path), "--yes")

    async def full_sync(self, within_s: int = 300) -> None:
        """Run one until the last effect of it has its outcome; one that began by itself gives way."""
        await self.command("full-sync", "start", "acme", "--wait", "--supersede", "--timeout", str(within_s))

    async def pair(self, number: int, **contact: Any) -> tuple[str, str]:
        """A contact and a user with one e-mail address; returns their ids."""
        email = f"person{number}@example.com"
        contact_id = await self.hubspot.create("contacts", {"email": email, "jobtitle": f"title {number}", **contact})
        user_id = await self.userflow.create("users", {"email": email, "plan": f"plan {number}"}, f"user-{number}")
        self.made[contact_id] = user_id
        return contact_id, user_id

    async def differences(self) -> list[str]:
        """Every mapped field of every pair that does not equal its owner's, judged from the stores alone."""
        contacts, users = await self.hubspot.objects("contacts"), await self.userflow.objects("users")
        by_email = {fields.get("email"): (user_id, fields) for user_id, fields in users.items()}
        found = []
        for contact_id, contact in contacts.items():
            user_id, user = by_email.get(contact.get("email"), (None, None))
            if user is None:
                continue
            for source, target in SYNCED.items():
                if (contact.get(source) or None) != (user.get(target) or None):
                    found.append(f"user {user_id}: {target}")
            if (user.get("plan") or None) != (contact.get(PLAN) or None):
                found.append(f"contact {contact_id}: {PLAN}")
        return found

    async def converged(self, within_s: float = CONVERGED_S) -> None:
        """Wait until both stores agree; what does not is explained as an operator would have it explained."""
        left = await eventually(self.differences, lambda found: not found, within_s)
        assert not left, "\n".join([*left, await self._explained(left[0])])

    async def _explained(self, difference: str) -> str:
        kind, object_id = difference.partition(":")[0].split()
        named = ("hubspot", "contacts") if kind == "contact" else ("userflow", "users")
        return await self.command("explain", *named, object_id, "--history", "20", "--show-values", expect=None)

    async def idle(self, within_s: float = CONVERGED_S) -> None:
        """Wait until no group has records before it."""
        await eventually(self.unread, lambda found: not found, within_s)

    async def unread(self) -> dict[str, int]:
        """Records that a group has not committed, by topic."""
        found: dict[str, int] = {}
        for group, topics in GROUPS.items():
            places = await asyncio.to_thread(self.admin.unread, group, topics)
            for (topic, _), lag in places.items():
                found[topic] = found.get(topic, 0) + lag
        return found

    async def writes(self) -> dict[str, int]:
        """How many writing calls each vendor has received, by what its simulator counts."""
        return {
            "hubspot": _writing(await self.hubspot.requests()),
            "userflow": _writing(await self.userflow.requests()),
        }

    async def created_by_api(self) -> int:
        """Objects that somebody made by an API: Pairstream never does."""
        counted = [await self.hubspot.requests(), await self.userflow.requests()]
        return sum(int(found["created_by_api"]) for found in counted)

    def records(self, topic: str) -> list[Any]:
        """Every record that a topic holds now, in order of each partition; blocks."""
        return read_topic(self.cluster, topic)

    def rows(self, topic: str) -> dict[str, Any]:
        """The newest record of each key of a compacted topic; blocks."""
        reader = TableReader(self.cluster, Codec(LocalRegistry()), (topic,))
        reader.start()
        try:
            return dict(reader.table(topic))
        finally:
            reader.stop()

    async def dead_letters(self) -> list[DeadLetter]:
        return list(await asyncio.to_thread(self.records, DEAD_LETTERS))

    async def metrics(self) -> set[str]:
        """The declared names of which some role exposes a sample; a histogram's samples stand under its name."""
        exposed = await asyncio.gather(
            *(asyncio.to_thread(read_url, f"{url}/metrics") for url in self.machine.endpoints.health_urls.values())
        )
        families = [family for text in exposed for family in text_string_to_metric_families(text) if family.samples]
        return {f"{one.name}_total" if one.type == "counter" else one.name for one in families}

    def kill(self, role: str, number: int = signal.SIGKILL) -> int:
        """Send a signal to a role's process; returns its pid."""
        pid = self.machine.supervisor.pid_of(role)
        os.kill(pid, number)
        return pid

    def log(self, role: str) -> str:
        return (self.machine.settings.state_dir / "logs" / f"{role}.log").read_text()


def _writing(requests: Mapping[str, Any]) -> int:
    counters: Iterable[tuple[str, int]] = requests["counters"].items()
    return sum(number for name, number in counters if is_write(name))


def read_url(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return bytes(answer.read()).decode()


def is_write(name: str) -> bool:
    method, _, kind = name.partition(" ")
    if method in ("GET", "HEAD"):
        return False
    return not any(word in kind for word in ("batch_read", "search", "oauth", "webhook", "propert"))


def read_topic(cluster: Cluster, topic: str) -> list[Any]:
    """Every decoded record between the beginning and the present end of a topic; undecodable ones are left out."""
    codec, found = Codec(LocalRegistry()), []
    for message in messages(cluster, (cluster.physical(topic),)):
        try:
            found.append(codec.decode(topic, message.value() or b""))
        except ValueError:
            continue
    return found


def messages(cluster: Cluster, topics: Collection[str]) -> Iterator[Message]:
    """Every readable message between the beginning and the present end of topics, named as on the brokers; blocks."""
    consumer = Consumer(reader_config(cluster))
    try:
        places = [
            TopicPartition(topic, number, 0)
            for topic in topics
            for number in consumer.list_topics(topic, timeout=10).topics[topic].partitions
        ]
        consumer.assign(places)
        left = len(places)
        while left:
            message = consumer.poll(10)
            assert message is not None, f"{topics} cannot be read"
            error = message.error()
            if error is None:
                yield message
            else:
                assert error.code() == KafkaError._PARTITION_EOF, error
                left -= 1
    finally:
        consumer.close()


async def eventually(
    look: Callable[[], Awaitable[T]], good: Callable[[T], bool], within_s: float, every_s: float = 0.1
) -> T:
    """What `look` sees once it is good, or the last it saw when time is up."""
    deadline = time.monotonic() + within_s
    # what is looked at is in other processes: no event tells when it changes
    while not good(seen := await look()) and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(every_s)
    return seen


def measured(text: str) -> None:
    """Show what a test measured; pytest keeps it for `-s` and for failures."""
    sys.stdout.write(f"{text}\n")


def environment_of(folder: Path, kafka: Kafka | None) -> dict[str, str]:
    """The environment of a pipeline that shares nothing with others: a folder, ports and names on the brokers."""
    shared = {} if kafka is None else {"KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers}
    return {
        **_without_settings(os.environ),
        "PAIRSTREAM_STATE_DIR": str(folder / "state"),
        "PAIRSTREAM_RECEIVER_PORT": "0",
        "PAIRSTREAM_CONSOLE_PORT": "0",
        "PAIRSTREAM_FULL_SYNC_INTERVAL_S": "0",
        "PAIRSTREAM_PREFIX": fresh_prefix(),
        **shared,
    }


def _without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """The rest: what tests themselves are told by is no setting of a pipeline either, and each would warn of it."""
    return {name: value for name, value in environment.items() if not name.startswith(("PAIRSTREAM_", "KAFKA_"))}


@asynccontextmanager
async def world(
    folder: Path, kafka: Kafka | None = None, *, unlimited: bool = True, **environment: str
) -> AsyncIterator[World]:
    """Start everything, on brokers that are there or, where they are to be killed, on a broker of its own.

    `unlimited` lifts the vendors' rate limits, so that a test takes no longer than its work.
    """
    async with _started(folder, kafka, environment, unlimited, console=False) as whole:
        yield whole


@asynccontextmanager
async def world_with_console(folder: Path, kafka: Kafka | None) -> AsyncIterator[World]:
    """The same with the console, which is a process more."""
    async with _started(folder, kafka, {}, True, console=True) as whole:
        yield whole


@asynccontextmanager
async def _started(
    folder: Path, kafka: Kafka | None, environment: Mapping[str, str], unlimited: bool, *, console: bool
) -> AsyncIterator[World]:
    often = ASKED_OFTEN if SOURCE != "webhooks" else {}
    given = {**environment_of(folder, kafka), **CREDENTIALS, **often, **environment}
    async with running_machine(given, simulators=True, console=console) as running:
        where = running.endpoints
        async with (
            SimulatorControl("hubspot", where.hubspot_simulator_url or "") as hubspot,
            SimulatorControl("userflow", where.userflow_simulator_url or "") as userflow,
        ):
            if SOURCE != "webhooks":
                await hubspot.set(webhooks=False, search_lag_ms=200, journal_lag_ms=100)
            if unlimited:
                await hubspot.set(rate_limit=1_000_000, search_limit=None)
                await userflow.set(rate_per_s=None, max_in_flight=None)
            cluster = Cluster({"bootstrap.servers": where.kafka_bootstrap_servers}, running.settings.prefix)
            yield World(running, hubspot, userflow, folder, cluster, Admin(cluster))
    if kafka is not None:
        await asyncio.to_thread(forget, cluster)


@asynccontextmanager
async def running_machine(
    environment: Mapping[str, str], *, simulators: bool, console: bool = False
) -> AsyncIterator[Stack]:
    """What `pairstream up` runs."""
    whole = machine(environment, simulators=simulators, console=console)
    running = await asyncio.to_thread(whole.__enter__)
    try:
        yield running
    finally:
        await asyncio.to_thread(whole.__exit__, None, None, None)


def forget(cluster: Cluster) -> None:
    """Delete the topics of a pipeline that has ended: a broker that many tests share stays quick."""
    admin = AdminClient(dict(cluster.client))
    ours = [name for name in admin.list_topics(timeout=15).topics if cluster.owns(name)]
    for deleted in admin.delete_topics(ours, operation_timeout=15).values():
        deleted.result(30)
