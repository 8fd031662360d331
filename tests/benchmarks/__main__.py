"""`make bench`: measures, prints, and writes RESULTS.md beside this file."""

import asyncio
import datetime as dt
import os
import platform
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Final

from pipeline.local.broker import POM
from schemas.codec import CODEC
from tests.benchmarks import (
    associated,
    calls,
    commands,
    console,
    explaining,
    full_sync,
    growth,
    latency,
    preview,
    replay,
    restart,
    side_by_side,
    stages,
    stored_state,
    sync_rate,
    throughput,
    vitals,
)
from tests.benchmarks.associated import Renamed
from tests.benchmarks.latency import Latency
from tests.benchmarks.pictures import Chart, drawn
from tests.benchmarks.processes import load
from tests.benchmarks.results import KEPT, RESULTS, section_of, with_section
from tests.benchmarks.throughput import PARTITIONS

MEASURED: Final = Path(__file__).parents[2] / "build" / "bench"
"""What was measured of a run of `make bench` that has not ended yet."""

TURNS: Final = 3
PACKAGES = ("faust-streaming", "aiokafka", "confluent-kafka", "fastavro", "httpx", "uvicorn")


def main() -> None:
    """Every row, or those that are named, each taking its place on the page: `python -m tests.benchmarks growth ...`.

    Each is kept as it is measured, and what was measured is not measured again: a run that was cut off goes on.
    """
    wanted = [name for name in SECTIONS if name in sys.argv[1:]] or list(SECTIONS)
    MEASURED.mkdir(parents=True, exist_ok=True)
    for name in wanted:
        place = MEASURED / f"{name}.md"
        if place.exists() and not sys.argv[1:]:
            continue
        before = load()
        with tempfile.TemporaryDirectory(prefix="pairstream-bench-") as folder:
            section = SECTIONS[name](Path(folder) / name)
        today = dt.date.today().isoformat()
        section += f"\nMeasured on {today}; the machine's load was {before:.1f} before and {load():.1f} after.\n"
        print(section, flush=True)  # noqa: T201 - the command's answer
        if sys.argv[1:]:
            RESULTS.write_text(with_section(RESULTS.read_text(), section))
        else:
            place.write_text(section)
    if not sys.argv[1:]:
        _write()


def _write() -> None:
    """The page of what was measured; the next run measures anew."""
    page = "\n".join([_head(), *((MEASURED / f"{name}.md").read_text() for name in SECTIONS)])
    before = RESULTS.read_text()
    for kept in (section_of(before, title) for title in KEPT):
        page = page if kept is None else with_section(page, kept)
    RESULTS.write_text(page)
    shutil.rmtree(MEASURED)
    print(f"written: {RESULTS.name}")  # noqa: T201 - the command's answer


def _idle(folder: Path) -> str:
    rows = asyncio.run(latency.idle(folder))
    return _latencies("latency-idle", "Change to visible at idle", rows, f"every {latency.PACE_S:.1f} s")


def _growth(_: Path) -> str:
    found = growth.growth()
    lines = ["## How the cost of one change grows", ""]
    lines += ["One field of many changed; both agents: decode, decide, encode, without Kafka's own work.", ""]
    lines += ["| what grows | number: µs of CPU |", "|---|---|"]
    for what, costs in found.items():
        lines.append(f"| {what} | {', '.join(f'{number}: {cost:,.0f}' for number, cost in costs.items())} |")
    charts = [
        Chart(f"growth-by-{what.split()[0]}", f"CPU of one change by {what}", what, "µs", {"both agents": costs})
        for what, costs in found.items()
    ]
    return _text([*lines, *drawn(charts)])


def _bulk(folder: Path) -> str:
    rows = asyncio.run(latency.under_bulk(folder))
    title = f"Change to visible while a full sync of {2 * latency.BULK_OBJECTS:,} records is under way"
    return _latencies("latency-bulk", title, rows, f"every {latency.BULK_PACE_S:.1f} s, rate limits lifted")


def _limited(folder: Path) -> str:
    rows = asyncio.run(latency.under_bulk(folder, sync_rate.LIMIT))
    title = f"Change to visible while a full sync writes, HubSpot taking {sync_rate.LIMIT} requests in ten seconds"
    return _latencies(
        "latency-limited", title, rows, f"every {latency.BULK_PACE_S:.1f} s; no request was refused for its rate"
    )


def _sync(folder: Path) -> str:
    found = asyncio.run(sync_rate.rates(folder))
    lines = [f"## How fast a full sync of {sync_rate.PAIRS:,} pairs is", ""]
    lines += [
        "Objects of both sides; rate limits lifted where nothing is written; the simulators answer in 20 ms.",
        "",
    ]
    lines += [
        "| pairs | took | objects/s | written | requests to HubSpot | of its limit | load | CPU an object | CPU |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for one in found.runs:
        share = f"{one.share_of_limit:.0%} of {sync_rate.LIMIT} in ten seconds"
        rate = f"{one.took_s:.1f} s | {one.objects_per_s:,.0f} | {one.written:,} | {one.requests} | {share}"
        lines.append(f"| {one.name} | {rate} | {one.load:.1f} | {one.cpu_ms:.2f} ms | {one.used.told()} |")
    lines += ["", "Live edits while one full sync after the other ran:", ""]
    for name, row in (("Userflow to HubSpot", found.to_hubspot), ("HubSpot to Userflow", found.to_userflow)):
        lines.append(f"- {name}: p50 {row.p50:.0f} ms, p95 {row.p95:.0f} ms, p99 {row.p99:.0f} ms, {row.lost} lost")
    return _text(lines)


def _rivals(_: Path) -> str:
    found = side_by_side.turns(TURNS, MEASURED / "rivals.json")
    lines = ["## The same join by others", ""]
    lines += [
        f"{side_by_side.CHANGES:,} changes over {side_by_side.PAIRS:,} pairs, eight fields, {PARTITIONS} partitions,"
    ]
    lines += ["Avro in and out, one repartition, a changelog; CPU seconds for each 1,000 changes.", ""]
    lines += [
        "| program | changes/s, run by run | median | Pairstream to it | CPU | the broker's | load |",
        "|---|---|---|---|---|---|---|",
    ]
    ours = median(one.changes_per_s for one in next(iter(found.values())))
    for name, runs in found.items():
        rates = " / ".join(f"{one.changes_per_s:,.0f}" for one in runs)
        middle = median(one.changes_per_s for one in runs)
        cpu, broker = median(one.cpu_per_1000 for one in runs), median(one.broker_cpu_per_1000 for one in runs)
        loads = " / ".join(f"{one.load:.1f}" for one in runs)
        cost = f"{cpu:.2f} s | {broker:.2f} s | {loads}"
        lines.append(f"| {name} | {rates} | {middle:,.0f} | {ours / middle:.2f} | {cost} |")
    return _text(lines)


def _stored(_: Path) -> str:
    lines = ["## State that is there already", ""]
    lines += ["Four mapped fields each way; memory after 20,000 more changes.", ""]
    lines += ["| pairs | workers | rows in | start to first commit | to the last partition's | memory of each |"]
    lines += ["|---|---|---|---|---|---|"]
    for pairs, workers, store in ((100_000, 1, "memory"), (500_000, 2, "rocksdict")):
        one = stored_state.started(pairs, workers, store)
        memory = ", ".join(f"{used:,.0f} MB" for used in one.rss_mb)
        lines.append(
            f"| {pairs:,} | {workers} | {store} | {one.first_after_s:.1f} s | {one.all_after_s:.1f} s | {memory} |"
        )
    found = stored_state.arrival(100_000)
    lines += [
        "",
        f"A second worker joins one that has 100,000 pairs, {stored_state.LIVE_PER_S:.0f} live changes a second:",
    ]
    lines += [
        f"the longest wait was {found.longest_s:.1f} s, before {found.longest_before_s:.1f} s; {found.lost} lost."
    ]
    return _text(lines)


def _latencies(picture: str, title: str, rows: Mapping[str, Latency], pace: str) -> str:
    lines = [f"## {title}", "", f"One edit {pace}; the simulators answer in 20 ms.", ""]
    lines += ["| direction | edits | p50 | p95 | p99 | lost |", "|---|---|---|---|---|---|"]
    for name, row in rows.items():
        lines.append(f"| {name} | {row.edits} | {row.p50:.0f} ms | {row.p95:.0f} ms | {row.p99:.0f} ms | {row.lost} |")
    by_percent = {name: {50: row.p50, 95: row.p95, 99: row.p99} for name, row in rows.items()}
    return _text([*lines, *drawn([Chart(picture, title, "percent of edits", "ms", by_percent)])])


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
    return _text(lines)


def _preview(folder: Path) -> str:
    found = asyncio.run(preview.preview(folder))
    contacts = preview.USERS * preview.CONTACTS_A_USER
    lines = [f"## A review of {preview.USERS:,} users among {contacts:,} contacts, and what is then written", ""]
    lines += ["A target gets another name; rate limits lifted, the simulators answer in 20 ms.", ""]
    lines += ["| figure | counted beforehand | of the full sync |", "|---|---|---|"]
    lines += [f"| {name} | {number:,} | {found.written[name]:,} |" for name, number in found.foreseen.items()]
    lines += ["", f"One count took {found.took_s:.1f} s, its process and questions to both systems with it."]
    told = f"live edits, HubSpot to Userflow, in {preview.TURNS} turns each"
    lines += ["", f"| {told} | p50 | p95 | p99 | lost |", "|---|---|---|---|---|"]
    for name, row in (("nothing is counted", found.quiet), (f"beside {found.counts} counts", found.beside)):
        lines.append(f"| {name} | {row.p50:.0f} ms | {row.p95:.0f} ms | {row.p99:.0f} ms | {row.lost} of {row.edits} |")
    return _text(lines)


def _replay(folder: Path) -> str:
    found = asyncio.run(replay.in_step(folder))
    lines = [f"## A replay of {found.records:,} retained changes of pairs in step", ""]
    lines += ["`replay run`, cut off by Ctrl-C and resumed; then once more beside live edits, one every ", ""]
    lines[-2] += f"{replay.LIVE_PACE_S:.1f} s, rate limits lifted; the simulators answer in 20 ms."
    lines += ["| records | cut off after | rate of the rest | writes planned | writes in the vendors' request logs |"]
    lines += ["|---|---|---|---|---|"]
    told = f"{found.records:,} | {found.cut_off_at:,} | {found.rate:,.0f} records/s | {found.planned} | {found.written}"
    lines += [f"| {told} |", ""]
    lines += ["| live meanwhile | edits | p50 | p95 | p99 | lost |", "|---|---|---|---|---|---|"]
    for name, row in found.live.items():
        lines.append(f"| {name} | {row.edits} | {row.p50:.0f} ms | {row.p95:.0f} ms | {row.p99:.0f} ms | {row.lost} |")
    return _text(lines)


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
    return _text(lines)


def _calls(folder: Path) -> str:
    found = asyncio.run(calls.costs(folder))
    mixed = f"mixed ones at {calls.MIXED_PER_S:.0f}/s, {calls.LIMIT} requests in ten seconds"
    lines = ["## Calls to HubSpot", ""]
    lines += ["`company.name` is mapped, and no association moves; the simulators answer in 20 ms.", ""]
    lines += ["| edits | took | updates per 1,000 | all calls per 1,000 | fields written | written again |"]
    lines += ["|---|---|---|---|---|---|"]
    for name, one in (("users', at once", found.burst), (mixed, found.mixed)):
        every = one.per_thousand(one.updates + one.reads)
        cost = f"{one.per_thousand(one.updates):.0f} | {every:.0f} | {one.fields:,} | {one.repeated:,}"
        lines.append(f"| {one.edits:,} {name} | {one.seconds:.0f} s | {cost} |")
    for name, one in (("Burst", found.burst), ("Mixed", found.mixed)):
        lines += ["", f"{name}: {', '.join(f'{calls} {kind}' for kind, calls in one.kinds.items())}."]
    lines += [""]
    for name, row in (("Userflow to HubSpot", found.to_hubspot), ("HubSpot to Userflow", found.to_userflow)):
        lines += [f"Mixed, {name}: p50 {row.p50:.0f} ms, p95 {row.p95:.0f} ms, p99 {row.p99:.0f} ms, {row.lost} lost."]
    return _text(lines)


def _renamed(one: Renamed) -> str:
    rate = one.users / one.all_s
    return f"| {one.contacts:,} | {one.users:,} | {one.first_s * 1000:.0f} ms | {one.all_s:.1f} s | {rate:.0f} |"


def _explain(folder: Path) -> str:
    lines = ["## `pairstream explain`", ""]
    lines += [f"Half of them contacts, half users, in pairs; {PARTITIONS} partitions; medians of {explaining.TIMES},"]
    lines += ["from the call to its end; the last columns are of a command that reads nothing.", ""]
    heads = ("objects", "the one that changed last", "the one that changed first", "its CPU", "one never seen")
    lines += [f"| {' | '.join((*heads, 'start alone', 'its CPU'))} |", f"{'|---' * (len(heads) + 2)}|"]
    for one in explaining.explaining(folder):
        took = (one.newest_s, one.oldest_s, one.oldest_cpu_s, one.never_s, one.start_s, one.start_cpu_s)
        lines.append(f"| {one.objects:,} | {' | '.join(f'{each:.2f} s' for each in took)} |")
    return _text(lines)


def _vitals(_: Path) -> str:
    lines = ["## What vital signs cost a connector", ""]
    lines += [f"{vitals.INTEGRATIONS} integrations; counting without the record's own cost; figures every 5 s.", ""]
    lines += ["| in memory | a record | figures | bytes | share of a core |", "|---|---|---|---|---|"]
    for one in vitals.costs():
        cost = f"{one.record_us:.1f} µs | {one.figures_ms:.1f} ms | {one.size:,} | {one.core:.2%}"
        lines.append(f"| {one.held:,} records | {cost} |")
    return _text(lines)


def _throughput(_: Path) -> str:
    lines = ["## Changes through OBJECTS and PAIRS", ""]
    lines += [f"{throughput.CHANGES:,} changes over {throughput.PAIRS:,} pairs, eight mapped fields each,"]
    lines += [f"{throughput.PARTITIONS} partitions; broker and workers share the machine.", ""]
    lines += ["| what | changes/s | start to first commit |", "|---|---|---|"]
    for number in (1, 2):
        found = throughput.workers(number)
        name = f"{number} worker{'s' if number > 1 else ''}"
        lines.append(f"| {name} | {found.changes_per_s:,.0f} | {found.first_after_s:.1f} s |")
    lines.append(f"| bare loop: confluent-kafka and our codec, no join | {throughput.bare_loop():,.0f} | |")
    return _text(lines)


def _state(_: Path) -> str:
    cost = restart.state_cost()
    lines = [f"## The state of {restart.PAIRS:,} pairs in one worker", ""]
    lines += ["Four mapped fields each way; the restart finds a change of each partition waiting.", ""]
    lines += ["| what | |", "|---|---|", f"| worker CPU for 1,000 changes while it fills | {cost.cpu_per_1000:.2f} s |"]
    lines += [f"| memory once filled | {cost.filled_mb:,.0f} MB |"]
    lines += [f"| restart to the first commit | {cost.first_after_s:.1f} s |"]
    lines += [f"| memory after the restart | {cost.restarted_mb:,.0f} MB |"]
    lines += [f"| SIGTERM to the end | {cost.stopped_after_s:.1f} s |"]
    return _text(lines)


def _text(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"


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
            f"- Python {platform.python_version()}, {_build()}; codec {CODEC}; {packages}",
            f"- Apache Kafka {kafka.strip().removeprefix('<version>').removesuffix('</version>')}, one local broker",
            "",
        ]
    )


def _build() -> str:
    """Whether this Python was built with optimisation: it is 8 to 47 % faster then."""
    optimised = "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "")
    return "built with optimisation" if optimised else "built without optimisation"


def _memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


SECTIONS: Final[Mapping[str, Callable[[Path], str]]] = {
    "latency": _idle,
    "bulk": _bulk,
    "limited": _limited,
    "sync": _sync,
    "full-sync": _full_sync,
    "growth": _growth,
    "associated": _associated,
    "preview": _preview,
    "calls": _calls,
    "throughput": _throughput,
    "replay": _replay,
    "rivals": _rivals,
    "state": _state,
    "stored": _stored,
    "explain": _explain,
    "vitals": _vitals,
    "stages": stages.section,
    "console": console.section,
    "commands": commands.section,
}


if __name__ == "__main__":
    main()
