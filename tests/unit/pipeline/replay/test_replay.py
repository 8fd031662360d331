"""What a replay takes, what it publishes, and that its rehearsal is what the agents then do."""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.agents.configuration import IntegrationView
from pipeline.core.mapping import MappingView
from pipeline.replay.choice import Choice, as_replayed, named_places, places, replayed_by
from pipeline.replay.rehearsal import Rehearsal, Rehearsed, Rows
from schemas.codec import Codec
from schemas.operating import REPLAY
from schemas.records import ChangeEvent, Found, Notification
from schemas.registry import LocalRegistry
from schemas.state import ObjectState, PairState
from schemas.topics import OBJECTS_STATE, PAIRS_STATE, object_key
from tests.contract.sample_records import SAMPLES
from tests.examples import share
from tests.unit.pipeline.core.given import EMAIL, change, contact, flow, mapping, user
from tests.unit.pipeline.middle import ALL_READ, HOLD_MS, LOOKUP_INTERVAL_MS, NOTHING_READ, NOW_MS, Middle

CODEC: Final = Codec(LocalRegistry())
T: Final = 1_000_000
CONTACTS: Final = frozenset({("hubspot", "contacts"), ("userflow", "users")})
CHOICE: Final = Choice("acme", 1, CONTACTS)  # type: ignore[arg-type]
BOTH: Final = (flow("jobtitle", "title"), flow("plan", "tier", "to_hubspot"))


@pytest.mark.parametrize(
    ("record", "takes"),
    [
        (contact(T, {}), True),
        (contact(T, {}, connection=2), False),
        (replace(contact(T, {}), integration="globex"), False),
        (replace(contact(T, {}), object_type="deals"), False),
        (contact(T, {}, operation="deleted"), True),
        (contact(T, {}, operation="erased"), False),
        (SAMPLES["ActivityEvent"], False),  # of connection 2
        (replace(SAMPLES["ActivityEvent"], connection=1), True),
        (Notification("acme", "hubspot", b"", {}, T), True),
        (SAMPLES["FieldPatch"], False),
        (None, False),
    ],
)
def test_what_is_taken(record: Any, takes: bool) -> None:
    assert CHOICE.takes(record, None) is takes


def test_one_object_and_what_a_replay_published() -> None:
    one = replace(CHOICE, object_key=object_key("acme", 1, "hubspot", "contacts", "101"))
    assert one.takes(contact(T, {}), None)
    assert not one.takes(contact(T, {}, "102"), None)
    headers = [(REPLAY, b"1700-ab")]
    assert (CHOICE.takes(contact(T, {}), headers), replayed_by(headers)) == (False, "1700-ab")


def test_values_and_stamps_are_as_they_were_and_nothing_asks_or_counts() -> None:
    was = replace(
        contact(T, {"jobtitle": "Countess"}, run_id="run-1", spread_ms=9),
        found=Found("people", EMAIL, 26),
        unknown=("plan",),
        sent={"tier": "pro"},
    )
    sent = as_replayed(was)
    assert (sent.fields, sent.at_ms, sent.spread_ms, sent.revision) == (was.fields, T, 9, 1)
    assert (sent.origin, sent.bulk, sent.run_id, sent.found, sent.unknown, sent.sent) == (
        "crawl",
        True,
        None,
        None,
        (),
        {},
    )


def test_places_are_read_back() -> None:
    offsets = {("hubspot.changes", 0): 7, ("hubspot.changes", 11): 9}
    assert places(named_places(offsets)) == offsets


def rehearsed(
    middle: Middle, view: MappingView, records: Sequence[ChangeEvent], whole: frozenset[str] = ALL_READ
) -> Rehearsed:
    """The rehearsal over the rows of a middle, which stays as it is."""
    objects: Rows[ObjectState] = Rows(
        {key: CODEC.encode(OBJECTS_STATE, row) for key, row in middle.objects.items()},
        lambda value: CODEC.decode(OBJECTS_STATE, value),
    )
    pairs: Rows[PairState] = Rows(
        {key: CODEC.encode(PAIRS_STATE, row) for key, row in middle.pairs.items()},
        lambda value: CODEC.decode(PAIRS_STATE, value),
    )
    now = IntegrationView(1, view.record.revision, True, {view.name: view}, whole)
    rehearsal = Rehearsal(now, objects, pairs, NOW_MS, HOLD_MS, LOOKUP_INTERVAL_MS)
    for record in records:
        rehearsal.handle(f"{record.system}:{record.object_id}", as_replayed(record))
    return rehearsal.found


def answered(middle: Middle, records: Sequence[ChangeEvent]) -> tuple[int, int]:
    """Handle records, each patch answered by its target; objects written, and values refused."""
    written, refused, at_ms = set(), 0, T + 50_000
    waiting = list(records)
    while waiting:
        left = middle.feed(waiting.pop(0))
        refused += len(left.letters)
        for patch in left.patches:
            written.add((patch.system, patch.object_id))
            at_ms += 1
            answer = change(patch.system, patch.object_id, at_ms, patch.fields, origin="receipt", sent=patch.fields)
            waiting.insert(0, answer)
    return len(written), refused


def history(pairs: int) -> list[ChangeEvent]:
    """Two edits of each side of each pair."""
    records = []
    for number in range(pairs):
        email = {"email": f"p{number}@example.com"}
        for turn in range(2):
            at_ms = T + 1_000 * turn
            records.append(contact(at_ms, {**email, "jobtitle": f"title {turn}"}, f"1{number}", bulk=False))
            records.append(user(at_ms, {**email, "plan": f"plan {turn}", "title": None}, f"u-{number}"))
    return records


def test_a_replay_of_what_is_in_step_writes_nothing() -> None:
    view, records = mapping(*BOTH), history(5)
    middle = Middle(view)
    answered(middle, records)
    found = rehearsed(middle, view, records)
    assert (found.written, found.refused, found.records, len(found.objects)) == (0, 0, 20, 10)
    assert found.changed == set() and found.outcomes["equal"] + found.outcomes["stale"] == 20
    assert answered(middle, [as_replayed(record) for record in records]) == (0, 0)


@given(st.integers(1, 6), st.randoms(use_true_random=False), st.booleans())
@settings(max_examples=share(0.4), deadline=None)
def test_what_is_planned_for_a_rule_that_is_new_is_what_is_then_written(
    pairs: int, shuffle: random.Random, some: bool
) -> None:
    """Its source is read already, so the values are in the topics."""
    middle, records = Middle(mapping(*BOTH)), history(pairs)
    answered(middle, records)
    edited = mapping(*BOTH, flow("jobtitle", "headline"), revision=2)
    middle.view_as(edited)
    chosen = [record for record in records if not some or shuffle.random() < 0.5]
    replayed = [as_replayed(record) for record in chosen]
    found = rehearsed(middle, edited, chosen)
    written, refused = answered(middle, replayed)
    assert (found.written, found.refused) == (written, refused)
    if not some:
        assert written == pairs == found.writes("userflow")


def test_a_value_that_does_not_fit_is_counted_once() -> None:
    middle, records = Middle(mapping(*BOTH)), history(3)
    answered(middle, records)
    edited = mapping(*BOTH, flow("jobtitle", "level", target_type="enumeration", options=("a",)), revision=2)
    middle.view_as(edited)
    found = rehearsed(middle, edited, records)
    assert (found.written, found.refused) == (0, 3)
    assert answered(middle, [as_replayed(record) for record in records]) == (0, 3)


def test_a_system_that_is_asked_who_else_holds_a_match_value_is_taken_to_answer_what_is_known() -> None:
    """After an edit of the mapping nothing is written before each side has told how many hold the match value."""
    middle, records = Middle(mapping(*BOTH)), history(3)
    answered(middle, records)
    edited = mapping(*BOTH, flow("jobtitle", "headline"), revision=2)
    found = rehearsed(middle, edited, records, NOTHING_READ)
    assert (found.writes("userflow"), found.writes("hubspot"), found.fields) == (3, 0, 3)
    assert sum(found.requests.values()) > 0
