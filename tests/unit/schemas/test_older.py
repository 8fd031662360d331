"""Records written as an earlier release writes them: it can read each, and what it cannot know is left out."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import HEADER, Codec
from schemas.records import Cause, StateCommand, avro_name
from schemas.registry import LocalRegistry, UnknownSchema, packaged_history
from schemas.runs import FullSyncRun, RunProgress
from schemas.topics import RUNS, STATE_COMMANDS, TOPICS
from tests.unit.schemas.strategies import records

NEWEST = max(packaged_history())
BEFORE_RATES = 69
"""A run's cap came with schema 70."""


def ids_of(newest: int) -> LocalRegistry:
    """What a release knows of ids whose newest schema is that one."""
    return LocalRegistry({number: row for number, row in packaged_history().items() if number <= newest})


def as_of(newest: int) -> Codec:
    return Codec(LocalRegistry(written_up_to=newest))


@given(st.data(), st.sampled_from(sorted(TOPICS)), st.integers(1, NEWEST))
def test_the_earlier_release_knows_every_schema_and_this_one_reads_what_it_wrote(
    data: st.DataObject, topic: str, newest: int
) -> None:
    record: Any = data.draw(records(TOPICS[topic].record))
    written = as_of(newest).encode(topic, record)
    _, schema_id = HEADER.unpack_from(written)
    mine = [number for number, (name, _) in packaged_history().items() if name == avro_name(TOPICS[topic].record)]
    assert schema_id == max([number for number in mine if number <= newest] or mine)
    read = Codec(LocalRegistry()).decode(topic, written)
    assert as_of(newest).encode(topic, read) == written
    if schema_id == max(mine):
        assert read == record


def test_without_it_the_earlier_release_stops_at_what_is_newer() -> None:
    row = RunProgress("r", "acme", "run", "running", 1, 1, full_sync=FullSyncRun())
    earlier = ids_of(BEFORE_RATES)
    with pytest.raises(UnknownSchema, match="newer than this build's 69"):
        earlier.schema(RUNS, HEADER.unpack_from(Codec(LocalRegistry()).encode(RUNS, row))[1])
    read = earlier.schema(RUNS, HEADER.unpack_from(as_of(BEFORE_RATES).encode(RUNS, row))[1])
    assert read is not None and (read.record, read.current) == ("RunProgress", True)


def test_a_newer_field_is_left_out() -> None:
    row = RunProgress("r", "acme", "run", "running", 1, 1, full_sync=FullSyncRun(most_per_s=20))
    read = Codec(LocalRegistry()).decode(RUNS, as_of(BEFORE_RATES).encode(RUNS, row))
    assert read == dataclasses.replace(row, full_sync=FullSyncRun())


def test_as_of_the_newest_nothing_is_otherwise() -> None:
    command = StateCommand("acme", 1, "pairs", "rederive", caused_by=Cause("hubspot.changes", 0, 1, 2))
    assert as_of(NEWEST).encode(STATE_COMMANDS, command) == Codec(LocalRegistry()).encode(STATE_COMMANDS, command)
