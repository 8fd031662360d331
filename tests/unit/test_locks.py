"""The locks: production gets what runs and nothing else, every file is known by its hash, no registry is named."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
RUNTIME: Final = "requirements.lock"
DEV: Final = "requirements-dev.lock"
RIVALS: Final = "tests/benchmarks/rivals/requirements.lock"
LOCKS: Final = (RUNTIME, DEV, RIVALS)
NAME: Final = re.compile(r"[\w.-]+")


def entries(lock: str) -> Iterator[str]:
    """Each package of a lock with its version, marker and hashes, as one line."""
    joined = (ROOT / lock).read_text().replace("\\\n", " ")
    return (line for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#"))


def versions(lock: str) -> dict[str, set[str]]:
    pins: dict[str, set[str]] = {}
    for entry in entries(lock):
        name, _, rest = entry.partition("==")
        pins.setdefault(name, set()).add(rest.split()[0])
    return pins


def declared(*extras: str) -> set[str]:
    """The packages that pyproject.toml names: those that run, or those of the extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [line for extra in extras for line in project["optional-dependencies"][extra]]
    lines = wanted if extras else project["dependencies"]
    return {_plain(match[0]) for line in lines if (match := NAME.match(line))}


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_pinned_and_has_hashes(lock: str) -> None:
    loose = [entry.split()[0] for entry in entries(lock) if "==" not in entry or "--hash=sha256:" not in entry]
    assert versions(lock)
    assert not loose


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_registry(lock: str) -> None:
    assert not re.findall(r"https?:|index-url|find-links|trusted-host", (ROOT / lock).read_text())


def test_the_locks_hold_what_the_project_declares() -> None:
    assert declared() <= versions(RUNTIME).keys()
    assert declared() | declared("dev") <= versions(DEV).keys()


def test_both_locks_pin_the_same_versions() -> None:
    dev = versions(DEV)
    assert {name: pins for name, pins in versions(RUNTIME).items() if dev.get(name) != pins} == {}


def test_no_tool_for_tests_or_builds_reaches_production() -> None:
    assert not (declared("dev") - declared()) & versions(RUNTIME).keys()


def test_the_image_is_made_from_the_runtime_lock() -> None:
    shipped = (ROOT / "pipeline/deploy/Dockerfile").read_text().split("\nFROM ", 2)[2]
    assert f"-r {RUNTIME}" in shipped
    assert DEV not in shipped
