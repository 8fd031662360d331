"""The journal of a change of the partition count, and what is refused beside one."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.kafka.topology import STAGE_TOPICS
from pipeline.agents import objects, pairs
from pipeline.operations.moved_topics import JOURNAL, Journal, RepartitionRefused, TopicWork, decoded, refuse_beside
from pipeline.operations.redrive import place_again
from schemas.copies import as_handled, handled_by, is_copy
from schemas.records import DeadLetter
from schemas.topics import HUBSPOT_CHANGES, STATE_COMMANDS, TOPICS

WORK = TopicWork(7, {"pairstream-worker": (1, 2, 0)}, 3, {"retention.ms": "5"})


def test_a_journal_is_read_as_it_was_written() -> None:
    journal = Journal("switching", 4, 3, "ada@host", 9, {HUBSPOT_CHANGES: WORK})
    assert decoded(journal.encoded()) == journal
    done = decoded(journal.with_done(HUBSPOT_CHANGES).encoded())
    assert (done.topics[HUBSPOT_CHANGES].done, journal.topics[HUBSPOT_CHANGES].done) == (True, False)


@given(st.binary(max_size=60))
@example(b"0")
@example(b'{"topics": []}')
def test_what_is_no_journal_is_refused(value: bytes) -> None:
    with pytest.raises(RepartitionRefused, match="the release that began the change"):
        decoded(value)


def test_nothing_starts_beside_a_change_or_with_another_count() -> None:
    there = dict.fromkeys(TOPICS, 12)
    refuse_beside(there, 12)
    refuse_beside(there, 4, every=False)
    refuse_beside({"somebody.elses": 3}, 4)
    with pytest.raises(RepartitionRefused, match="PAIRSTREAM_PARTITIONS=12, or `pairstream topics repartition 4`"):
        refuse_beside(there, 4)
    with pytest.raises(
        RepartitionRefused, match=r"have 4 or 12 partitions, .* Fix: `pairstream topics repartition 12`$"
    ):
        refuse_beside({**there, sorted(TOPICS)[0]: 4}, 12)
    for every in (True, False):
        with pytest.raises(RepartitionRefused, match="--resume"):
            refuse_beside({**there, JOURNAL: 1}, 12, every=every)


def test_a_moved_record_names_the_stages_that_had_handled_it() -> None:
    first = as_handled([("told", b"1")], ["objects"])
    assert first == [("told", b"1"), ("pairstream.handled", b"objects")]
    assert (handled_by(first, "objects"), handled_by(first, "pairs"), is_copy(first)) == (True, False, False)
    second = as_handled(first, ["pairs"])
    assert second == [("told", b"1"), ("pairstream.handled", b"objects,pairs")]
    assert as_handled([("told", b"1")], ()) == [("told", b"1")]
    assert not handled_by(None, "objects") and not handled_by([("pairstream.handled", None)], "objects")


def test_stages_take_the_topics_that_offsets_are_moved_of() -> None:
    assert {objects.NAME: objects.TOPICS, pairs.Pairs.name: pairs.TOPICS} == STAGE_TOPICS


@pytest.mark.parametrize(
    ("topic", "key", "number"),
    [
        (HUBSPOT_CHANGES, "acme:1:hubspot:contacts:1", None),
        (HUBSPOT_CHANGES, "partition-9", None),
        (STATE_COMMANDS, "acme:1:hubspot:contacts:1", None),
        (STATE_COMMANDS, "partition-9", 1),
    ],
)
def test_a_letters_record_goes_where_its_key_belongs_now(topic: str, key: str, number: int | None) -> None:
    letter = DeadLetter("id", "acme", "objects", "step_failed", "", topic, 9, 1, key, b"", 1)
    assert place_again(letter, 4) == number
