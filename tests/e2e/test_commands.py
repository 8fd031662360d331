"""The commands of a running installation: one object each, wrong words told, and no word where nobody reads on."""

import asyncio
import json
import os
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
import pytest_asyncio

from pipeline.exit_codes import MISTYPED, READER_GONE, REFUSED
from tests.e2e.world import PLAN, World, world
from tests.kafka import Kafka

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.long]  # a process for each of some forty lines

REFUSES: Final = {"action": "refuse_property", "property": PLAN, "code": "INVALID_OPTION"}
PAIRS: Final = 3
READING: Final = (
    "audit",
    "dead-letters list --all",
    "dead-letters list --format json",
    "doctor --probe-within 0s",
    "explain hubspot contacts {contact}",
    "export acme",
    "full-sync history acme",
    "full-sync status",
    "full-sync watch acme",
    "integration list",
    "integration show acme",
    "lag",
    "lag --partitions",
    "replay plan acme",
    "topics check",
    "topics read hubspot.changes",
)
CHANGING: Final = (
    "apply {file} --dry-run",
    "dead-letters redrive --reason invalid_option --dry-run",
    "erase hubspot contacts {contact} --dry-run",
    "full-sync start acme --dry-run",
    "full-sync start --dry-run",
    "integration disconnect acme --dry-run",
    "integration pause acme --dry-run",
    "integration pause acme",
    "integration resume acme",
    "replay run acme --dry-run",
    "replay run acme --object hubspot contacts 4242 --yes",
    "secrets rotate --dry-run",
    "secrets rotate",
    "topics apply --dry-run",
    "topics apply",
    "console sign-out",
)
WRONG: Final = (
    ("audit --action aply", MISTYPED, "Did you mean apply?"),
    ("audit acne", REFUSED, "there are: acme"),
    ("dead-letters list --reason invalid_options", MISTYPED, "Did you mean invalid_option?"),
    ("dead-letters list --stage hubspot.sinks", MISTYPED, "Did you mean hubspot.sink?"),
    ("dead-letters list --run 1", REFUSED, "no full sync or replay 1"),
    ("dead-letters redrive --run 1 --yes", REFUSED, "no full sync or replay 1"),
    ("dead-letters list --integration acne", REFUSED, "there are: acme"),
    ("full-sync start acme --mapping x", REFUSED, "there are: contacts-users"),
    ("integration forget acme", REFUSED, "integration disconnect acme"),
    ("lag --partitions --group x", REFUSED, "there are: pairstream-"),
    ("replay plan acme --mapping x", REFUSED, "there are: contacts-users"),
    ("topics read hubspot.change", REFUSED, "there are: "),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def it(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A few pairs, and a letter for each."""
    async with world(tmp_path_factory.mktemp("commands"), kafka) as running:
        await running.hubspot.add_faults(REFUSES)
        for number in range(PAIRS):
            await running.pair(number)
        await running.apply()
        await running.full_sync()
        yield running


def words(it: World, line: str) -> list[str]:
    contact = next(iter(it.made))
    return shlex.split(line.format(contact=contact, file=it.folder / "integration.yaml"))


@pytest.mark.parametrize("line", [*READING, *CHANGING])
async def test_for_scripts_there_is_one_object(it: World, line: str) -> None:
    shape = [] if "--format" in line else ["--format", "json"]
    expect = None if line.startswith(("doctor", "replay plan")) else 0  # what is wrong, or would change, has codes
    told = await it.answer(*words(it, line), *shape, expect=0) if expect == 0 else (await _any(it, line, *shape))
    answer: dict[str, Any] = json.loads(told)
    assert answer and isinstance(answer, dict)
    if "--dry-run" in line and "done" in answer:
        assert (answer["dry_run"], answer["done"]) == (True, False)


async def _any(it: World, line: str, *more: str) -> str:
    done = await asyncio.to_thread(_run, it, [*words(it, line), *more], subprocess.PIPE)
    return done.stdout.decode()


def _run(it: World, argv: list[str], stdout: int) -> "subprocess.CompletedProcess[bytes]":
    whole, environment = [sys.executable, "-m", "pipeline.cli", *argv], it.machine.environment
    return subprocess.run(
        whole, env=environment, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, timeout=60, check=False
    )


@pytest.mark.parametrize("line", READING)
async def test_a_command_whose_reader_is_gone_ends_as_unix_tools_do(it: World, line: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = await asyncio.to_thread(_run, it, words(it, line), writing)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (READER_GONE, b"")


@pytest.mark.parametrize(("line", "code", "told"), WRONG)
async def test_a_word_that_nothing_has_is_told(it: World, line: str, code: int, told: str) -> None:
    assert told in " ".join((await it.command(*words(it, line), expect=code)).split())


async def test_letters_of_a_run_are_those_that_it_refused(it: World) -> None:
    status = json.loads(await it.answer("full-sync", "status", "acme", "--format", "json"))
    told = json.loads(await it.answer("dead-letters", "list", "--run", status["run"], "--format", "json"))
    assert (told["looked_at"], told["older"]) == (PAIRS, 0)
    assert 0 < told["total"] <= PAIRS  # a webhook that is sent again may have been refused before the run
    newest = json.loads(await it.answer("dead-letters", "list", "--max", "1", "--format", "json"))
    assert newest["looked_at"] == 1 and newest["older"] >= PAIRS - 1
    assert "were looked at" in await it.answer("dead-letters", "list", "--max", "1")
