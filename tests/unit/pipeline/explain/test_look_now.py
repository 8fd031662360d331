"""Asking systems for an object now: which questions, what answers come to, and what nobody waits for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from connectors.kafka.cluster import Cluster
from connectors.kafka.partitioner import partition_of
from connectors.kafka.reading import Found
from pipeline.agents.configuration import IntegrationView
from pipeline.core.mapping import MappingView
from pipeline.explain import by_key
from pipeline.explain.answer import Named, NamedPair
from pipeline.explain.look_now import (
    LONGEST,
    MOST_QUESTIONS,
    Looked,
    Question,
    about_text,
    look_now,
    place_of,
    questions_of,
)
from pipeline.explain.sources import Sources
from pipeline.operations import OperationRefused
from schemas.codec import Codec
from schemas.configuration import ConnectorState, IntegrationPart, IntegrationSettings, SystemSettings
from schemas.letters import letter_of_no_record
from schemas.records import ConnectorRequest, Receipt
from schemas.registry import LocalRegistry
from schemas.state import ObjectState
from schemas.topics import (
    DEAD_LETTERS,
    HUBSPOT_CHANGES,
    MAPPINGS,
    MATCHES,
    OBJECTS_STATE,
    RECEIPTS,
    object_key,
    pair_key,
)
from tests.unit.pipeline.core.given import CONTACT, EMAIL, contact, joined, mapping

CODEC = Codec(LocalRegistry())
SOURCES = Sources(Cluster({}), CODEC, 4, 900_000, lambda: 60_000)
SECTION = SystemSettings("1")
SETTINGS = IntegrationSettings(1, 1, 1, "active", "ask", "done", None, "", SECTION, SECTION)
VIEW = mapping()
CONTACT_99 = Named("hubspot", "contacts", "99")
KEY_99 = object_key("acme", 1, "hubspot", "contacts", "99")
ROW = ObjectState(revision=1, present=True, at_ms=1, spread_ms=0, fields={}, matches={})
Message = tuple[str, str, Any]


@dataclass
class World:
    """One integration whose answers come as a test says."""

    states: dict[str, ConnectorState] = field(default_factory=dict)
    settings: IntegrationSettings = SETTINGS
    kept: dict[str, ObjectState] = field(default_factory=dict)
    answers: list[list[Message]] = field(default_factory=list)
    sent: list[Message] = field(default_factory=list)
    watched: bool = False
    now_s: float = 0.0
    rows_read: list[set[str]] = field(default_factory=list)
    followed: set[tuple[str, int]] = field(default_factory=set)

    def table(self, topic: str) -> Mapping[str, Any]:
        if topic == MAPPINGS:
            return {"acme/people": VIEW.record}
        parts = {f"acme/{system}": IntegrationPart("acme", connector=one) for system, one in self.states.items()}
        return {"acme/settings": IntegrationPart("acme", settings=self.settings), **parts}

    def rows_of(self, _: object, topic: str, __: int, keys: Sequence[str]) -> dict[str, bytes]:
        assert topic == OBJECTS_STATE
        self.rows_read.append(set(keys))
        return {key: CODEC.encode(topic, self.kept[key]) for key in keys if key in self.kept}

    def publish(self, messages: Sequence[Message]) -> None:
        self.sent += messages

    def look(self, *questions: Question) -> list[Looked]:
        return look_now(SOURCES, self, questions, self.publish)

    def about(self, asked: Named | NamedPair) -> list[Looked]:
        return self.look(*questions_of(self, asked))

    # what a `Reading` gives
    def __call__(self, _: object, begins: Mapping[tuple[str, int], int], *, follows: bool) -> "World":
        assert follows and not self.sent  # watched from before it is asked: no answer comes too early
        self.followed = set(begins)
        return self

    def __enter__(self) -> "World":
        self.watched = True
        return self

    def __exit__(self, *_: object) -> None:
        self.watched = False

    def take(self, within_s: float) -> list[Found]:
        assert self.sent and self.watched
        self.now_s += within_s
        some = self.answers.pop(0) if self.answers else []
        return [Found(topic, 0, 1, key.encode(), CODEC.encode(topic, record), (), 1) for topic, key, record in some]


@pytest.fixture
def it(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    monkeypatch.setattr(by_key, "rows_of", world.rows_of)
    monkeypatch.setattr(by_key, "Reading", world)
    monkeypatch.setattr(by_key, "Admin", lambda _: Ends())
    monkeypatch.setattr("pipeline.explain.look_now.time.monotonic", lambda: world.now_s)
    return world


class Ends:
    def end_offsets(self, topics: Sequence[str]) -> dict[tuple[str, int], int]:
        return {(topic, number): 7 for topic in topics for number in range(4)}


def missed(mapping: str = "", text: str = "99", **more: Any) -> Message:
    asked: dict[str, Any] = {"system": "hubspot", "object_type": "contacts"} | more
    told = Receipt("acme", 1, 0, mapping, text, object_id="", kind="missed", fields={}, **asked)
    return RECEIPTS, pair_key("acme", 1, mapping, text), told


def refused(stage: str = "hubspot.source", key: str = KEY_99) -> Message:
    told = letter_of_no_record(
        id="1" * 32, integration="acme", stage=stage, reason="http_400", detail="", at_ms=1, key=key
    )
    return DEAD_LETTERS, key, told


class TestById:
    def test_its_connector_is_asked_and_it_is_there_once_its_row_is(self, it: World) -> None:
        it.answers = [[(HUBSPOT_CHANGES, KEY_99, contact(1_000, {}, id="99"))], [], [(OBJECTS_STATE, KEY_99, ROW)]]
        (told,) = it.about(CONTACT_99)
        assert (told.word, told.found, it.answers) == ("there", (CONTACT_99,), [])
        ((topic, key, asked),) = it.sent
        assert (topic, key) == ("hubspot.requests", "acme")
        wanted = ConnectorRequest("acme", 1, "lookup", "contacts", ("99",), "hs_object_id", tell_missing=True)
        assert asked == wanted
        assert not it.watched

    def test_what_is_not_there_leaves_no_row_and_no_pair(self, it: World) -> None:
        it.answers = [[missed()]]
        (told,) = it.about(CONTACT_99)
        assert (told.word, told.found, told.reason) == ("not_there", (), None)

    def test_what_the_system_refuses_is_told_with_its_reason(self, it: World) -> None:
        it.answers = [[refused()]]
        (told,) = it.about(CONTACT_99)
        assert (told.word, told.reason) == ("refused", "http_400")

    @pytest.mark.parametrize(
        "other",
        [
            missed(object_type="deals"),
            missed(system="userflow", object_type="users"),
            missed(text="98"),
            missed(mapping="people"),
            refused("pairs"),
            refused(key=object_key("acme", 1, "hubspot", "contacts", "98")),
            (OBJECTS_STATE, object_key("acme", 2, "hubspot", "contacts", "99"), ROW),
            (OBJECTS_STATE, KEY_99, replace(ROW, present=False)),
        ],
    )
    def test_an_answer_to_another_question_is_none(self, it: World, other: Message) -> None:
        it.answers = [[other]]
        assert [one.word for one in it.about(CONTACT_99)] == ["silent"]

    def test_a_silent_connector_is_waited_for_so_long_and_no_longer(self, it: World) -> None:
        assert [one.word for one in it.about(CONTACT_99)] == ["silent"]
        assert 8.0 <= it.now_s < 8.5

    def test_what_no_worker_takes_is_told_apart_from_what_no_connector_reads(self, it: World) -> None:
        it.answers = [[(HUBSPOT_CHANGES, KEY_99, contact(1_000, {}, id="99"))]]
        assert [one.word for one in it.about(CONTACT_99)] == ["not_taken"]

    @pytest.mark.parametrize("status", ["unavailable", "needs_reconnect", "failed"])
    def test_a_system_that_is_away_is_asked_and_nobody_waits(self, it: World, status: Any) -> None:
        it.states["hubspot"] = ConnectorState(1, 1, 1, status, reason="http_503")
        (told,) = it.about(CONTACT_99)
        assert (told.word, told.reason, it.now_s) == ("away", "http_503", 0.0)
        assert len(it.sent) == 1  # it is read once the system is back

    def test_what_a_former_connection_reported_counts_no_longer(self, it: World) -> None:
        it.states["hubspot"] = ConnectorState(9, 1, 1, "failed", reason="http_503")
        it.answers = [[missed()]]
        assert [one.word for one in it.about(CONTACT_99)] == ["not_there"]

    def test_a_type_that_may_not_be_read_is_not_asked_for(self, it: World) -> None:
        it.states["hubspot"] = ConnectorState(1, 1, 1, "ok", denied={"contacts.read": "missing_scopes"})
        (told,) = it.about(CONTACT_99)
        assert (told.word, told.reason, it.sent) == ("refused", "missing_scopes", [])

    def test_who_was_erased_is_not_asked_for(self, it: World) -> None:
        it.kept[KEY_99] = replace(ROW, present=False, erased_ms=5)
        assert [one.word for one in it.about(CONTACT_99)] == ["erased"]
        assert it.sent == []

    @pytest.mark.parametrize("id", ["", "ada", "0099", "٩٩", "-1", "9" * 21, "99 ", "99\n", "9\ud800"])
    def test_what_no_contact_can_be_called_is_not_asked_for(self, it: World, id: str) -> None:
        assert [one.word for one in it.about(Named("hubspot", "contacts", id))] == ["impossible"]
        assert it.sent == []

    @pytest.mark.parametrize("id", ["", "u\udcff", "u" * (LONGEST + 1)])
    def test_nor_is_what_no_record_holds(self, it: World, id: str) -> None:
        assert [one.word for one in it.about(Named("userflow", "users", id))] == ["impossible"]

    @pytest.mark.parametrize("id", ["../users", "a/b?c", "<script>", "\u202e", "x" * LONGEST, EMAIL, "\x00"])
    def test_userflow_may_be_asked_for_anything_else(self, it: World, id: str) -> None:
        it.answers = [[missed(text=id, system="userflow", object_type="users")]]
        assert [one.word for one in it.about(Named("userflow", "users", id))] == ["not_there"]
        assert it.sent[0][2].values == (id,)

    def test_a_disconnected_integration_is_asked_nothing(self, it: World) -> None:
        it.settings = replace(SETTINGS, state="disconnected")
        assert it.about(CONTACT_99) == [] and it.about(NamedPair("acme", "people", EMAIL)) == []
        assert it.about(Named("hubspot", "deals", "1")) == []

    def test_rows_are_read_once_and_only_the_partitions_that_an_answer_passes_are_followed(self, it: World) -> None:
        about = [replace(CONTACT_99, object_id=text) for text in ("99", "100")]
        it.answers = [[missed(), missed(text="100")]]
        told = it.look(*(one for each in about for one in questions_of(it, each)))
        assert [one.word for one in told] == ["not_there", "not_there"]
        keys = {object_key("acme", 1, "hubspot", "contacts", text) for text in ("99", "100")}
        assert it.rows_read == [keys]
        receipts = {pair_key("acme", 1, "", text) for text in ("99", "100")}
        topics = {DEAD_LETTERS: keys, HUBSPOT_CHANGES: keys, OBJECTS_STATE: keys, RECEIPTS: receipts}
        assert it.followed == {(topic, partition_of(key, 4)) for topic, some in topics.items() for key in some}

    def test_what_comes_beside_under_other_keys_is_no_answer(self, it: World) -> None:
        other = object_key("acme", 1, "hubspot", "contacts", "98")
        it.answers = [[(OBJECTS_STATE, other, ROW), refused(key=other)]]
        assert [one.word for one in it.about(CONTACT_99)] == ["silent"]


class TestByMatchValue:
    def test_both_systems_are_asked_who_holds_it(self, it: World) -> None:
        found = (MATCHES, pair_key("acme", 1, "people", EMAIL), joined("hubspot", CONTACT, 1_000, {}))
        it.answers = [[found], [missed("people", EMAIL, system="userflow", object_type="users")]]
        hubspot, userflow = it.about(NamedPair("acme", "people", f" {EMAIL.upper()} "))
        assert (hubspot.word, hubspot.object_ids, hubspot.by) == ("there", (CONTACT,), "email")
        assert (userflow.word, userflow.object_ids) == ("not_there", ())
        assert [(topic, one.values, one.mapping, one.by_email) for topic, _, one in it.sent] == [
            ("hubspot.requests", (EMAIL,), "people", True),
            ("userflow.requests", (EMAIL,), "people", True),
        ]

    def test_a_holder_on_one_side_is_no_answer_of_the_other(self, it: World) -> None:
        it.answers = [[(MATCHES, pair_key("acme", 1, "people", EMAIL), joined("userflow", "u-1", 1_000, {}))]]
        hubspot, userflow = it.about(NamedPair("acme", "people", EMAIL))
        assert (hubspot.word, userflow.word) == ("silent", "there")


def view_of(*mappings: MappingView) -> IntegrationView:
    return IntegrationView(1, 1, True, {one.name: one for one in mappings})


class TestByWhateverItMayBe:
    def asked(self, text: str, *mappings: MappingView, where: Any = None) -> list[tuple[str, str, str]]:
        found = about_text("acme", view_of(*(mappings or (VIEW,))), text, where)
        return [(one.system, one.object_type, one.by) for one in found]

    def test_a_number_may_be_an_id_of_either(self) -> None:
        assert self.asked("99") == [("hubspot", "contacts", "hs_object_id"), ("userflow", "users", "id")]

    def test_an_email_is_asked_for_as_one_where_emails_match(self) -> None:
        assert self.asked(EMAIL) == [("hubspot", "contacts", "email"), ("userflow", "users", "email")]
        by_id = mapping(match_hubspot="userflow_id", match_userflow="id")
        assert self.asked(EMAIL, by_id) == [("hubspot", "contacts", "userflow_id"), ("userflow", "users", "id")]

    def test_one_type_is_asked_where_one_is_named(self) -> None:
        assert self.asked("99", where=("userflow", "users")) == [("userflow", "users", "id")]
        assert self.asked("99", where=("userflow", "companies")) == []

    def test_another_match_field_may_hold_any_text_and_an_id_is_asked_for_once(self) -> None:
        by_id = mapping(name="by-id", match_hubspot="userflow_id", match_userflow="id")
        assert self.asked("u-1", VIEW, by_id) == [("userflow", "users", "id"), ("hubspot", "contacts", "userflow_id")]

    def test_too_many_questions_are_refused_with_what_to_do(self) -> None:
        many = [
            mapping(name=f"m-{number}", match_hubspot=f"p{number}", match_userflow="id")
            for number in range(MOST_QUESTIONS)
        ]
        with pytest.raises(OperationRefused, match=r"25 questions. Fix: say in which system"):
            self.asked("u-1", *many)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (CONTACT_99, "hubspot contacts 99"),
        (Named("userflow", "users", EMAIL), "userflow users (an id that is hidden)"),
        (NamedPair("acme", "people", EMAIL), "people (a match value that is hidden)"),
    ],
)
def test_no_address_stands_in_the_audit(asked: Named | NamedPair, said: str) -> None:
    assert place_of(asked) == said


def test_no_match_value_is_in_what_may_be_logged() -> None:
    assert EMAIL not in repr(about_text("acme", view_of(VIEW), EMAIL))
