"""A console's letters outlive brokers that go away in the middle of a look, and are sorted only where they changed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from connectors.kafka.groups import BrokersUnreachable
from connectors.kafka.reading import Found
from pipeline.commands import letter_log
from pipeline.commands.letter_log import LetterLog
from pipeline.console.letters import INDEX_MS, Indexing
from pipeline.operations.letter_report import Told
from pipeline.operations.letter_standing import Standing
from pipeline.operations.letters import Letter
from schemas.codec import Codec
from schemas.configuration import IntegrationPart, IntegrationSettings, SystemSettings
from schemas.records import DeadLetter
from schemas.registry import LocalRegistry
from schemas.topics import DEAD_LETTERS, INTEGRATIONS, PAIRS_STATE
from tests.unit.pipeline.operations.test_letters import field_letter, one, refused_pair

CODEC = Codec(LocalRegistry())


class Topic:
    """What one topic got since it was asked last; once, brokers go away before the end of it."""

    def __init__(self) -> None:
        self.new: list[Found] = []
        self.away = False

    def news(self) -> Iterator[Found]:
        while self.new:
            yield self.new.pop(0)
        if self.away:
            self.away = False
            raise BrokersUnreachable("gone in the middle")


class It:
    """A log whose brokers and desk are this test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.letters, self.pairs = Topic(), Topic()
        self.begin = 0
        self.judged_ids: list[list[str]] = []
        self.marks: Mapping[str, Any] = {}
        self.settings: dict[str, IntegrationPart] = {}
        self._offset = 0
        topics = {DEAD_LETTERS: self.letters, PAIRS_STATE: self.pairs}
        monkeypatch.setattr(letter_log, "Tail", lambda _, begins: topics[next(iter(begins))[0]])
        monkeypatch.setattr(letter_log, "rows_of", lambda *_: {})
        admin = SimpleNamespace(begin_offsets=lambda _: {(DEAD_LETTERS, 0): self.begin})
        process = SimpleNamespace(
            cluster=None, settings=SimpleNamespace(partitions=1), codec=CODEC, admin=lambda: admin
        )
        tables = SimpleNamespace(table=lambda topic: self.settings if topic == INTEGRATIONS else {})
        self.log = LetterLog(cast(Any, process), cast(Any, tables), cast(Any, self))

    def judged(self, letters: Sequence[Letter], *_: object) -> Iterator[Told]:
        self.judged_ids.append(sorted(letter.id for letter in letters))
        return (Told(letter, Standing("mended")) for letter in letters)

    def came(self, letter: DeadLetter) -> None:
        value = CODEC.encode(DEAD_LETTERS, letter)
        self.letters.new.append(Found(DEAD_LETTERS, 0, self._offset, letter.key.encode(), value, (), 0))
        self._offset += 1

    def row_changed(self, key: str) -> None:
        self.pairs.new.append(Found(PAIRS_STATE, 0, 0, key.encode(), b"row", (), 0))

    def in_force(self, name: str, revision: int) -> None:
        system = SystemSettings("1")
        settings = IntegrationSettings(1, revision, revision, "active", "a1", "done", None, "", system, system)
        self.settings[f"{name}/settings"] = IntegrationPart(name, settings=settings)


@pytest.fixture
def it(monkeypatch: pytest.MonkeyPatch) -> It:
    return It(monkeypatch)


def letter(id: str, integration: str = "acme", at_ms: int = 1) -> DeadLetter:
    return replace(field_letter(id), id=id, integration=integration, key=f"{integration}:1:people:{id}", at_ms=at_ms)


def test_what_was_read_before_brokers_went_away_is_judged_by_the_next_look(it: It) -> None:
    it.came(letter("a"))
    it.pairs.away = True
    with pytest.raises(BrokersUnreachable):
        it.log.told()
    assert [told.now.word for told in it.log.told()] == ["mended"]
    it.row_changed(letter("a").key)
    it.pairs.away = True
    with pytest.raises(BrokersUnreachable):
        it.log.told()
    it.log.told()
    assert it.judged_ids[-1] == ["a"]


def test_what_was_judged_before_brokers_went_away_is_told_by_the_next_look(
    it: It, monkeypatch: pytest.MonkeyPatch
) -> None:
    it.came(letter("a"))
    before = it.log.told()
    monkeypatch.setattr(letter_log, "AT_ONCE", 1)
    it.row_changed(letter("a").key)
    it.pairs.away = True
    with pytest.raises(BrokersUnreachable):
        it.log.told()
    assert it.judged_ids == [["a"], ["a"]]
    assert it.log.told() is not before and it.judged_ids == [["a"], ["a"]]


def test_while_nothing_is_new_it_is_the_very_same_answer_and_nothing_is_judged_or_sorted(it: It) -> None:
    at_ms = [1]
    index = Indexing(it.log.told, lambda: at_ms[0])
    it.came(letter("b", at_ms=2))
    it.came(letter("a", at_ms=1))
    first, seen = it.log.told(), index.look()
    assert [told.letter.id for told in first] == ["a", "b"]
    assert it.log.told() is first and index.look() is seen
    assert it.judged_ids == [["a", "b"]]
    it.row_changed(letter("b").key)
    assert it.log.told() is not first and index.look() is not seen
    assert it.judged_ids == [["a", "b"], ["b"]]
    seen, at_ms[0] = index.look(), INDEX_MS + 2
    assert index.look() is not seen  # how many came in the last days is another number by now


def test_rules_that_change_concern_the_letters_of_their_integration_alone(it: It) -> None:
    it.in_force("acme", 1)
    it.in_force("globex", 1)
    it.came(letter("a"))
    it.came(letter("g", "globex"))
    it.log.told()
    it.in_force("globex", 2)
    it.log.told()
    assert it.judged_ids == [["a", "g"], ["g"]]


def test_what_retention_took_is_forgotten_and_judged_no_more(it: It) -> None:
    it.came(letter("a"))
    it.came(letter("b"))
    it.log.told()
    it.begin = 1
    assert [told.letter.id for told in it.log.told()] == ["b"]
    it.row_changed(letter("a").key)
    it.log.told()
    assert it.judged_ids == [["a", "b"]]


def test_letters_of_equal_values_are_alike_to_one_process_and_to_no_other(
    it: It, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused, other = one(field_letter()), one(field_letter("Duchess"))
    ours = it.log._alike(refused, refused_pair())
    assert ours and it.log._alike(refused, refused_pair(town="Paris")) == ours
    assert It(monkeypatch).log._alike(refused, refused_pair()) != ours
    assert it.log._alike(other, refused_pair()) == it.log._alike(refused, refused_pair(mended=True)) == 0


def test_a_few_that_changed_take_their_places_among_the_others(it: It, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letter_log, "FEW", 1)  # as if they were a few of many
    for number in range(8):
        it.came(letter(f"{number}", at_ms=number % 3))
        told = it.log.told()
        assert told == sorted(told, key=lambda one: (one.letter.letter.at_ms, one.letter.id))
        assert len(told) == number + 1
    it.came(letter("4", at_ms=9))  # written again
    it.begin = 1  # the first is retained no longer
    assert [one.letter.id for one in it.log.told()] == ["3", "6", "1", "7", "2", "5", "4"]
