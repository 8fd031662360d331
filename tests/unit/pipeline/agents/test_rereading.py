"""What a crawl did not see is asked for once, in slices, and nothing else is."""

import pytest

from pipeline.agents import rereading
from pipeline.agents.rereading import sweep
from pipeline.agents.state import Overlay
from pipeline.agents.step import Incoming
from schemas.records import ConnectorRequest, ObjectState, StateCommand

RUN = "0000000000002-aaaa"
COMMAND = StateCommand("acme", 1, "objects", "sweep", object_key="acme:1:userflow:users:", run_id=RUN)


def known(run_id: str | None, *, present: bool = True) -> ObjectState:
    return ObjectState(1, present, 0, 0, {}, {}, run_id=run_id)


def swept(states: dict[str, ObjectState]) -> tuple[list[str], int]:
    """The ids asked for, and in how many slices."""
    asked: list[str] = []
    slices, waiting = 0, [COMMAND]
    while waiting:
        slices += 1
        incoming = Incoming("sync.state-commands", 3, 0, "partition-3", b"", waiting.pop())
        for output in sweep(incoming, incoming.record, Overlay(states)).outputs:
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
