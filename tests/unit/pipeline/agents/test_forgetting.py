"""Rows of connections that are over are deleted in slices, and nothing else is."""

import asyncio

import pytest

from pipeline.agents import forgetting
from pipeline.agents.configuration import OVER, Configuration, RevisionLate
from pipeline.agents.forgetting import forget
from pipeline.agents.objects import Objects
from pipeline.agents.state import Overlay
from pipeline.agents.step import Incoming
from schemas.records import StateCommand
from schemas.topics import INTEGRATIONS
from tests.unit.pipeline.agents.test_configuration import configuration, settings
from tests.unit.pipeline.middle import take_over

COMMAND = StateCommand("acme", 2, "objects", "forget")


def incoming(command: StateCommand = COMMAND) -> Incoming:
    return Incoming("sync.state-commands", 3, 0, "partition-3", b"", command)


def forgotten(rows: dict[str, str]) -> tuple[dict[str, str], int]:
    """The rows that are left, and how many slices it took."""
    slices, waiting = 0, [COMMAND]
    while waiting:
        slices += 1
        overlay = Overlay(rows)
        effects = forget(incoming(waiting.pop()), COMMAND, overlay)
        take_over(overlay, rows)
        for output in effects.outputs:
            assert (output.key, output.partition) == ("partition-3", 3)
            waiting.append(output.record)
    return rows, slices


def test_other_integrations_and_later_connections_stay() -> None:
    kept = {"acme:3:people:x@y": "a", "acme-2:1:people:x@y": "b", "acm:1:people:x@y": "c"}
    rows = {"acme:1:people:x:y": "d", "acme:2:hubspot:contacts:1": "e", **kept}
    assert forgotten(rows) == (kept, 1)


@pytest.mark.parametrize(("count", "slices"), [(0, 1), (3, 1), (4, 2), (10, 4)])
def test_it_goes_on_slice_by_slice(count: int, slices: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forgetting, "MOST_ROWS", 3)
    assert forgotten({f"acme:1:people:{number}": "" for number in range(count)}) == ({}, slices)


def test_the_command_is_for_one_stage_and_for_what_is_not_there_any_more() -> None:
    overlay: Overlay[object] = Overlay({"acme:1:hubspot:contacts:1": object()})
    stage = Objects(lambda _: None, lambda: 0, 0)
    of_pairs = StateCommand("acme", 2, "pairs", "forget")
    stage.decide(incoming(of_pairs), overlay)  # type: ignore[arg-type]
    assert overlay.changed == {}
    stage.decide(incoming(), overlay)  # type: ignore[arg-type]
    assert overlay.changed == {"acme:1:hubspot:contacts:1": None}


@pytest.mark.parametrize("part", [settings(state="disconnected", connection=2), settings(connection=3), None])
async def test_it_waits_until_the_connection_is_known_to_be_over(part: object) -> None:
    read = configuration(settings(connection=2))
    assert Objects(read.view, lambda: 0, 0).needs(COMMAND) == ("acme", 2, OVER)
    with pytest.raises(RevisionLate):
        await read.wait_for("acme", 2, OVER, 0.05)
    waiting = asyncio.create_task(read.wait_for("acme", 2, OVER, 10.0))
    read.apply(INTEGRATIONS, "acme/settings", part)  # type: ignore[arg-type]
    await waiting


async def test_it_waits_for_nothing_where_there_is_no_such_integration() -> None:
    await Configuration().wait_for("acme", 2, OVER, 0.0)
