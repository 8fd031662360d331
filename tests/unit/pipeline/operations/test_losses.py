"""What doctor says of lost records: whose they were, and whether a full sync since has healed the loss."""

from dataclasses import replace
from typing import Any

import pytest

from connectors.kafka.partitioner import partition_of
from pipeline.operations.findings import Finding
from pipeline.operations.losses import MOST_SHOWN, losses
from pipeline.operations.lost_records import LOST
from schemas.configuration import IntegrationPart
from schemas.letters import letter_of_no_record
from schemas.records import DeadLetter
from schemas.runs import FullSyncRun, RunProgress
from tests.unit.pipeline.operations.documents import document_of
from tests.unit.pipeline.operations.test_lost_records import PARTITIONS, settings

AT_MS = 1_700_000_000_000
MAPPINGS = ("firms", "people")
PARTS = {
    f"{name}/settings": IntegrationPart(name, settings=replace(settings(state), document=document_of(*MAPPINGS)))
    for name, state in (("acme", "active"), ("globex", "active"), ("gone", "disconnected"))
}


def letter(key: str, at_ms: int = AT_MS) -> DeadLetter:
    said = f"{key}: offsets 10 to 90 were gone before they were read"
    return letter_of_no_record(
        id=key, integration="", stage=key, reason=LOST, detail=said, at_ms=at_ms, key=key, topic=key
    )


def run(integration: str, began_ms: int) -> RunProgress:
    row = RunProgress(f"{began_ms:013d}-ab", integration, "run", "completed", began_ms, began_ms, mappings=MAPPINGS)
    return replace(row, full_sync=FullSyncRun())


def found(letters: list[DeadLetter], *runs: RunProgress) -> list[Finding]:
    return list(losses(letters, PARTS, runs, PARTITIONS))


def test_a_loss_is_wrong_until_every_integration_that_it_concerns_was_synced_since() -> None:
    (told,) = found([letter("hubspot.changes[2]")], run("acme", AT_MS), run("globex", AT_MS - 1))
    assert (told.what, told.verdict) == ("lost records", "wrong")
    assert told.detail.startswith("hubspot.changes[2]: offsets 10 to 90 were gone before they were read, 2023-11-14T")
    assert told.detail.endswith("`pairstream full-sync start globex`")
    (told,) = found([letter("hubspot.changes[2]")], run("acme", AT_MS), run("globex", AT_MS + 5))
    assert told.verdict == "ok"


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "running"},
        {"state": "failed"},
        {"state": "superseded"},
        {"mappings": ("people",)},
        {"full_sync": FullSyncRun(failed={"people": "hubspot.contacts: forbidden"})},
    ],
)
def test_a_full_sync_that_was_not_whole_heals_nothing(changes: dict[str, Any]) -> None:
    part = replace(run("acme", AT_MS), **changes)
    (told,) = found([letter("sync.matches[0]")], part, run("globex", AT_MS))
    assert (told.verdict, "full-sync start acme" in told.detail) == ("wrong", True)


def test_what_is_keyed_by_integration_concerns_those_of_its_partition() -> None:
    number = partition_of("acme", PARTITIONS)
    assert partition_of("globex", PARTITIONS) != number
    (told,) = found([letter(f"hubspot.notifications[{number}]")], run("acme", AT_MS))
    assert told.verdict == "ok"


def test_a_topic_that_was_made_anew_concerns_all_that_are_connected() -> None:
    (told,) = found([letter("hubspot.changes")])
    assert "start acme`; `pairstream full-sync start globex`" in told.detail
    assert "gone`" not in told.detail


def test_a_place_is_told_once_by_its_newest_loss_and_no_more_than_some_places() -> None:
    assert len(found([letter("a[1]", AT_MS + 1), letter("a[1]")], run("acme", AT_MS), run("globex", AT_MS))) == 1
    many = found([letter(f"a[{number}]") for number in range(MOST_SHOWN + 3)])
    assert (len(many), many[-1].detail) == (MOST_SHOWN + 1, "and at 3 places more")
