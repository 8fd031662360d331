"""What a crawl did not see is asked for once, in slices, and nothing else is."""

from dataclasses import replace

import pytest

from pipeline.agents import rereading
from pipeline.agents.key_order import KeyOrder
from pipeline.agents.rereading import sweep
from pipeline.agents.state import Overlay
from pipeline.agents.step import Incoming
from schemas.records import ConnectorRequest, StateCommand
from schemas.runs import RunProgress
from schemas.state import ObjectState

RUN = "0000000000002-aaaa"
COMMAND = StateCommand("acme", 1, "objects", "sweep", object_key="acme:1:userflow:users:", run_id=RUN)


def known(run_id: str | None, *, present: bool = True) -> ObjectState:
    return ObjectState(1, present, 0, 0, {}, {}, run_id=run_id)


def swept(states: dict[str, ObjectState]) -> tuple[list[str], int]:
    """The ids asked for, and in how many slices."""
    asked: list[str] = []
    slices, waiting, order = 0, [COMMAND], KeyOrder()
    while waiting:
        slices += 1
        incoming = Incoming("sync.state-commands", 3, 0, "partition-3", b"", waiting.pop())
        for output in sweep(incoming, incoming.record, Overlay(states), 0, order).outputs:
            if isinstance(output.record, StateCommand):
                assert (output.key, output.partition) == ("partition-3", 3)
                waiting.append(output.record)
            else:
                assert isinstance(output.record, ConnectorRequest)
                assert (output.topic, output.record.object_type) == ("userflow.requests", "users")
                assert len(output.record.values) <= rereading.IDS_A_REQUEST
                asked += output.record.values
    return asked, slices


def test_what_the_run_did_not_reach_is_asked_for() -> None:
    states = {
        "acme:1:userflow:users:seen": known(RUN),
        "acme:1:userflow:users:later": known("0000000000003-aaaa"),
        "acme:1:userflow:users:odd:id": known("0000000000001-ffff"),
        "acme:1:userflow:users:never": known(None),
        "acme:1:userflow:users:gone": known(None, present=False),
        "acme:1:userflow:companies:c": known(None),
        "acme:1:hubspot:contacts:1": known(None),
        "acme:2:userflow:users:other": known(None),
    }
    assert swept(states) == (["never", "odd:id"], 1)


@pytest.mark.parametrize(("objects", "slices"), [(0, 1), (201, 1), (202, 2), (950, 5)])
def test_it_goes_on_slice_by_slice_and_asks_for_each_once(
    objects: int, slices: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rereading, "MOST_OUTPUTS", 3)
    states = {f"acme:1:userflow:users:{number:05d}": known(None) for number in range(objects)}
    asked, needed = swept(states)
    assert asked == [f"{number:05d}" for number in range(objects)]
    assert needed == slices


@pytest.mark.parametrize(("objects", "slices"), [(3, 1), (4, 2), (7, 3)])
def test_a_slice_looks_at_so_many_objects_whatever_it_asks_for(
    objects: int, slices: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A type of half a million objects, all of them seen, held every live change of the worker up for a second."""
    monkeypatch.setattr(rereading, "MOST_SWEPT", 3)
    seen = {f"acme:1:userflow:users:{number:05d}": known(RUN) for number in range(objects)}
    assert swept(seen) == ([], slices)


def counted(states: dict[str, ObjectState]) -> dict[str, int]:
    """What the last row of a sweep told, after the same command came twice: its coordinator crashed."""
    rows: list[RunProgress] = []
    for attempt in (1, 1):
        waiting, order = [replace(COMMAND, step="sweep", attempt=attempt)], KeyOrder()
        while waiting:
            incoming = Incoming("sync.state-commands", 3, 0, "partition-3", b"", waiting.pop())
            for output in sweep(incoming, incoming.record, Overlay(states), 0, order).outputs:
                if isinstance(output.record, StateCommand):
                    waiting.append(output.record)
                elif isinstance(output.record, RunProgress):
                    assert output.key == f"{RUN}/objects/3/userflow.users/sweep/1"
                    rows.append(output.record)
        assert rows[-1].state == "completed"
    return dict(rows[-1].counts)


@pytest.mark.parametrize("slices", [1, 3])
def test_it_counts_what_it_asks_for_and_what_its_reads_showed_to_be_gone(
    slices: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rereading, "IDS_A_REQUEST", 1)
    monkeypatch.setattr(rereading, "MOST_OUTPUTS", 6 // slices)
    states = {f"acme:1:userflow:users:{number}": known(None) for number in range(3)}
    gone = {f"acme:1:userflow:users:gone-{number}": known(RUN, present=False) for number in range(4)}
    before = {"acme:1:userflow:users:before": known("0000000000001-ffff", present=False)}
    assert counted(states | gone | before) == {"open": 3, "vanished": 4}
