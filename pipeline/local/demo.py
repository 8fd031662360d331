"""The demo: 200 contacts and 150 users, 100 of them in both; paired, edited on both sides, timed and checked."""

import asyncio
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

import click

from pipeline.local.control import SimulatorControl
from pipeline.local.seed_file import shipped
from pipeline.local.stack import Seeds, Stack, machine
from pipeline.local.welcome import demo_file, simulated

CONTACTS: Final = 200
USERS: Final = 150
PAIRED: Final = 100
EDITS: Final = 40
PACE_S: Final = 0.3
CONVERGED_S: Final = 60.0
VISIBLE_S: Final = 10.0
WRONG: Final = 1
TITLE: Final = "hubspot_contact_jobtitle"
PLAN: Final = "userflow_user_plan"


@dataclass(frozen=True, slots=True)
class DemoStage:
    """The running demo, and where a person works in it."""

    machine: Stack
    hubspot: SimulatorControl
    userflow: SimulatorControl


def run_demo(environment: Mapping[str, str]) -> int:
    """Returns the exit code: 0 only if every value is right in the end."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="pairstream-demo-") as name:
        folder = Path(name)
        click.echo("starting Apache Kafka, both simulators and every role on this machine ...")
        own = {
            **simulated(environment),
            "PAIRSTREAM_STATE_DIR": str(folder / "state"),
            "PAIRSTREAM_RECEIVER_PORT": "0",
            "PAIRSTREAM_CONSOLE_PORT": "0",
        }
        with machine(own, simulators=True, seeds=Seeds(shipped("hubspot"), shipped("userflow"))) as running:
            click.echo(f"ready after {time.monotonic() - started:.1f} s")
            wrong = asyncio.run(_story(running))
    click.echo(f"the whole demo took {time.monotonic() - started:.0f} s")
    return WRONG if wrong else 0


async def _story(running: Stack) -> bool:
    where = running.endpoints
    async with AsyncExitStack() as stack:
        hubspot = await stack.enter_async_context(SimulatorControl("hubspot", where.hubspot_simulator_url or ""))
        userflow = await stack.enter_async_context(SimulatorControl("userflow", where.userflow_simulator_url or ""))
        stage = DemoStage(running, hubspot, userflow)
        await _command(stage, "apply", str(demo_file()), "--yes")
        await _first_pairing(stage)
        pairs = await _pairs(stage)
        to_userflow = await _edits("HubSpot edit -> Userflow", [_title_edit(stage, *pair) for pair in pairs[:EDITS]])
        to_hubspot = await _edits("Userflow edit -> HubSpot", [_plan_edit(stage, *pair) for pair in pairs[-EDITS:]])
        _table({"HubSpot -> Userflow": to_userflow, "Userflow -> HubSpot": to_hubspot})
        return await _check(stage, len(to_userflow) + len(to_hubspot) == 2 * EDITS)


async def _command(stage: DemoStage, *words: str) -> None:
    click.echo(f"$ pairstream {' '.join(Path(word).name if '/' in word else word for word in words)}")
    argv = (sys.executable, "-m", "pipeline.cli", *words)
    done = await asyncio.to_thread(
        subprocess.run,
        argv,
        env={**os.environ, **stage.machine.environment},
        stdin=subprocess.DEVNULL,  # on a terminal it would ask, where nobody sees the question
        capture_output=True,
        text=True,
    )
    # what it is about to do is told on stderr, before what it did
    click.echo("".join(f"  {line}\n" for line in (done.stderr + done.stdout).splitlines()), nl=False)
    if done.returncode != 0:
        raise SystemExit(done.returncode)


async def _first_pairing(stage: DemoStage) -> None:
    await _command(stage, "full-sync", "start", "demo")
    started = time.monotonic()
    while len(left := await _out_of_step(stage)) > 0:
        if time.monotonic() - started > CONVERGED_S:
            click.echo(f"{len(left)} of {PAIRED} pairs are not in step after {CONVERGED_S:.0f} s")
            raise SystemExit(WRONG)
        await asyncio.sleep(0.2)
    click.echo(f"{PAIRED} pairs in step after {time.monotonic() - started:.1f} s")


async def _pairs(stage: DemoStage) -> list[tuple[str, str]]:
    """Contact id and user id of every pair, in a shuffled order."""
    contacts, users = await stage.hubspot.objects("contacts"), await stage.userflow.objects("users")
    by_email = {fields["email"]: user_id for user_id, fields in users.items()}
    found = [
        (contact, by_email[fields["email"]]) for contact, fields in contacts.items() if fields["email"] in by_email
    ]
    random.Random(1).shuffle(found)
    return found


async def _out_of_step(stage: DemoStage) -> list[str]:
    """Every mapped field of every pair that does not equal its owner's."""
    contacts, users = await stage.hubspot.objects("contacts"), await stage.userflow.objects("users")
    by_email = {fields["email"]: fields for fields in users.values()}
    wrong = []
    for contact_id, contact in contacts.items():
        user = by_email.get(contact["email"])
        if user is None:
            continue
        if user.get(TITLE) != contact.get("jobtitle"):
            wrong.append(f"contact {contact_id}: jobtitle")
        if contact.get(PLAN) != user.get("plan"):
            wrong.append(f"contact {contact_id}: plan")
    return wrong


@dataclass(frozen=True, slots=True)
class DemoEdit:
    """One edit, and how to see that it has arrived."""

    make: Callable[[], Awaitable[None]]
    arrived: Callable[[], Awaitable[bool]]


def _title_edit(stage: DemoStage, contact: str, user: str) -> DemoEdit:
    title = f"new title {contact}"

    async def arrived() -> bool:
        return bool((await stage.userflow.fields("users", user)).get(TITLE) == title)

    return DemoEdit(lambda: stage.hubspot.edit("contacts", contact, {"jobtitle": title}), arrived)


def _plan_edit(stage: DemoStage, contact: str, user: str) -> DemoEdit:
    plan = f"new plan {user}"

    async def arrived() -> bool:
        return bool((await stage.hubspot.fields("contacts", contact)).get(PLAN) == plan)

    return DemoEdit(lambda: stage.userflow.edit("users", user, {"plan": plan}), arrived)


async def _edits(what: str, edits: list[DemoEdit]) -> list[float]:
    """Seconds each edit took to become visible on the other side; those that did not arrive are left out."""
    click.echo(f"{what}: {len(edits)} edits, one every {PACE_S} s")
    watches = []
    for edit in edits:
        watches.append(asyncio.create_task(_timed(edit)))
        await asyncio.sleep(PACE_S)
    taken = await asyncio.gather(*watches)
    click.echo("  " + " ".join("lost" if seconds is None else f"{seconds * 1000:.0f}" for seconds in taken) + " ms")
    return [seconds for seconds in taken if seconds is not None]


async def _timed(edit: DemoEdit) -> float | None:
    await edit.make()
    started = time.monotonic()
    while not await edit.arrived():
        if time.monotonic() - started > VISIBLE_S:
            return None
        await asyncio.sleep(0.005)
    return time.monotonic() - started


def _table(rows: Mapping[str, list[float]]) -> None:
    click.echo(f"{'change visible after':<24}{'p50':>9}{'p95':>9}{'p99':>9}")
    for name, seconds in rows.items():
        cuts: list[Any] = quantiles(seconds, n=100, method="inclusive") if len(seconds) > 1 else [float("nan")] * 99
        click.echo(f"{name:<24}" + "".join(f"{cuts[number - 1] * 1000:>6.0f} ms" for number in (50, 95, 99)))


async def _check(stage: DemoStage, all_arrived: bool) -> bool:
    """Look at both stores once more; returns whether anything is wrong."""
    wrong = await _out_of_step(stage)
    for line in wrong[:10]:
        click.echo(f"WRONG {line}")
    counts = len(await stage.hubspot.objects("contacts")), len(await stage.userflow.objects("users"))
    created = counts != (CONTACTS, USERS)
    click.echo(f"{counts[0]} contacts and {counts[1]} users, as before" if not created else f"WRONG number: {counts}")
    if not all_arrived:
        click.echo("WRONG some edits did not arrive")
    return bool(wrong) or created or not all_arrived
