"""State made again from the records that the agents had handled is the state they had."""

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.kafka.partitioner import partition_of
from pipeline.agents.configuration import IntegrationView
from pipeline.agents.step import Incoming
from pipeline.replay.rebuilding import Compared, KeptRows, Rebuilding, compared, from_outside
from schemas.codec import Codec
from schemas.records import ActivityEvent, ChangeEvent, Receipt, StateCommand
from schemas.registry import LocalRegistry
from schemas.topics import OBJECTS_STATE, PAIRS_STATE, object_key, pair_key
from schemas.values import FieldValue
from tests.contract.sample_records import SAMPLES
from tests.examples import share
from tests.unit.pipeline.core.given import contact, flow, gone, mapping, receipt, user
from tests.unit.pipeline.middle import ALL_READ, HOLD_MS, LOOKUP_INTERVAL_MS, NOTHING_READ, Middle

CODEC: Final = Codec(LocalRegistry())
VIEW: Final = mapping(flow("jobtitle", "title"), flow("plan", "tier", "to_hubspot"))
PARTITIONS: Final = 3
T: Final = 1_700_000_000_000


def rows_of(topic: str) -> KeptRows:
    return KeptRows(lambda row: CODEC.encode(topic, row), lambda value: CODEC.decode(topic, value))


def rebuilding(whole: frozenset[str]) -> Rebuilding:
    view = IntegrationView(1, 1, True, {VIEW.name: VIEW}, whole)
    return Rebuilding(lambda _: view, rows_of, PARTITIONS, HOLD_MS, LOOKUP_INTERVAL_MS)


def key_of(record: Any) -> str:
    if isinstance(record, Receipt):
        return pair_key(record.integration, record.connection, record.mapping, record.match_value)
    assert isinstance(record, ChangeEvent)
    return object_key(record.integration, record.connection, record.system, record.object_type, record.object_id)


def rows(found: Rebuilding, topic: str) -> Mapping[str, Any]:
    there: dict[str, Any] = {}
    for (name, number), kept in found.rows.items():
        if name == topic:
            assert {partition_of(key, PARTITIONS) for key in kept.values} <= {number}  # where the worker looks for it
            there |= {key: CODEC.decode(topic, value) for key, value in kept.values.items()}
    return there


def history(chance: random.Random, number: int) -> list[tuple[int, Any]]:
    """Edits, deletions and refusals of three contacts and users, late ones among them; each with its time."""
    found: list[tuple[int, Any]] = []
    for step in range(number):
        at_ms, one = T + 1_000 * step, str(chance.randrange(3))
        seen_ms = at_ms - chance.choice((0, 0, 5_000))
        email = {"email": f"person{chance.choice((one, '9'))}@example.com"}
        match chance.choice(("contact", "contact", "user", "user", "gone", "refused")):
            case "contact":
                found.append((at_ms, contact(seen_ms, {**email, "jobtitle": f"title {step}", "tier": None}, one)))
            case "user":
                fields: dict[str, FieldValue] = {"plan": f"plan {step}", "title": f"title {step - 1}"}
                found.append((at_ms, user(seen_ms, {**email, **fields}, one)))
            case "gone":
                found.append((at_ms, gone("hubspot", one, seen_ms)))
            case "refused":
                found.append((at_ms, receipt("userflow", one, {"title": f"title {step - 1}"})))
    return found


@settings(max_examples=share(1), deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40), st.sampled_from([ALL_READ, NOTHING_READ]))
def test_the_same_records_make_the_same_state(seed: int, number: int, whole: frozenset[str]) -> None:
    middle, again = Middle(VIEW), rebuilding(whole)
    middle.view_as(VIEW, crawled=whole)
    for offset, (at_ms, record) in enumerate(history(random.Random(seed), number)):
        middle.now_ms = at_ms
        middle.feed(record)
        key = key_of(record)
        again.handle(Incoming("", partition_of(key, PARTITIONS), offset, key, b"", record), at_ms)
    assert rows(again, OBJECTS_STATE) == middle.objects
    assert rows(again, PAIRS_STATE) == middle.pairs
    assert (again.handled, again.failed) == (number, 0)


def test_commands_to_whole_partitions_reach_every_pair_once_though_there_were_other_partitions() -> None:
    again = rebuilding(ALL_READ)
    emails = {str(n): f"p{n}@example.com" for n in range(12)}
    users = [user(T, {"email": email, "plan": None, "title": None}, n) for n, email in emails.items()]
    contacts = [contact(T, {"email": email, "jobtitle": "title", "tier": None}, n) for n, email in emails.items()]
    refused = [replace(receipt("userflow", n, {"title": "title"}), match_value=email) for n, email in emails.items()]
    for record in (*users, *contacts, *refused):
        key = key_of(record)
        again.handle(Incoming("", partition_of(key, PARTITIONS), 0, key, b"", record), T)
    assert all(pair.refused for pair in rows(again, PAIRS_STATE).values())
    retry = StateCommand("acme", 1, "pairs", "rederive", retry_refused=True)
    for number in range(7):  # partitions that there were then
        again.handle(Incoming("sync.state-commands", number % PARTITIONS, number, f"partition-{number}", b"", retry), T)
    assert len(rows(again, PAIRS_STATE)) == 12
    assert not any(pair.refused for pair in rows(again, PAIRS_STATE).values())


@pytest.mark.parametrize(
    ("record", "takes"),
    [
        (contact(T, {}), True),
        (SAMPLES["ActivityEvent"], True),
        (receipt("userflow", "1", {}), True),
        (SAMPLES["MatchedChange"], False),  # it follows from a change
        (StateCommand("acme", 1, "pairs", "rederive"), True),
        (StateCommand("acme", 1, "pairs", "rederive", cursor="x"), False),  # it follows from the first slice
        (StateCommand("acme", 1, "objects", "resend", object_key="k"), False),
    ],
)
def test_what_follows_from_another_record_is_not_handled_twice(record: Any, takes: bool) -> None:
    assert from_outside(record) is takes
    assert isinstance(SAMPLES["ActivityEvent"], ActivityEvent)


def test_what_raised_then_leaves_no_trace_now() -> None:
    again = rebuilding(ALL_READ)
    broken = contact(T, {"email": "ada@example.com"})
    object.__setattr__(broken, "fields", {"email": "no stamp"})
    again.handle(Incoming("", 0, 0, key_of(broken), b"", broken), T)
    assert (again.handled, again.failed) == (1, 1)
    assert rows(again, OBJECTS_STATE) == {}


def test_what_is_there_and_what_was_rebuilt_are_told_apart() -> None:
    present = {"a": b"1", "b": b"2", "gone": b"3", "erased": b"4"}
    rebuilt = {"a": b"1", "b": b"other", "new": b"5"}
    assert compared(rebuilt, present, 1) == Compared(rebuilt=3, equal=1, differ=1, new=1, lost=1, kept=1)
