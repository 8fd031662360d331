"""By a word that no letter has nothing is found, which would pass for good news: it is told instead."""

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import click
import pytest

from connectors.kafka.reading import Found
from pipeline.commands import letter_desk
from pipeline.commands.dead_letter_actions import check
from pipeline.commands.dead_letters import STAGE
from pipeline.commands.letter_desk import LetterDesk, shares
from pipeline.operations import OperationRefused
from pipeline.operations.letters import NoSuchLetter, Wanted
from schemas.records import DeadLetter
from schemas.runs import RunProgress
from schemas.topics import DEAD_LETTERS, REPLAYS, RUNS, TopicAndPartition
from tests.unit.pipeline.operations.test_connect import parts
from tests.unit.pipeline.operations.test_letters import CODEC, found, record_letter

RUN = "1800000000000-aaaa"
OF_REPLAY = "1800000000001-bbbb"


class Tables:
    """Acme is connected; one full sync ran, and one replay."""

    def table(self, topic: str) -> Any:
        row = RunProgress(RUN, "acme", "run", "completed", 1, 1)
        return {RUNS: {RUN: row}, REPLAYS: {OF_REPLAY: None}}.get(topic, parts())


def letter(reason: str, integration: str = "acme", run_id: str | None = None) -> Any:
    told = SimpleNamespace(integration=integration, reason=reason)
    return SimpleNamespace(letter=told, about=SimpleNamespace(run_id=run_id))


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(integration="acme"),
        Wanted(integration="forgotten"),
        Wanted(reason="invalid_option"),
        Wanted(reason="not_a_number"),
        Wanted(reason="the_systems_own"),
        Wanted(run=RUN),
        Wanted(run=OF_REPLAY),
        Wanted(run="expired"),
    ],
)
def test_what_there_is_or_could_be_is_looked_for(wanted: Wanted) -> None:
    check(wanted, [letter("the_systems_own", "forgotten", "expired")], Tables())  # type: ignore[arg-type]


@pytest.mark.parametrize("letters", [[], [letter("undecodable")]])
@pytest.mark.parametrize(
    ("wanted", "kind", "told"),
    [
        (Wanted(integration="acne"), OperationRefused, "no integration acne; there are: acme"),
        (Wanted(reason="invalid_options"), click.UsageError, "Did you mean invalid_option?"),
        (Wanted(run="1800000000000-cccc"), NoSuchLetter, "no full sync or replay 1800000000000-cccc"),
    ],
)
def test_what_is_nowhere_is_told(wanted: Wanted, kind: type[Exception], told: str, letters: list[Any]) -> None:
    with pytest.raises(kind) as refused:
        check(wanted, letters, Tables())  # type: ignore[arg-type]
    message = refused.value.message if isinstance(refused.value, click.UsageError) else str(refused.value)
    assert told in message


@pytest.mark.parametrize("word", ["objects", "hubspot.timeline", "userflow.source", "hubspot.changes"])
def test_stages_and_topics_are_taken(word: str) -> None:
    assert STAGE.convert(word, None, None) == word


@pytest.mark.parametrize(
    ("there", "most", "taken"),
    [
        ([5, 5], 100, [5, 5]),
        ([100, 100], 10, [5, 5]),
        ([2, 100, 0], 10, [2, 8, 0]),  # what one does not fill goes to the others
        ([100, 100, 100], 10, [3, 3, 4]),
        ([100, 100], 1, [0, 1]),
        ([], 10, []),
    ],
)
def test_so_many_are_looked_at_and_no_more(there: list[int], most: int, taken: list[int]) -> None:
    found = shares({(DEAD_LETTERS, number): size for number, size in enumerate(there)}, most)
    assert [found[DEAD_LETTERS, number] for number in range(len(there))] == taken


def newest(monkeypatch: pytest.MonkeyPatch, letters: list[DeadLetter], each: int, most: int) -> tuple[list[str], int]:
    """What is looked at of a topic that holds a letter at every so manieth offset; its ids, and how many are older."""
    there = [found(letter, number * each) for number, letter in enumerate(letters)]
    end = {(DEAD_LETTERS, 0): len(letters) * each}
    admin = SimpleNamespace(begin_offsets=lambda _: {(DEAD_LETTERS, 0): 0}, end_offsets=lambda _: end)
    settings = SimpleNamespace(partitions=1)
    process: Any = SimpleNamespace(cluster=None, codec=CODEC, settings=settings, admin=lambda: admin)

    def read_to_end(_: object, begins: dict[TopicAndPartition, int]) -> Iterator[Found]:
        return (one for one in there if one.offset >= begins[DEAD_LETTERS, 0])

    monkeypatch.setattr(letter_desk, "read_to_end", read_to_end)
    some, older = LetterDesk(process, cast(Any, Tables())).newest(most)
    return [one.id for one in some], older


@pytest.mark.parametrize(
    ("each", "most", "looked_at", "older"),
    [
        (1, 1_000, 40, 0),
        (1, 10, 10, 30),
        (4, 10, 5, 140),  # markers between them: half of what is wanted is near enough
        (40, 10, 2, 1_520),  # and no more than so many offsets
    ],
)
def test_the_newest_letters_are_looked_at(
    monkeypatch: pytest.MonkeyPatch, each: int, most: int, looked_at: int, older: int
) -> None:
    letters = [replace(record_letter(), id=f"{number:032d}", at_ms=number) for number in range(40)]
    assert newest(monkeypatch, letters, each, most) == ([one.id for one in letters[-looked_at:]], older)


def test_one_that_was_written_again_and_again_is_one_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    again = [replace(record_letter(), id="0" * 32, at_ms=number) for number in range(1_000)]
    assert newest(monkeypatch, again, 1, 10) == (["0" * 32], 920)
