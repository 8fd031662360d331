"""The receiver under a flood: strangers neither delay what is signed nor fill the memory."""

import asyncio
import json
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from connectors.kafka.admin import Admin
from connectors.kafka.cluster import Cluster
from connectors.kafka.producer import Publisher
from pipeline.local.ports import free_port
from pipeline.secrets import SecretBox, make_key
from schemas.codec import Codec
from schemas.configuration import (
    SIGNING,
    ConnectorState,
    IntegrationPart,
    IntegrationSettings,
    SystemSettings,
    secret_place,
)
from schemas.registry import LocalRegistry
from schemas.topics import INTEGRATIONS
from tests.integration.flood import REQUESTS, SECONDS, with_body
from tests.kafka import Kafka
from tests.unit.connectors.receiver.receiving import signed, userflow_signature

PER_S = 50
CONNECTIONS = 10
ANSWERED_WITHIN_S = 1.0
GROWN_BY_BYTES = 100_000_000
READY_S = 60.0
APP_SECRET, SUBSCRIPTION_SECRET = "the app's secret", "the subscription's secret"
PUBLIC_URL = "https://sync.acme.com"


@dataclass
class Running:
    """A receiver in a process of its own."""

    port: int
    pid: int

    @property
    def resident_bytes(self) -> int:
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


@asynccontextmanager
async def receiver(kafka: Kafka, folder: Path) -> AsyncIterator[Running]:
    cluster, key, port = Cluster({"bootstrap.servers": kafka.bootstrap_servers}), make_key(), free_port()
    Admin(cluster).apply_topics(4, 1)
    await _configure(cluster, SecretBox([key]))
    environment = {
        **os.environ,
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "PAIRSTREAM_SECRET_KEY": key,
        "PAIRSTREAM_RECEIVER_PORT": str(port),
        "PAIRSTREAM_PUBLIC_URL": PUBLIC_URL,
        "PAIRSTREAM_STATE_DIR": str(folder),
    }
    log = (folder / "receiver.log").open("wb")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pipeline.cli", "run", "receiver", env=environment, stdout=log, stderr=log
    )
    try:
        await _ready(port)
        yield Running(port, process.pid)
    finally:
        process.terminate()
        await process.wait()
        log.close()


async def _configure(cluster: Cluster, box: SecretBox) -> None:
    app_secret = box.seal(APP_SECRET, secret_place("acme", "hubspot", "app_secret"))
    signing = box.seal(SUBSCRIPTION_SECRET, secret_place("acme", "userflow", SIGNING))
    hubspot = SystemSettings("62515", secrets={"app_secret": app_secret})
    userflow = SystemSettings("production")
    settings = IntegrationSettings(1, 1, 1, "active", "a1", "done", None, "", hubspot, userflow)
    state = ConnectorState(1, 1, 1, "ok", webhook_secret=signing)
    publisher = Publisher(cluster, Codec(LocalRegistry()))
    await publisher.send(INTEGRATIONS, "acme/settings", IntegrationPart("acme", settings=settings))
    await publisher.send(INTEGRATIONS, "acme/userflow", IntegrationPart("acme", connector=state))
    await publisher.close()


async def _ready(port: int) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client, asyncio.timeout(READY_S):
        while True:
            try:
                if (await client.get("/health")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)


@dataclass
class Vendors:
    """Sends signed webhooks of both vendors evenly by kept connections, and notes how each was answered."""

    port: int
    statuses: Counter[str] = field(default_factory=Counter)
    took_s: list[float] = field(default_factory=list)

    async def send(self, seconds: float) -> None:
        loop, due, started = asyncio.get_running_loop(), asyncio.Queue[int](), time.perf_counter()
        connections = [asyncio.create_task(self._connection(due, started)) for _ in range(CONNECTIONS)]
        first = loop.time()
        for number in range(int(seconds * PER_S)):
            await asyncio.sleep(max(0.0, first + number / PER_S - loop.time()))
            due.put_nowait(number)
        await due.join()
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _connection(self, due: "asyncio.Queue[int]", started: float) -> None:
        """One request after another; from when each was due to its answer counts, with what it waited here."""
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        try:
            while True:
                number = await due.get()
                try:
                    streams = streams or await asyncio.open_connection("127.0.0.1", self.port)
                    streams[1].write(_hubspot(number) if number % 2 else _userflow(number))
                    self.statuses[await _status(streams[0])] += 1
                except (OSError, EOFError) as error:
                    self.statuses[type(error).__name__] += 1
                    _close(streams)
                    streams = None
                self.took_s.append(time.perf_counter() - started - number / PER_S)
                due.task_done()
        finally:
            _close(streams)


def _close(streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None) -> None:
    if streams:
        streams[1].close()


async def _status(reader: asyncio.StreamReader) -> str:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = next(line for line in head.splitlines() if line.startswith("content-length:"))
    await reader.readexactly(int(length.partition(":")[2]))
    return head.split()[1]


def _hubspot(number: int) -> bytes:
    event = {"portalId": 62515, "objectId": number, "subscriptionType": "contact.creation"}
    body, url = json.dumps([event]).encode(), f"{PUBLIC_URL}/webhooks/hubspot"
    headers = signed(body, secret=APP_SECRET, url=url, timestamp_ms=time.time_ns() // 1_000_000)
    return with_body(body, *(f"{name}: {value}" for name, value in headers.items()))


def _userflow(number: int) -> bytes:
    body = json.dumps({"id": f"n-{number}", "topic": "user.updated"}).encode()
    signature = userflow_signature(SUBSCRIPTION_SECRET, body, int(time.time()))
    return with_body(body, f"Userflow-Signature: {signature}", path="/webhooks/userflow/acme")


async def _largest(running: Running, done: asyncio.Event) -> int:
    largest = running.resident_bytes
    while not done.is_set():
        largest = max(largest, running.resident_bytes)
        await asyncio.sleep(0.2)
    return largest


@pytest.mark.by_hand
async def test_what_is_signed_is_answered_at_once_in_a_flood(kafka: Kafka, tmp_path: Path) -> None:
    async with receiver(kafka, tmp_path) as running:
        warm = Vendors(running.port)
        await warm.send(5)
        before, done, vendors = running.resident_bytes, asyncio.Event(), Vendors(running.port)
        watching = asyncio.create_task(_largest(running, done))

        attack = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.integration.flood", str(running.port), stdout=asyncio.subprocess.PIPE
        )
        await vendors.send(SECONDS)
        output, _ = await attack.communicate()
        done.set()
        most, after = await watching, running.resident_bytes

    ends: dict[str, int] = json.loads(output)
    seconds = ends.pop("seconds")
    took = sorted(vendors.took_s)
    report = {
        "signed": dict(vendors.statuses),
        "slowest_ms": round(took[-1] * 1000),
        "p99_ms": round(took[len(took) * 99 // 100] * 1000),
        "p50_ms": round(took[len(took) // 2] * 1000),
        "hostile": sum(ends.values()),
        "hostile_s": seconds,
        "rss_before_mb": before // 10**6,
        "rss_most_mb": most // 10**6,
        "rss_after_mb": after // 10**6,
    }
    print(json.dumps(report), json.dumps(ends, indent=1))  # noqa: T201 - the numbers that a release tells
    assert sum(ends.values()) == REQUESTS
    assert vendors.statuses == {"200": int(SECONDS * PER_S)}, report
    assert took[-1] < ANSWERED_WITHIN_S, report
    assert most - before < GROWN_BY_BYTES, report
    assert not [name for name in ends if name.endswith("should have")], ends
