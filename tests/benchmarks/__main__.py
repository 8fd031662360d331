"""`make bench`: measures, prints, and writes RESULTS.md beside this file."""

import asyncio
import datetime as dt
import os
import platform
import sys
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from pipeline.local.broker import POM
from tests.benchmarks import associated, calls, full_sync, latency, restart, throughput, vitals
from tests.benchmarks.associated import Renamed
from tests.benchmarks.latency import Latency
from tests.benchmarks.results import RESULTS, THREE_BROKERS, section_of, with_section

PACKAGES = ("faust-streaming", "aiokafka", "confluent-kafka", "fastavro", "httpx", "uvicorn")


def main() -> None:
    """Every row, in the order of the page; parts of them with `python -m tests.benchmarks latency bulk ...`."""
    every = {"latency", "bulk", "full-sync", "associated", "calls", "throughput", "state", "vitals"}
    wanted = set(sys.argv[1:]) or every
    sections = []
    with tempfile.TemporaryDirectory(prefix="pairstream-bench-") as folder:
        if "latency" in wanted:
            rows = asyncio.run(latency.idle(Path(folder) / "idle"))
            sections.append(_latencies("Change to visible at idle", rows, f"every {latency.PACE_S:.1f} s"))
        if "bulk" in wanted:
            rows = asyncio.run(latency.under_bulk(Path(folder) / "bulk"))
            title = f"Change to visible while a full sync of {2 * latency.BULK_OBJECTS:,} records is under way"
            sections.append(_latencies(title, rows, f"every {latency.BULK_PACE_S:.1f} s, rate limits lifted"))
        if "full-sync" in wanted:
            sections.append(_full_sync(Path(folder) / "full-sync"))
        if "associated" in wanted:
            sections.append(_associated(Path(folder) / "associated"))
        if "calls" in wanted:
            sections.append(_calls(Path(folder) / "calls"))
    if "throughput" in wanted:
        sections.append(_throughput())
    if "state" in wanted:
        sections.append(_state())
    if "vitals" in wanted:
        sections.append(_vitals())
    if wanted >= every:
        kept = section_of(RESULTS.read_text(), THREE_BROKERS)
        page = "\n".join([_head(), *sections])
        RESULTS.write_text(page if kept is None else with_section(page, kept))
        print(f"written: {RESULTS.name}")  # noqa: T201 - the command's answer


def _latencies(title: str, rows: Mapping[str, Latency], pace: str) -> str:
    lines = [f"## {title}", "", f"One edit {pace}; the simulators answer in 20 ms.", ""]
    lines += ["| direction | edits | p50 | p95 | p99 | lost |", "|---|---|---|---|---|---|"]
    for name, row in rows.items():
        lines.append(f"| {name} | {row.edits} | {row.p50:.0f} ms | {row.p95:.0f} ms | {row.p99:.0f} ms | {row.lost} |")
    return _shown(lines)


def _full_sync(folder: Path) -> str:
    users, contacts = full_sync.USERS, full_sync.USERS * full_sync.CONTACTS_A_USER
    lines = [f"## A full sync of {users:,} users among {contacts:,} contacts, matched by email", ""]
    lines += ["Rate limits lifted; the simulators answer in 20 ms; all pairs are in step already.", ""]
    lines += ["| run | took | reading calls | writes | pairs | equal | memory |", "|---|---|---|---|---|---|---|"]
    for name, run in zip(("first", "second"), asyncio.run(full_sync.cost(folder)), strict=True):
        calls = ", ".join(f"{number:,} {what}" for what, number in sorted(run.calls.items()) if number)
        memory = ", ".join(f"{role} {used:,} MB" for role, used in run.memory_mb.items())
        told = run.told
        pairs = f"{told['pairs']:,} | {told['equal']:,}"
        lines.append(f"| {name}, {told['state']} | {run.took_s:.0f} s | {calls} | {run.writes} | {pairs} | {memory} |")
    return _shown(lines)


def _associated(folder: Path) -> str:
    found = asyncio.run(associated.fan_out(folder))
    lines = ["## A company's new name on its contacts' users", ""]
    lines += ["Userflow takes two requests a user, at most 100 a second; the simulators answer in 20 ms.", ""]
    lines += [
        "| contacts | of them with a user | on the first user after | on all after | users/s |",
        "|---|---|---|---|---|",
    ]
    lines += [_renamed(one) for one in (found.few, found.many)]
    row = found.elsewhere
    lines += ["", "Live edits of other contacts meanwhile, HubSpot to Userflow: "]
    lines[-1] += f"p50 {row.p50:.0f} ms, p95 {row.p95:.0f} ms, p99 {row.p99:.0f} ms, {row.lost} of {row.edits} lost."
    return _shown(lines)


def _calls(folder: Path) -> str:
    found = asyncio.run(calls.costs(folder))
    mixed = f"{calls.MIXED} mixed ones at {calls.MIXED_PER_S:.0f}/s, {calls.LIMIT} requests in ten seconds"
    lines = ["## Calls to HubSpot", ""]
    lines += ["`company.name` is mapped, and no association moves; the simulators answer in 20 ms.", ""]
    lines += ["| edits | took | updates per 1,000 | all calls per 1,000 | fields written | written again |"]
    lines += ["|---|---|---|---|---|---|"]
    for name, one in (("users', at once", found.burst), (mixed, found.mixed)):
        every = one.per_thousand(one.updates + one.reads)
        cost = f"{one.per_thousand(one.updates):.0f} | {every:.0f} | {one.fields:,} | {one.repeated:,}"
        lines.append(f"| {one.edits:,} {name} | {one.seconds:.0f} s | {cost} |")
    lines += [""]
    for name, row in (("Userflow to HubSpot", found.to_hubspot), ("HubSpot to Userflow", found.to_userflow)):
        lines += [f"Mixed, {name}: p50 {row.p50:.0f} ms, p95 {row.p95:.0f} ms, p99 {row.p99:.0f} ms, {row.lost} lost."]
    return _shown(lines)


def _renamed(one: Renamed) -> str:
    rate = one.users / one.all_s
    return f"| {one.contacts:,} | {one.users:,} | {one.first_s * 1000:.0f} ms | {one.all_s:.1f} s | {rate:.0f} |"


def _vitals() -> str:
    lines = ["## What vital signs cost a connector", ""]
    lines += [f"{vitals.INTEGRATIONS} integrations; counting without the record's own cost; figures every 5 s.", ""]
    lines += ["| in memory | a record | figures | bytes | share of a core |", "|---|---|---|---|---|"]
    for one in vitals.costs():
        cost = f"{one.record_us:.1f} µs | {one.figures_ms:.1f} ms | {one.size:,} | {one.core:.2%}"
        lines.append(f"| {one.held:,} records | {cost} |")
    return _shown(lines)


def _throughput() -> str:
    lines = ["## Changes through OBJECTS and PAIRS", ""]
    lines += [f"{throughput.CHANGES:,} changes over {throughput.PAIRS:,} pairs, eight mapped fields each,"]
    lines += [f"{throughput.PARTITIONS} partitions; broker and workers share the machine.", ""]
    lines += ["| what | changes/s | start to first commit |", "|---|---|---|"]
    for number in (1, 2):
        found = throughput.workers(number)
        name = f"{number} worker{'s' if number > 1 else ''}"
        lines.append(f"| {name} | {found.changes_per_s:,.0f} | {found.first_after_s:.1f} s |")
    lines.append(f"| bare loop: confluent-kafka and our codec, no join | {throughput.bare_loop():,.0f} | |")
    return _shown(lines)


def _state() -> str:
    cost = restart.state_cost()
    lines = [f"## The state of {restart.PAIRS:,} pairs in one worker", ""]
    lines += ["Four mapped fields each way; the restart finds a change of each partition waiting.", ""]
    lines += ["| what | |", "|---|---|", f"| worker CPU for 1,000 changes while it fills | {cost.cpu_per_1000:.2f} s |"]
    lines += [f"| memory once filled | {cost.filled_mb:,.0f} MB |"]
    lines += [f"| restart to the first commit | {cost.first_after_s:.1f} s |"]
    lines += [f"| memory after the restart | {cost.restarted_mb:,.0f} MB |"]
    lines += [f"| SIGTERM to the end | {cost.stopped_after_s:.1f} s |"]
    return _shown(lines)


def _shown(lines: list[str]) -> str:
    text = "\n".join(lines) + "\n"
    print(text, flush=True)  # noqa: T201 - the command's answer
    return text


def _head() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    kafka = next(line for line in POM.read_text().splitlines() if line.startswith("  <version>"))
    return "\n".join(
        [
            "# Results",
            "",
            f"Written by `make bench` on {dt.date.today().isoformat()}.",
            "",
            f"- machine: {os.cpu_count()} cores, {_memory_gb():.0f} GB, {platform.machine()}, {platform.system()}",
            f"- Python {platform.python_version()}; {packages}",
            f"- Apache Kafka {kafka.strip().removeprefix('<version>').removesuffix('</version>')}, one local broker",
            "",
        ]
    )


def _memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


if __name__ == "__main__":
    main()
