"""By a word that no letter has nothing is found, which would pass for good news: it is told instead."""

from types import SimpleNamespace
from typing import Any

import click
import pytest

from pipeline.commands.dead_letter_actions import check
from pipeline.commands.dead_letters import STAGE
from pipeline.commands.letter_desk import shares
from pipeline.operations import OperationRefused
from pipeline.operations.letters import NoSuchLetter, Wanted
from schemas.runs import RunProgress
from schemas.topics import DEAD_LETTERS, REPLAYS, RUNS
from tests.unit.pipeline.operations.test_connect import parts

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
