"""HubSpot's own Node client against the simulator; skipped where there is no node, or no registry to get it from."""

import asyncio
import fcntl
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from connectors.hubspot.simulator import HubSpotSettings, HubSpotSimulator
from connectors.simulation import serve
from tests.contract.test_hubspot_python_client import QUIET, SEED

FOLDER = Path(__file__).parent / "hubspot_node_client"
SCRIPT = FOLDER / "contract.test.mjs"
INSTALL_S, RUN_S = 180, 60


@pytest.fixture(scope="module")
def node() -> str:
    """The node to run, its client installed as the lock beside the script says."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("HubSpot's Node client needs node and npm, which are not on the PATH")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.removeprefix("v").split(".")[0]) < 20:
        pytest.skip(f"HubSpot's Node client is run by node 20 or newer, this is {version}")
    _install(npm)
    return node


def _install(npm: str) -> None:
    # two test runs may come here at once
    with (FOLDER / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = FOLDER / "node_modules/.installed"
        if made.exists() and made.stat().st_mtime >= (FOLDER / "package-lock.json").stat().st_mtime:
            return
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        try:
            done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=INSTALL_S, check=False)
        except subprocess.TimeoutExpired:
            pytest.skip(f"npm could not get HubSpot's Node client within {INSTALL_S} s")
        if done.returncode:
            # no registry is no fault of ours; a lock that does not fit is
            code = re.search(r"npm error code (\w+)", done.stderr)
            assert code is not None and code[1] not in ("EUSAGE", "EINTEGRITY"), done.stderr
            pytest.skip(f"npm could not get HubSpot's Node client: {code[1]}")
        made.touch()


async def test_the_node_client_understands_the_simulator(node: str) -> None:
    portal = HubSpotSimulator(HubSpotSettings(**QUIET))
    portal.load(SEED)
    async with serve(portal) as url:
        process = await asyncio.create_subprocess_exec(
            node,
            "--test",
            "--test-reporter=tap",
            SCRIPT.name,
            cwd=FOLDER,
            env={**os.environ, "SIMULATOR_URL": url},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(RUN_S):
                output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    told = output.decode()
    assert process.returncode == 0, told
    passed = re.search(r"^# pass (\d+)$", told, re.MULTILINE)
    # the cursors' check runs once for each form
    assert passed is not None and int(passed[1]) == SCRIPT.read_text().count("test(") + 1, told
