"""Names of log lines: stable, without values, and one for each sentence."""

import re
from collections import defaultdict

import pytest

from docs.tables.events import calls, events, page
from pipeline.observability.events import event_name


@pytest.mark.parametrize(
    ("sentence", "name"),
    [
        ("%s: %s, to be told", "notices.telling.to_be_told"),
        ("%s[%d]: offsets %d to %d are gone", "notices.telling.offsets_to_are_gone"),
        ("for %.1f s: %5d of 100 %% are %(name)s left", "notices.telling.for_s_of_100_are_left"),
        ("%s: %s", "notices.telling"),
        ("one two three four five six seven eight nine", "notices.telling.one_two_three_four_five_six_seven_eight"),
    ],
)
def test_a_name_is_the_module_and_the_words_of_the_sentence(sentence: str, name: str) -> None:
    assert event_name("pipeline.notices.telling", sentence) == name


def test_a_library_s_sentence_gives_no_name() -> None:
    assert event_name("aiokafka.conn", "Connected to ada@example.com") == "aiokafka.conn"


def test_every_line_that_the_code_logs_has_a_name_of_its_own() -> None:
    sentences = defaultdict(set)
    for name, _, sentence in events():
        sentences[name].add(sentence)

    assert len(list(calls())) > 50
    assert {name: found for name, found in sentences.items() if len(found) > 1} == {}
    assert all(re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+)+|[a-z0-9_]+", name) for name in sentences)
    assert "`notices.telling.to_be_told`" in page()
