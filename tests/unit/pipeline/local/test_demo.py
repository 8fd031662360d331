"""The demo's commands have nobody to answer them, though the demo itself may run on a terminal."""

import subprocess
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pipeline.local import demo


async def test_a_command_of_the_demo_asks_nobody_and_tells_first_what_it_is_about_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given: dict[str, Any] = {}

    def run(argv: tuple[str, ...], **more: Any) -> "subprocess.CompletedProcess[str]":
        given.update(more)
        return subprocess.CompletedProcess(argv, 0, "demo: done\n", "demo: would be done\n")

    monkeypatch.setattr(subprocess, "run", run)
    stage = cast(Any, SimpleNamespace(machine=SimpleNamespace(environment={})))

    await demo._command(stage, "full-sync", "start", "demo")

    assert given["stdin"] == subprocess.DEVNULL
    assert capsys.readouterr().out.splitlines() == [
        "$ pairstream full-sync start demo",
        "  demo: would be done",
        "  demo: done",
    ]
