"""What is told of an object's events: on which timeline each is, or why it is on none."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from pipeline.explain.answer import Explanation, OnTimeline
from pipeline.explain.text import explanation_lines
from schemas.letters import letter_id
from schemas.records import Receipt, timeline_event_id
from schemas.topics import pair_key
from tests.unit.pipeline.core.given import CONTACT, EMAIL, USER, contact, gone, receipt, user
from tests.unit.pipeline.core.test_timeline import did, streaming
from tests.unit.pipeline.explain.situations import NOW_MS, PLAN_EDIT, Situation, caused

OLD_MS = NOW_MS - 900_000
"""Published so long ago that no event waits any more."""


def pair(*names: str) -> Situation:
    return Situation(streaming(*names)).happened(contact(1_000, {"jobtitle": "Dr"}), user(1_000, {"plan": "pro"}))


def on(told: Explanation) -> Sequence[OnTimeline]:
    return [one for event in told.events.happened for one in event.timelines]


def words(told: Explanation) -> list[str]:
    return [one.word for one in on(told)]


def test_an_event_of_a_pair_is_on_its_contacts_timeline() -> None:
    it = pair().did(did())
    (event,) = it.explained("userflow", USER).events.happened
    assert (event.name, event.occurred_at_ms, event.object_id) == ("flow_started", 5_000, USER)
    assert event.timelines == (OnTimeline("people", "sent", "contacts", CONTACT),)
    # its contact's page tells the same
    assert it.explained().events.happened == (event,)


def test_the_newest_comes_first_and_no_attribute_is_told() -> None:
    it = pair().did(did("e-1", at_ms=5_000), did("e-2", at_ms=9_000), did("e-3", at_ms=7_000))
    told = it.explained()
    assert [one.occurred_at_ms for one in told.events.happened] == [9_000, 7_000, 5_000]
    assert "Intro" not in repr(told)


def test_what_the_mapping_does_not_stream_is_off() -> None:
    told = pair("flow_completed").did(did(), did("e-2", "flow_completed")).explained()
    assert sorted(words(told)) == ["off", "sent"]
    silent = Situation().happened(contact(1_000, {}), user(1_000, {})).did(did())
    assert words(silent.explained()) == ["off"]


def test_what_hubspots_connector_has_not_ended_is_on_its_way() -> None:
    it = pair().did(did())
    it.waiting.add(timeline_event_id("e-1", "contacts", CONTACT))
    assert words(it.explained()) == ["on_its_way"]


@pytest.mark.parametrize(
    ("at_ms", "word"),
    [(NOW_MS, "held"), (OLD_MS, "unsent")],
)
def test_an_event_without_a_pair_waits_and_is_given_up(at_ms: int, word: str) -> None:
    it = Situation(streaming()).happened(user(1_000, {})).did(did(), at_ms=at_ms)
    (told,) = on(it.explained("userflow", USER))
    assert (told.word, told.object_id) == (word, None)


def test_an_event_of_a_user_without_a_match_value_is_held_by_the_user() -> None:
    it = Situation(streaming()).happened(user(1_000, {"email": None})).did(did(), at_ms=NOW_MS)
    assert words(it.explained("userflow", USER)) == ["held"]


def test_an_event_that_no_row_remembers_was_not_sent() -> None:
    it = pair()
    it.events = Situation(streaming()).did(did(), at_ms=OLD_MS).events
    assert words(it.explained()) == ["unsent"]
    it.events = Situation(streaming()).did(did(), at_ms=NOW_MS).events
    assert words(it.explained()) == ["on_its_way"]  # the agents have not taken it


def told_of(it: Situation, kind: str, reason: str | None = None) -> Receipt:
    (event,) = it.middle.feed(did("e-9", at_ms=9_000)).events
    plain = receipt("hubspot", CONTACT, {}, kind="parked")
    told = replace(plain, event=event, reason=reason)
    return replace(told, kind="refused") if kind == "refused" else told


def test_a_refused_event_names_its_reason_and_its_letter() -> None:
    it = pair()
    told = told_of(it, "refused", "unknown_result")
    it.did(did("e-9", at_ms=9_000)).happened(told)
    (one,) = on(it.explained())
    assert told.event is not None
    expected = letter_id(pair_key("acme", 1, "people", EMAIL), told.event.event_id, "unknown_result")
    assert (one.word, one.reason, one.letter) == ("refused", "unknown_result", expected)
    lines = "\n".join(explanation_lines(it.explained()))
    assert f"REFUSED unknown_result for hubspot contacts {CONTACT}: dead letter {expected[:8]}" in lines


def test_a_parked_event_is_told_as_such() -> None:
    it = pair()
    told = told_of(it, "parked")
    it.did(did("e-9", at_ms=9_000)).happened(told)
    assert words(it.explained()) == ["parked"]


def test_an_event_whose_record_was_not_there_is_told() -> None:
    it = pair().did(replace(did(), caused_by=PLAN_EDIT))
    away = caused(replace(gone("hubspot", CONTACT, 2_000), origin="receipt"), PLAN_EDIT)
    it.seen += Situation(streaming()).happened(away).seen
    assert words(it.explained()) == ["gone"]


def test_what_another_mapping_put_on_the_record_is_there() -> None:
    it = pair().did(did())
    it.middle.pairs[pair_key("acme", 1, "people", EMAIL)] = replace(it.middle.pair(EMAIL), streamed={})
    assert words(it.explained()) == ["sent"]  # the record remembers it


def test_somebody_elses_events_are_not_this_pairs() -> None:
    it = pair().did(did(who="u-other"))
    assert on(it.explained()) == []


def test_of_who_is_gone_no_event_is_told() -> None:
    it = pair().did(did()).happened(gone("hubspot", CONTACT, 9_000))
    assert it.explained().events.happened == ()


def test_each_event_is_a_line_with_its_record() -> None:
    lines = list(explanation_lines(pair("flow_started").did(did(), did("e-2", "seen", at_ms=6_000)).explained()))
    begin = next(at for at, line in enumerate(lines) if line.startswith("events, newest first (userflow.activity"))
    assert lines[begin + 1].split("  ")[1:] != []
    assert "seen" in lines[begin + 1] and "not streamed by this mapping" in lines[begin + 1]
    assert f"people: sent to hubspot contacts {CONTACT}" in lines[begin + 2]
    assert lines[begin + 2].endswith("userflow.activity[1]@0")
