"""The console under load: many who look, many integrations and dead letters; how long pages take, and its memory."""

import asyncio
import contextlib
import itertools
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Final

import httpx

from connectors.kafka.admin import Admin
from connectors.kafka.cluster import Cluster
from connectors.kafka.producer import publish_now
from pipeline.console.access import new_link
from pipeline.local.broker import BrokerSettings, LocalBroker
from pipeline.local.ports import free_port
from schemas.codec import Codec
from schemas.registry import LocalRegistry
from schemas.topics import CONSOLE
from tests.benchmarks.filling import Filling
from tests.benchmarks.processes import cpu_s, rss_mb
from tests.benchmarks.refusals import fill, name_of, refuse
from tests.benchmarks.throughput import PARTITIONS

VIEWERS: Final = int(os.environ.get("BENCH_CONSOLE_VIEWERS", "20"))
INTEGRATIONS_THERE: Final = int(os.environ.get("BENCH_CONSOLE_INTEGRATIONS", "50"))
LETTERS: Final = int(os.environ.get("BENCH_CONSOLE_LETTERS", "100000"))
LASTS_S: Final = float(os.environ.get("BENCH_CONSOLE_S", "60"))
THINKS_S: Final = 2.0
"""Between two pages of one viewer, on average."""
SAME_ORIGIN: Final = {"sec-fetch-site": "same-origin"}


@dataclass(frozen=True, slots=True)
class Looked:
    """What viewers met: milliseconds by page, sorted; how many refusals; the console's memory and processor time."""

    pages: Mapping[str, list[float]]
    failed: int
    first_s: float  # from its start until letters were shown
    first_cpu_s: float  # that it used until then
    rss_mb: float  # the most
    cores: float  # that it used

    def within(self, percent: int) -> float:
        everything = sorted(itertools.chain.from_iterable(self.pages.values()))
        return quantiles(everything, n=100)[percent - 1]


def looked(folder: Path) -> Looked:
    """Fill a broker, start the console alone, and look at it."""
    with LocalBroker(BrokerSettings(folder / "broker")) as broker:
        cluster = Cluster({"bootstrap.servers": broker.bootstrap_servers}, "console")
        Admin(cluster).apply_topics(PARTITIONS, 1)
        fill(cluster, INTEGRATIONS_THERE, LETTERS)
        port = free_port()
        environment = {
            **os.environ,
            "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "PAIRSTREAM_PREFIX": "console",
            "PAIRSTREAM_PARTITIONS": str(PARTITIONS),
            "PAIRSTREAM_STATE_DIR": str(folder / "state"),
            "PAIRSTREAM_CONSOLE_PORT": str(port),
        }
        with _console(environment, folder) as process:
            return asyncio.run(_look(cluster, f"http://127.0.0.1:{port}", process.pid))


@contextlib.contextmanager
def _console(environment: Mapping[str, str], folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    argv = (sys.executable, "-m", "pipeline.cli", "run", "console")
    with (folder / "console.log").open("wb") as log:
        process = subprocess.Popen(argv, env=dict(environment), stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)


async def _look(cluster: Cluster, url: str, pid: int) -> Looked:
    began = time.monotonic()
    await _until_it_answers(url)
    viewers = await _signed_in(cluster, url)
    await _until_letters_are_shown(viewers[0])
    first_s, first_cpu_s = time.monotonic() - began, cpu_s(pid)
    taken: dict[str, list[float]] = {}
    most, failed, until = [rss_mb(pid)], [0], time.monotonic() + LASTS_S
    cpu_before, looked_from = cpu_s(pid), time.monotonic()

    async def watch() -> None:
        while time.monotonic() < until:
            most.append(rss_mb(pid))
            await asyncio.sleep(0.5)

    async def visit(number: int, client: httpx.AsyncClient) -> None:
        chosen = random.Random(number)
        while time.monotonic() < until:
            await asyncio.sleep(chosen.expovariate(1 / THINKS_S))
            name = name_of(chosen.randrange(INTEGRATIONS_THERE))
            page, path = chosen.choice(_pages(name))
            at = time.monotonic()
            answer = await _opened(client, path)
            taken.setdefault(page, []).append((time.monotonic() - at) * 1000)
            failed[0] += answer.status_code != 200

    visits = [visit(*one) for one in enumerate(viewers)]
    await asyncio.gather(watch(), _more(cluster, until), *visits, *(_stream(one, until) for one in viewers))
    cores = (cpu_s(pid) - cpu_before) / (time.monotonic() - looked_from)
    await asyncio.gather(*(one.aclose() for one in viewers))
    return Looked(taken, failed[0], first_s, first_cpu_s, max(most), cores)


def _pages(name: str) -> list[tuple[str, str]]:
    return [
        ("overview", "/"),
        ("health", f"/i/{name}"),
        ("refused", f"/i/{name}/refused"),
        ("one reason", f"/i/{name}/refused/not_an_option?field=tier"),
        ("full sync", f"/i/{name}/full-sync"),
        ("mappings", f"/i/{name}/mappings"),
        ("road", "/road"),
        ("activity", "/activity"),
    ]


async def _more(cluster: Cluster, until: float) -> None:
    """Letters go on coming, one a second: each makes what is kept of the others old."""
    with Filling(cluster) as filling:
        for number in itertools.count(LETTERS):
            if time.monotonic() > until:
                return
            refuse(filling, INTEGRATIONS_THERE, number, int(time.time() * 1000))
            await asyncio.sleep(1.0)


async def _stream(client: httpx.AsyncClient, until: float) -> None:
    """What a tab that is in view holds open."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(until - time.monotonic()):
            async with client.stream("GET", "/live?of=/", headers={"accept": "text/event-stream"}) as answer:
                async for _ in answer.aiter_raw():
                    pass


async def _until_it_answers(url: str) -> None:
    async with httpx.AsyncClient(base_url=url) as client:
        for _ in range(600):
            with contextlib.suppress(httpx.HTTPError):
                if (await client.get("/health/ready")).status_code == 200:
                    return
            await asyncio.sleep(0.1)
    raise RuntimeError("the console did not answer within a minute")


async def _signed_in(cluster: Cluster, url: str) -> list[httpx.AsyncClient]:
    """A browser of each viewer."""
    now_ms = int(time.time() * 1000)
    links = [new_link("operator", f"viewer-{number}@bench", now_ms) for number in range(VIEWERS)]
    rows = [(CONSOLE, link.key, link.row) for link in links]
    await asyncio.to_thread(publish_now, cluster, Codec(LocalRegistry()), rows)
    return [await _entered(url, link.secret) for link in links]


async def _entered(url: str, secret: str) -> httpx.AsyncClient:
    client = httpx.AsyncClient(base_url=url, timeout=60.0)
    for _ in range(100):
        answer = await client.post("/sign-in", data={"code": secret}, headers=SAME_ORIGIN)
        if answer.status_code == 303:
            return client
        await asyncio.sleep(0.1)  # the console has yet to read the link
    raise RuntimeError(f"nobody is let in: {answer.status_code}")


async def _opened(client: httpx.AsyncClient, path: str) -> httpx.Response:
    """A page; asked for again where the server had just closed an idle connection, as browsers do."""
    try:
        return await client.get(path)
    except httpx.RemoteProtocolError:
        return await client.get(path)


async def _until_letters_are_shown(client: httpx.AsyncClient) -> None:
    for _ in range(300):
        page = (await _opened(client, f"/i/{name_of(0)}/refused")).text
        found = re.search(r"([\d,]+) open", page)
        if found is not None:
            if int(found[1].replace(",", "")) != LETTERS // INTEGRATIONS_THERE:
                raise RuntimeError(f"{found[0]} letters are shown")
            return
        await asyncio.sleep(0.2)
    raise RuntimeError("no letters are shown")


def section(folder: Path) -> str:
    """The section of the page of results."""
    folder.mkdir(parents=True, exist_ok=True)
    found = looked(folder)
    pages = sum(map(len, found.pages.values()))
    lines = [
        f"## The console before {VIEWERS} viewers",
        "",
        f"{INTEGRATIONS_THERE} integrations, {LETTERS:,} dead letters and one more a second. Each viewer holds a",
        f"stream open, and opens a page every {THINKS_S:.0f} s on average, for {LASTS_S:.0f} s; viewers, console and",
        "broker share the machine.",
        "",
        "| page | opened | p50 | p95 | p99 |",
        "|---|---|---|---|---|",
    ]
    for page, taken in sorted(found.pages.items()):
        half, late, most = (quantiles(taken, n=100)[percent - 1] for percent in (50, 95, 99))
        lines.append(f"| {page} | {len(taken)} | {half:.0f} ms | {late:.0f} ms | {most:.0f} ms |")
    half, late, most = (found.within(percent) for percent in (50, 95, 99))
    lines.append(f"| all | {pages} | {half:.0f} ms | {late:.0f} ms | {most:.0f} ms |")
    lines += [
        "",
        f"Memory of the console, at most: {found.rss_mb:.0f} MB; {found.failed} pages were refused. It used "
        f"{found.cores:.2f} of a core, {found.cores * LASTS_S / pages * 1000:.0f} ms a page, streams and looks at the",
        f"brokers among them. Letters were shown {found.first_s:.1f} s after its start, which had used "
        f"{found.first_cpu_s:.1f} s.",
    ]
    return "\n".join(lines) + "\n"
