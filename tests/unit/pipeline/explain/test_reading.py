"""What is read to explain an object: its rows by their keys, and of each topic as much as there is time for."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest

from connectors.kafka.backwards import Slice
from connectors.kafka.cluster import Cluster
from connectors.kafka.partitioner import partition_of
from connectors.kafka.spans import Found, Seen
from pipeline.explain import by_key, events_reading, reading
from pipeline.explain.answer import Named, NamedPair
from pipeline.explain.reading import NEAR_MS, explain_object, explain_pair
from pipeline.explain.retained import Retained
from pipeline.explain.sources import Search, Sources
from pipeline.explain.trace import Between
from schemas.codec import Codec
from schemas.configuration import IntegrationPart, IntegrationSettings, SystemSettings
from schemas.records import FieldPatch
from schemas.registry import LocalRegistry
from schemas.topics import HUBSPOT_CHANGES, INTEGRATIONS, MAPPINGS, OBJECTS_STATE, PAIRS_STATE
from tests.unit.pipeline.core.given import CONTACT, EMAIL, USER, joined
from tests.unit.pipeline.explain.situations import EDIT, PLAN_EDIT, VIEW, Situation, in_step

CODEC = Codec(LocalRegistry())
SECTION = SystemSettings("1")
SETTINGS = IntegrationSettings(1, 1, 1, "active", "ask", "done", None, "", SECTION, SECTION)


@dataclass(frozen=True)
class Message:
    """A message as the client gives it."""

    at_ms: int
    number: int
    body: bytes

    def timestamp(self) -> tuple[int, int]:
        return 1, self.at_ms

    def offset(self) -> int:
        return self.number

    def value(self) -> bytes:
        return self.body


class Topics:
    """Brokers that hold what happened in a situation, each record in a slice of its own."""

    def __init__(self, it: Situation, monkeypatch: pytest.MonkeyPatch) -> None:
        self.it = it
        self.slices_read = 0
        self.keys: set[str] = set()
        self.rows_read: list[tuple[str, set[str]]] = []
        self.integrations = ["acme"]
        monkeypatch.setattr(by_key, "rows_of", self.rows_of)
        monkeypatch.setattr(by_key, "slices", self.slices)
        for module in (reading, events_reading):
            monkeypatch.setattr(module, "Admin", lambda _: self)
            monkeypatch.setattr(module, "read_spans", self.read_spans)
        self.times: list[tuple[str, int]] = []
        self.read: dict[tuple[str, int], tuple[int, int]] = {}
        self.published: list[Between] = []

    def table(self, topic: str) -> Mapping[str, Any]:
        if topic == MAPPINGS:
            return {f"{name}/people": replace(VIEW.record, integration=name) for name in self.integrations}
        if topic == INTEGRATIONS:
            return {f"{name}/settings": IntegrationPart(name, settings=SETTINGS) for name in self.integrations}
        return {}

    def rows_of(self, _: object, topic: str, __: int, keys: Collection[str]) -> dict[str, bytes]:
        rows: Mapping[str, Any] = self.it.middle.objects if topic == OBJECTS_STATE else self.it.middle.pairs
        assert topic in (OBJECTS_STATE, PAIRS_STATE)
        self.rows_read.append((topic, set(keys)))
        return {key: CODEC.encode(topic, rows[key]) for key in keys if key in rows}

    def offsets_at(self, topics: Collection[str], at_ms: int) -> dict[tuple[str, int], int]:
        self.times += [(topic, at_ms) for topic in topics]
        return {(topic, number): at_ms // 1_000 for topic in topics for number in range(4)}

    def read_spans(self, _: object, spans: Mapping[tuple[str, int], tuple[int, int]], seen: Seen) -> None:
        self.read.update(spans)
        over: set[tuple[str, int]] = set()
        for one in self.published:
            topic, number, offset = one.place
            if (topic, number) not in spans or (topic, number) in over:
                continue
            values = (b"nothing of ours", CODEC.encode(topic, one.record))
            if not all(seen(Found((topic, number), offset, one.at_ms, value)) for value in values):
                over.add((topic, number))

    def slices(self, _: object, topic: str, __: int, keys: Collection[bytes]) -> Iterator[Slice]:
        self.keys |= {key.decode() for key in keys}
        seen = [one for one in self.it.seen if one.place[0] == topic]
        for number, one in enumerate(reversed(seen)):
            self.slices_read += 1
            message = Message(one.at_ms, one.place[2], CODEC.encode(topic, one.record))
            yield Slice(cast(Any, (message,)), one.at_ms, one.place[2], whole=number == len(seen) - 1)


@pytest.fixture
def topics(monkeypatch: pytest.MonkeyPatch) -> Topics:
    return Topics(in_step(), monkeypatch)


SOURCES = Sources(Cluster({}), CODEC, 4, 900_000, lambda: 60_000)


def test_the_object_its_partner_and_their_pair_are_looked_for_each_under_its_key(topics: Topics) -> None:
    (told,) = explain_object(SOURCES, topics, Named("hubspot", "contacts", CONTACT))
    assert topics.keys == {
        f"acme:1:hubspot:contacts:{CONTACT}",
        f"acme:1:userflow:users:{USER}",
        f"acme:1:people:{EMAIL}",
    }
    assert [one.outcome for one in told.history.happenings] == ["written", "written"]
    assert told.history.complete and told.history.searched_since_ms == topics.it.seen[0].at_ms
    assert told.pairs[0].fields[0].took_ms == topics.it.seen[2].at_ms - EDIT.at_ms


def test_what_the_agents_made_of_the_last_change_is_read_of_that_time_alone(topics: Topics) -> None:
    matches, patches = partition_of(f"acme:1:people:{EMAIL}", 4), partition_of("acme", 4)
    matched = replace(joined("userflow", USER, 1_000, {}), caused_by=PLAN_EDIT)
    patch = FieldPatch("acme", 1, 1, "people", EMAIL, "hubspot", "contacts", CONTACT, {"tier": "pro"})
    topics.published = [
        Retained(("sync.matches", matches, 1), 1_850, matched),
        Retained(("sync.matches", (matches + 1) % 4, 1), 1_840, matched),
        Retained(("hubspot.field-patches", patches, 1), 1_860, patch),
        Retained(("hubspot.field-patches", patches, 2), 1_870, replace(patch, caused_by=PLAN_EDIT)),
    ]
    (told,) = explain_object(SOURCES, topics, Named("hubspot", "contacts", CONTACT))
    assert told.trace is not None
    hops = {hop.word: (hop.at_ms, hop.place) for hop in told.trace.hops}
    assert hops["matched"] == (1_850, ("sync.matches", matches, 1))
    assert hops["derived"] == (1_870, ("hubspot.field-patches", patches, 2))
    assert topics.read.keys() == {("sync.matches", matches), ("hubspot.field-patches", patches)}
    news = topics.it.seen[1]
    assert topics.times == [("hubspot.field-patches", news.at_ms), ("sync.matches", news.at_ms)]  # one question


def test_what_the_agents_published_after_the_write_is_no_part_of_its_way(topics: Topics) -> None:
    matches, answer = partition_of(f"acme:1:people:{EMAIL}", 4), topics.it.seen[3]
    matched = replace(joined("userflow", USER, 1_000, {}), caused_by=PLAN_EDIT)
    for at_ms, word in ((answer.at_ms, "matched"), (answer.at_ms + 1, "read")):
        topics.published = [Retained(("sync.matches", matches, 1), at_ms, matched)]
        (told,) = explain_object(SOURCES, topics, Named("hubspot", "contacts", CONTACT))
        assert told.trace is not None and told.trace.hops[-2].word == word


def test_of_a_change_that_took_long_the_agents_hops_are_left_out(topics: Topics) -> None:
    topics.it.seen[3] = replace(topics.it.seen[3], at_ms=topics.it.seen[1].at_ms + NEAR_MS + 1)
    (told,) = explain_object(SOURCES, topics, Named("hubspot", "contacts", CONTACT))
    assert told.trace is not None and topics.read == {}
    assert [hop.word for hop in told.trace.hops][-2:] == ["read", "written"]


def test_a_search_that_ran_out_of_time_tells_no_half_of_what_happened(topics: Topics) -> None:
    (told,) = explain_object(SOURCES, topics, Named("hubspot", "contacts", CONTACT), search=Search(10, 0.0))
    assert not told.history.complete
    newest = max(one.at_ms for one in topics.it.seen if one.place[0] == HUBSPOT_CHANGES)
    assert told.history.searched_since_ms == newest
    assert all(one.at_ms >= newest for one in told.history.happenings)
    assert [one.word for one in told.pairs[0].fields] == ["written", "written"]  # the rows say that by themselves


def test_the_rows_of_all_integrations_are_read_at_once(topics: Topics) -> None:
    """Of many integrations, each would cost a look through its partitions."""
    topics.integrations = ["acme", "beta", "gamma"]
    rows = topics.it.middle.objects
    for name in topics.integrations:
        rows |= {key.replace("acme", name, 1): row for key, row in list(rows.items()) if key.startswith("acme")}
    told = explain_object(SOURCES, topics, Named("hubspot", "contacts", CONTACT), search=Search(0))
    assert [(one.integration, len(one.pairs)) for one in told] == [("acme", 1), ("beta", 1), ("gamma", 1)]
    assert topics.rows_read == [
        (OBJECTS_STATE, {f"{name}:1:hubspot:contacts:{CONTACT}" for name in topics.integrations}),
        (PAIRS_STATE, {f"{name}:1:people:{EMAIL}" for name in topics.integrations}),
    ]


def test_a_search_for_events_that_met_none_in_time_does_not_say_that_there_are_none(
    topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slices(*_: object) -> Iterator[Slice]:
        yield Slice((), None, 2_000, whole=False)  # of aborted transactions alone
        yield Slice((), None, 0, whole=True)

    monkeypatch.setattr(by_key, "slices", slices)
    (told,) = explain_object(SOURCES, topics, Named("userflow", "users", USER), search=Search(10, 0.0))
    assert not told.events.complete and told.events.happened == ()


def test_no_history_is_read_where_none_is_wanted(topics: Topics) -> None:
    (told,) = explain_object(SOURCES, topics, Named("hubspot", "contacts", CONTACT), search=Search(0))
    assert topics.slices_read == 0 and not told.history.complete


def test_a_pair_is_found_by_its_match_value_however_it_is_written(topics: Topics) -> None:
    told = explain_pair(SOURCES, topics, NamedPair("acme", "people", f" {EMAIL.upper()}"))
    assert told is not None and told.named is None
    assert told.pairs[0].word == "paired"
    assert explain_pair(SOURCES, topics, NamedPair("acme", "companies", EMAIL)) is None


def test_who_was_never_seen_has_no_pairs_and_is_looked_for_under_one_key(topics: Topics) -> None:
    (told,) = explain_object(SOURCES, topics, Named("hubspot", "contacts", "99"))
    assert (told.word, told.pairs) == ("never_seen", ())
    assert topics.keys == {"acme:1:hubspot:contacts:99"}


def test_an_integration_without_the_type_or_of_another_name_is_left_out(topics: Topics) -> None:
    assert explain_object(SOURCES, topics, Named("hubspot", "deals", "1")) == []
    assert explain_object(SOURCES, topics, Named("hubspot", "contacts", CONTACT), "other") == []
