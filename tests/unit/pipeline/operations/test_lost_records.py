"""Records that were gone before they were read: told, kept, and healed by full syncs of those they concern."""

from collections.abc import Callable, Iterable
from typing import Any

from connectors.kafka.partitioner import partition_of
from pipeline.operations.lost_records import HEALED_ONCE_S, LOST, LostRecords
from schemas.configuration import IntegrationPart, IntegrationSettings, SystemSettings
from schemas.records import DeadLetter
from schemas.topics import (
    DEAD_LETTERS,
    HUBSPOT_CHANGES,
    HUBSPOT_NOTIFICATIONS,
    MATCHES,
    RUNS,
)

PARTITIONS = 4
NAMES = ("acme", "globex", "initech", "umbrella")


def settings(state: Any = "active") -> IntegrationSettings:
    section = SystemSettings("1")
    return IntegrationSettings(1, 1, 1, state, "apply-1", "done", None, "", section, section)


class Reports:
    """The reporter of one process, and what it published and counted."""

    def __init__(self, **states: str) -> None:
        self.published: list[tuple[str, str, Any]] = []
        self.counted: list[tuple[str, int]] = []
        self.owed: list[tuple[float, Callable[[], None]]] = []
        parts = {
            f"{name}/settings": IntegrationPart(name, settings=settings(states.get(name, "active"))) for name in NAMES
        }
        self.reporter = LostRecords(
            lambda: parts,
            self.publish,
            lambda *counted: self.counted.append(counted),
            partitions=PARTITIONS,
            now_ms=lambda: 1_700_000_000_000,
            later=lambda wait_s, work: self.owed.append((wait_s, work)),
        )

    def publish(self, messages: Iterable[tuple[str, str, Any]]) -> None:
        self.published += messages

    @property
    def letters(self) -> list[DeadLetter]:
        return [record for topic, _, record in self.published if topic == DEAD_LETTERS]

    @property
    def runs(self) -> list[str]:
        """The integrations of which a full sync was asked for."""
        asked = [record for topic, key, record in self.published if topic == RUNS and key == record.run_id]
        assert {(record.state, record.full_sync.requested_by) for record in asked} <= {("requested", "gap")}
        return sorted(record.integration for record in asked)


def each(*names: str) -> list[str]:
    return sorted(names)


def test_a_loss_is_a_letter_a_number_and_a_full_sync_of_everything_it_may_concern() -> None:
    it = Reports()
    it.reporter.report(HUBSPOT_CHANGES, 2, 10, 13)
    (letter,) = it.letters
    assert (letter.reason, letter.stage) == (LOST, HUBSPOT_CHANGES)
    assert "hubspot.changes[2]: offsets 10 to 13" in letter.detail
    assert it.counted == [(HUBSPOT_CHANGES, 3)]
    assert it.runs == each(*NAMES)


def test_as_many_offsets_as_markers_can_be_are_no_loss_where_transactions_write() -> None:
    it = Reports()
    it.reporter.report(MATCHES, 0, 10, 10 + 2 * PARTITIONS)
    assert (it.published, it.counted) == ([], [])
    it.reporter.report(MATCHES, 0, 10, 11 + 2 * PARTITIONS)
    assert [letter.reason for letter in it.letters] == [LOST]


def test_what_is_keyed_by_integration_concerns_those_of_its_partition_alone() -> None:
    it = Reports()
    number = partition_of("acme", PARTITIONS)
    it.reporter.report(HUBSPOT_NOTIFICATIONS, number, 0, 4)
    assert it.runs == each(*(name for name in NAMES if partition_of(name, PARTITIONS) == number))


def test_several_partitions_that_lose_at_once_ask_for_one_full_sync() -> None:
    it = Reports()
    it.reporter.report(HUBSPOT_CHANGES, 1, 0, 4)
    asked = len(it.published)
    it.reporter.report(HUBSPOT_CHANGES, 2, 0, 4)
    assert len(it.letters) == 2
    assert len(it.published) == asked + 1


def test_what_is_lost_after_a_full_sync_was_asked_for_is_healed_by_one_more() -> None:
    """The first may be past the object by then."""
    it = Reports()
    it.reporter.report(HUBSPOT_CHANGES, 1, 0, 4)
    it.reporter.report(HUBSPOT_CHANGES, 2, 0, 4)
    it.reporter.report(HUBSPOT_CHANGES, 3, 0, 4)
    assert len(it.owed) == len(NAMES)
    asked = len(it.published)
    for wait_s, work in it.owed:
        assert 0 < wait_s <= HEALED_ONCE_S
        work()
    assert len(it.published) == asked + len(NAMES)


def test_one_that_is_disconnected_is_left_alone_and_one_that_is_paused_is_healed_once_it_is_active() -> None:
    it = Reports(acme="paused", globex="disconnected")
    it.reporter.report(HUBSPOT_CHANGES, 0, 0, 4)
    assert it.runs == each("acme", "initech", "umbrella")


def test_a_topic_that_was_made_anew_is_healed_alike() -> None:
    it = Reports()
    it.reporter.report_made_anew([HUBSPOT_CHANGES])
    assert [letter.reason for letter in it.letters] == [LOST]
    assert it.runs == each(*NAMES)
