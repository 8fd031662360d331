"""From the commit before the newest schemas to this one and back, with records in flight: all arrives, each once."""

import asyncio
import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.installations import edit_all, in_step, installation
from tests.e2e.world import forget, measured
from tests.kafka import Kafka

# it needs the history of the repository, and a minute; last seen to pass on 2026-11-27, from schema 70 to 82
pytestmark = pytest.mark.by_hand

ROOT: Final = Path(__file__).parents[2]
PAIRS: Final = 30


def git(*words: str) -> bytes:
    return subprocess.run(("git", "-C", str(ROOT), *words), capture_output=True, check=True).stdout


def release_before() -> str:
    """PAIRSTREAM_UPGRADE_FROM, or the commit before the one that added the newest schema."""
    newest = git("log", "-1", "--format=%H", "--diff-filter=A", "--", "schemas/avro/history").decode().strip()
    return git("rev-parse", os.environ.get("PAIRSTREAM_UPGRADE_FROM", f"{newest}~1")).decode().strip()


def older_code(folder: Path, revision: str) -> dict[str, str]:
    """The environment in which processes run that revision's code, whatever directory they are started in."""
    with tarfile.open(fileobj=io.BytesIO(git("archive", "--format=tar", revision))) as archive:
        archive.extractall(folder, filter="data")
    environment = {"PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1"}
    argv = (sys.executable, "-c", "import schemas.registry as it; print(it.__file__)")
    found = subprocess.run(argv, env={**os.environ, **environment}, capture_output=True, text=True, check=True).stdout
    assert found.startswith(str(folder)), "the present code would run in place of the older"
    return environment


def schemas(folder: Path) -> int:
    return len(list((folder / "schemas" / "avro" / "history").glob("*.avsc")))


async def test_records_in_flight_are_handled_by_the_next_release_and_the_one_before(
    tmp_path: Path, kafka: Kafka
) -> None:
    revision = release_before()
    before = older_code(tmp_path / "before", revision)
    assert schemas(tmp_path / "before") < schemas(ROOT)
    newest = schemas(tmp_path / "before")
    async with installation(tmp_path, kafka) as it:
        async with it.running(**before) as old:
            for number in range(PAIRS):
                await old.pair(number)
            await old.apply()
            await old.full_sync()
            await old.converged()
            await old.idle()
            written = await old.writes()
            await edit_all(old, "before")
        left = sum((await old.unread()).values())
        await edit_all(old, "between")
        async with it.running(PAIRSTREAM_SCHEMAS_UP_TO=str(newest)) as new:
            await in_step(new, "between")
            after = await new.writes()
            assert after["userflow"] - written["userflow"] <= 2 * PAIRS, "each edit is written once at most"
            assert await new.dead_letters() == [] and await new.created_by_api() == 0
            await new.full_sync()
            assert await new.writes() == after
            await edit_all(new, "and back")
        async with it.running(**before) as back:
            await in_step(back, "and back")
            await back.full_sync()
            await edit_all(back, "once more")
        async with it.running() as last:
            await in_step(last, "once more")
            after = await last.writes()
            assert after["userflow"] - written["userflow"] <= 4 * PAIRS
            assert await last.dead_letters() == [] and await last.created_by_api() == 0
            await last.full_sync()
            assert await last.writes() == after
    measured(f"from {revision[:8]} (schema {newest}) to {schemas(ROOT)}: {left} records were in flight")
    await asyncio.to_thread(forget, last.cluster)
