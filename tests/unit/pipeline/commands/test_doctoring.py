"""Doctor's checks as they are wired to a process: brokers first, tables once, live questions last."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from connectors.kafka.groups import BrokersUnreachable
from connectors.kafka.table import TableReader
from pipeline.commands import doctoring
from pipeline.commands.doctoring import AtHand, findings_of
from pipeline.operations.letter_report import Told
from pipeline.operations.letter_standing import Standing
from pipeline.operations.losses import LATELY_MS
from pipeline.operations.moved_topics import refuse_beside
from pipeline.process import Process, now_ms
from schemas.configuration import Description, IntegrationPart
from schemas.topics import INTEGRATIONS, TOPICS
from schemas.values import SYSTEMS
from tests.unit.pipeline.lag.roads import road, waiting
from tests.unit.pipeline.operations.test_letters import one, record_letter
from tests.unit.pipeline.operations.test_plan import HUBSPOT, USERFLOW, in_force

FIELDS = {"hubspot": HUBSPOT, "userflow": USERFLOW}


class Brokers:
    """An admin and a registry that find nothing wrong."""

    away = False
    has_other_count = False
    nobody = False

    def check_reached(self) -> None:
        if self.nobody:
            raise BrokersUnreachable("no broker at kafka:9092")

    def check_partitions(self) -> None:
        if self.has_other_count:
            refuse_beside(dict.fromkeys(TOPICS, 4), 8)

    def check_topics(self, *_: object) -> Sequence[object]:
        assert not self.nobody, "it waits for fifteen seconds"
        if self.away:
            raise BrokersUnreachable("no broker answers")
        return ()

    def has(self, *_: object) -> bool:
        return True


@pytest.fixture
def parts() -> dict[str, IntegrationPart]:
    return dict(in_force().parts)


@pytest.fixture
def process(tmp_path: Path, parts: dict[str, IntegrationPart], monkeypatch: pytest.MonkeyPatch) -> Any:
    """A process on brokers that hold these parts; its connectors answer at once."""
    brokers = Brokers()

    def answered(_: object, __: object, messages: Sequence[tuple[str, str, IntegrationPart]]) -> None:
        ((topic, _key, asked),) = messages
        assert topic == INTEGRATIONS and asked.inquiry is not None
        for system in SYSTEMS:
            told = Description(asked.inquiry.inquiry_id, fields=FIELDS[system], webhooks="ok")
            parts[f"acme/{system}/description"] = IntegrationPart("acme", description=told)

    class Letters:
        def __init__(self, *_: object) -> None:
            pass

        def newest(self, _: int) -> tuple[list[object], int]:
            return [], 7

        def told(self, letters: list[object]) -> list[object]:
            return letters

    monkeypatch.setattr(doctoring, "publish_now", answered)
    monkeypatch.setattr(doctoring, "LetterDesk", Letters)
    monkeypatch.setattr(doctoring, "read_runs", lambda *_: ())
    monkeypatch.setattr(doctoring, "read_losses", lambda *_: ())
    monkeypatch.setattr(doctoring, "Brokers", lambda *_: None)
    monkeypatch.setattr(doctoring, "look", lambda _: road(waiting(0)))
    settings = SimpleNamespace(
        partitions=4, changes_retention_days=7, state_dir=tmp_path, full_sync_interval_s=86_400, prefix=""
    )
    box = SimpleNamespace(can_open=lambda *_: True, is_newest=lambda *_: True)
    return SimpleNamespace(
        settings=settings,
        cluster=None,
        codec=None,
        keyless=False,
        box=box,
        admin=lambda: brokers,
        check_reached=brokers.check_reached,
        check_partitions=brokers.check_partitions,
        registry=lambda: brokers,
        it=brokers,
    )


def found(
    process: Any, parts: dict[str, IntegrationPart], probe_s: float = 5.0, at_hand: AtHand | None = None
) -> tuple[list[str], int]:
    """The codes of what is not well, and how often the tables were read."""
    reads = []

    def tables() -> TableReader:
        reads.append(1)
        return cast(TableReader, SimpleNamespace(table=lambda _: parts))

    told = [one for one in findings_of(cast(Process, process), tables, probe_s, at_hand) if one.verdict != "ok"]
    return [one.code for one in told], len(reads)


def test_everything_is_looked_at_and_the_tables_are_read_once(process: Any, parts: dict[str, IntegrationPart]) -> None:
    codes, reads = found(process, parts)
    assert codes == [*["role_absent"] * 5, "letters_not_looked_at", "subscription_checklist", "full_sync_never"]
    assert reads == 1
    assert any(part.description for part in parts.values())


def test_nobody_is_asked_unless_there_is_time_for_it(process: Any, parts: dict[str, IntegrationPart]) -> None:
    codes, _ = found(process, parts, 0.0)
    assert "connector_does_not_answer" not in codes
    assert not any(part.description for part in parts.values())


def test_of_brokers_that_are_away_nothing_is_read(process: Any, parts: dict[str, IntegrationPart]) -> None:
    process.it.away = True
    codes, reads = found(process, parts)
    assert (codes[-1], reads) == ("brokers_unreachable", 0)


def test_another_partition_count_is_told_once_and_what_depends_on_it_is_not_read(
    process: Any, parts: dict[str, IntegrationPart]
) -> None:
    """Each topic was told, with no fix; then it read runs on partitions that are not there until that stalled."""
    process.it.has_other_count = True
    codes, reads = found(process, parts)
    assert (codes, reads) == (["partitions_differ"], 0)
    told = [one for one in findings_of(process, cast(Any, None), 0.0) if one.what in ("topics", "schema registry")]
    assert [one.verdict for one in told] == ["wrong", "ok"]
    assert "4 partitions, PAIRSTREAM_PARTITIONS says 8" in told[0].detail
    assert "Fix: set PAIRSTREAM_PARTITIONS=4" in told[0].detail and "topics repartition 8" in told[0].detail


def test_where_nobody_listens_no_client_of_kafka_waits(process: Any, parts: dict[str, IntegrationPart]) -> None:
    process.it.nobody = True
    codes, reads = found(process, parts)
    assert (codes[-1], reads) == ("brokers_unreachable", 0)


def test_a_process_that_reads_letters_as_they_come_judges_all_of_them(
    process: Any, parts: dict[str, IntegrationPart]
) -> None:
    lost = replace(record_letter("records_lost"), at_ms=now_ms())
    refused = replace(record_letter("step_failed"), id="other", integration="acme")
    old = replace(lost, key="elsewhere", at_ms=now_ms() - LATELY_MS - 60_000)
    told = [Told(one(letter), Standing("open")) for letter in (old, lost, refused)]
    codes, _ = found(process, parts, 0.0, AtHand(lambda: told, lambda: ()))
    assert [code for code in codes if code.startswith(("letters", "records"))] == ["records_lost", "letters_open"]
