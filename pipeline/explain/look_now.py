"""Asks the systems for an object, or for who holds a match value, and waits until the answer came down the road.

Only connectors call a system: they keep its limits and its credentials. What they read for this is published as every
lookup's answer is, so that what is found is known from then on; what nobody holds leaves no row behind.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final, Literal

from connectors.kafka.reading import Found
from pipeline.agents.configuration import IntegrationView
from pipeline.core.mapping import MappingView
from pipeline.core.matching import OWN_ID, normalised
from pipeline.explain.answer import Named, NamedPair, may_be_address
from pipeline.explain.by_key import coming, newest_rows
from pipeline.explain.reading import Tables, connected
from pipeline.explain.sources import Sources, record_of
from pipeline.operations import OperationRefused
from schemas.codec import Codec
from schemas.integrations import connector_of
from schemas.records import ChangeEvent, ConnectorRequest, DeadLetter, MatchedChange, Receipt
from schemas.state import ObjectState
from schemas.topics import (
    DEAD_LETTERS,
    INTEGRATIONS,
    MATCHES,
    OBJECTS_STATE,
    RECEIPTS,
    changes_topic,
    object_key,
    pair_key,
    requests_topic,
)
from schemas.values import SYSTEMS, System

WITHIN_S: Final = 8.0
LOOK_S: Final = 0.2
MOST_QUESTIONS: Final = 24
LONGEST: Final = 400  # characters of an id or a match value
LONGEST_NUMBER: Final = 20
ID_FIELDS: Final[Mapping[System, str]] = {"hubspot": "hs_object_id", "userflow": "id"}

LookWord = Literal["there", "not_there", "refused", "away", "silent", "not_taken", "erased", "impossible"]
LOOK_WORDS: Final[Mapping[LookWord, str]] = {
    "there": "it is there, and is known from now on",
    "not_there": "nobody there has it",
    "refused": "the system refused to tell",
    "away": "the system is away: it is asked once it is back, and what it tells is known then",
    "silent": "its connector did not answer in time; what it reads later is known then",
    "not_taken": "it is there, and no worker has taken that in time",
    "erased": "it was erased, so that nobody was asked",
    "impossible": "no id of that system looks like this, so that nobody was asked",
}
LOOK_NOW: Final = "look now"
"""What the audit calls it."""
Publish = Callable[[Sequence[tuple[str, str, ConnectorRequest]]], None]
"""Publishes records, (topic, key, record) each; blocks."""


@dataclass(frozen=True, slots=True)
class Question:
    """One system is asked by one field."""

    integration: str
    connection: int
    system: System
    object_type: str
    by: str  # the field
    mapping: str  # empty: it is asked for by its id, whatever mappings match by
    by_email: bool = False
    text: str = field(default="", repr=False)

    @property
    def possible(self) -> bool:
        """Whether such an id may be there: HubSpot's are numbers; no record holds half a character."""
        if not self.text or len(self.text) > LONGEST or any("\ud800" <= one <= "\udfff" for one in self.text):
            return False
        if (self.system, self.by) != ("hubspot", ID_FIELDS["hubspot"]):
            return True
        number = self.text.isascii() and self.text.isdigit() and self.text[0] != "0"
        return number and len(self.text) <= LONGEST_NUMBER

    @property
    def object_key(self) -> str:
        return object_key(self.integration, self.connection, self.system, self.object_type, self.text)

    @property
    def pair_key(self) -> str:
        """The pair that asks; that of no mapping tells only that nobody has the id."""
        return pair_key(self.integration, self.connection, self.mapping, self.text)

    @property
    def request(self) -> tuple[str, str, ConnectorRequest]:
        """Topic, key and record."""
        asked = ConnectorRequest(
            *(self.integration, self.connection, "lookup", self.object_type, (self.text,), self.by),
            mapping=self.mapping or None,
            by_email=self.by_email,
            tell_missing=True,
        )
        return requests_topic(self.system), self.integration, asked


@dataclass(frozen=True, slots=True)
class Looked:
    """What one question came to."""

    integration: str
    system: System
    object_type: str
    by: str  # the field by which it was asked for
    word: LookWord
    object_ids: tuple[str, ...] = ()  # who was found
    reason: str | None = None  # stable code: why nothing was told

    @property
    def found(self) -> tuple[Named, ...]:
        return tuple(Named(self.system, self.object_type, one) for one in self.object_ids)


def place_of(asked: Named | NamedPair) -> str:
    """How the audit names it: a match value, and an id that may be an address of a person, stand in no audit."""
    if isinstance(asked, NamedPair):
        return f"{asked.mapping} (a match value that is hidden)"
    shown = "(an id that is hidden)" if may_be_address(asked.object_id) else asked.object_id
    return f"{asked.system} {asked.object_type} {shown}"


def about_object(name: str, view: IntegrationView, named: Named) -> Question:
    """By its id."""
    where = (named.system, named.object_type, ID_FIELDS[named.system])
    return Question(name, view.connection, *where, mapping="", text=named.object_id)


def about_pair(name: str, view: IntegrationView, mapping: MappingView, value: str) -> list[Question]:
    """By its match value, in both systems."""
    return [_of_mapping(name, view, mapping, system, value) for system in SYSTEMS]


def about_text(name: str, view: IntegrationView, text: str, where: tuple[System, str] | None = None) -> list[Question]:
    """By whatever the text may be, an id or a match value, of every type that mappings name, or of one.

    What cannot be such an id is not asked, nor is an email where emails match: the pair's request finds its holders,
    and an erasure knows that pair. Raises OperationRefused where that would be too many questions.
    """
    found: dict[Question, None] = {}
    for mapping in view.mappings.values():
        for system in SYSTEMS:
            object_type = mapping.object_type(system)
            if where not in (None, (system, object_type)):
                continue
            address = may_be_address(text)
            if not (address and mapping.by_email):
                found[about_object(name, view, Named(system, object_type, text))] = None
            if (address or not mapping.by_email) and mapping.match_field(system) not in OWN_ID:
                found[_of_mapping(name, view, mapping, system, text)] = None
    possible = [one for one in found if one.possible]
    if len(possible) > MOST_QUESTIONS:
        raise OperationRefused(f"that would be {len(possible)} questions. Fix: say in which system and type to look")
    return possible


def _of_mapping(name: str, view: IntegrationView, mapping: MappingView, system: System, value: str) -> Question:
    text = normalised(value, by_email=mapping.by_email) or ""
    where = (system, mapping.object_type(system), mapping.match_field(system))
    return Question(name, view.connection, *where, mapping.name, mapping.by_email, text)


def questions_of(tables: Tables, asked: Named | NamedPair, integration: str | None = None) -> list[Question]:
    """Those about an object, in each connected integration that maps its type, or about a pair."""
    views = sorted(connected(tables).items())
    if isinstance(asked, NamedPair):
        return [
            question
            for name, view in views
            if name == asked.integration and asked.mapping in view.mappings
            for question in about_pair(name, view, view.mappings[asked.mapping], asked.match_value)
        ]
    return [
        about_object(name, view, asked)
        for name, view in views
        if integration in (None, name) and view.of_type(asked.system, asked.object_type)
    ]


def look_now(
    sources: Sources, tables: Tables, questions: Sequence[Question], publish: Publish, within_s: float = WITHIN_S
) -> list[Looked]:
    """Ask, and wait for the answers as long as that; what comes later is known then. Blocks.

    Raises BrokersUnreachable, and PublishFailed where nothing was asked.
    """
    erased = _erased(sources, questions)
    told = {one: before for one in questions if (before := _before(tables, one, erased)) is not None}
    asked = [one for one in questions if one not in told or told[one].word == "away"]
    waited = [one for one in asked if one not in told]
    if waited:
        watch = _Watch(sources.codec, waited)
        with coming(sources, watch.keys) as take:
            publish([one.request for one in asked])
            told |= watch.answers(take, within_s)
    elif asked:
        publish([one.request for one in asked])
    return [told[one] for one in questions]


def _erased(sources: Sources, questions: Collection[Question]) -> set[str]:
    """The keys of the objects that are asked for by their id and were erased."""
    keys = {one.object_key for one in questions if one.possible and not one.mapping}
    rows = newest_rows(sources, OBJECTS_STATE, keys).items()
    return {key for key, row in rows if isinstance(row, ObjectState) and row.erased_ms}


def _before(tables: Tables, question: Question, erased: Collection[str]) -> Looked | None:
    """What is told of a question that nobody waits for."""
    if not question.possible:
        return _told(question, "impossible")
    if not question.mapping and question.object_key in erased:
        return _told(question, "erased")
    state = connector_of(tables.table(INTEGRATIONS), question.integration, question.system)
    if state is None or state.connection != question.connection:
        return None
    denied = state.denied.get(f"{question.object_type}.read")
    if denied is not None:
        return _told(question, "refused", reason=denied)
    return _told(question, "away", reason=state.reason) if state.status != "ok" else None


def _told(question: Question, word: LookWord, found: Iterable[str] = (), reason: str | None = None) -> Looked:
    return Looked(
        *(question.integration, question.system, question.object_type, question.by, word),
        tuple(found),
        reason,
    )


class _Watch:
    """What comes of questions, on the topics that an answer passes."""

    def __init__(self, codec: Codec, questions: Collection[Question]) -> None:
        self._codec = codec
        self._waiting = {one: _Heard() for one in questions}
        self._by_key: dict[tuple[str, str], list[Question]] = defaultdict(list)
        for one in questions:
            for place in _places(one):
                self._by_key[place].append(one)

    @property
    def keys(self) -> Collection[tuple[str, str]]:
        """Topic and key of all that is waited for."""
        return self._by_key.keys()

    def answers(self, take: Callable[[float], Iterable[Found]], within_s: float) -> dict[Question, Looked]:
        """As they come, until all are there or the time is over."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline and not all(one.over for one in self._waiting.values()):
            for found in take(LOOK_S):
                self._hear(found)
        return {question: heard.told(question) for question, heard in self._waiting.items()}

    def _hear(self, found: Found) -> None:
        record = record_of(self._codec, found.topic, found.value)
        for question in self._by_key[found.topic, found.key.decode(errors="replace")]:
            self._waiting[question].hear(question, record)


def _places(question: Question) -> Iterable[tuple[str, str]]:
    """Topic and key of what an answer becomes: the object by its id, the pair by its match value, or a refusal."""
    refusals = (DEAD_LETTERS, question.object_key), (RECEIPTS, question.pair_key)
    if question.mapping:
        return chain(refusals, [(MATCHES, question.pair_key)])
    changes = (changes_topic(question.system), question.object_key)
    return chain(refusals, [changes, (OBJECTS_STATE, question.object_key)])


@dataclass(slots=True)
class _Heard:
    """What was heard of one question."""

    read: bool = False  # the connector told of the object
    found: dict[str, None] = field(default_factory=dict)
    missed: bool = False
    refused: str | None = None

    @property
    def over(self) -> bool:
        return bool(self.found) or self.missed or self.refused is not None

    def hear(self, question: Question, record: Any) -> None:
        match record:
            case ChangeEvent(operation="upserted"):
                self.read = True
            case ObjectState(present=True):
                self.found[question.text] = None
            case MatchedChange(presence="joined") if record.system == question.system:
                self.found[record.object_id] = None
            case Receipt(kind="missed") if record.system == question.system:
                self.missed = self.missed or record.object_type == question.object_type
            case DeadLetter() if record.stage == f"{question.system}.source":
                self.refused = record.reason

    def told(self, question: Question) -> Looked:
        if self.found:
            return _told(question, "there", self.found)
        if self.missed:
            return _told(question, "not_there")
        if self.refused is not None:
            return _told(question, "refused", reason=self.refused)
        return _told(question, "not_taken" if self.read else "silent")
