"""PAIRSTREAM_PARTITIONS that topics do not have: keys are not looked for where they are not, and no good is told."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import click
import pytest

from connectors.kafka.topic_problems import TopicProblem
from pipeline.commands import explain_actions, installation_actions, lag_actions, replay_actions, standing_actions
from pipeline.commands.options import Way
from pipeline.commands.replay_desk import Asked as AskedReplay
from pipeline.process import Process
from schemas.topics import TOPICS

OTHER_COUNT = TopicProblem("hubspot.changes", "has 4 partitions, PAIRSTREAM_PARTITIONS says 3")
UNSET = TopicProblem("sync.audit", "retention.ms is 1, not 2", setting="retention.ms")


class Brokers:
    """Topics of four partitions, with these problems until they are applied."""

    def __init__(self, *problems: TopicProblem) -> None:
        self._problems = list(problems)
        self.applied = 0

    def partitions(self) -> dict[str, int]:
        return dict.fromkeys(TOPICS, 4)

    def check_topics(self, *_: object, **__: object) -> list[TopicProblem]:
        return list(self._problems)

    def apply_topics(self, *_: object) -> list[str]:
        self.applied += 1
        mended = [one for one in self._problems if one.mendable]
        self._problems = [one for one in self._problems if not one.mendable]
        return [f"{one.topic}: {one.message}, mended" for one in mended]


class Three:
    """A process that is told of three partitions."""

    check_partitions = Process.check_partitions
    settings = SimpleNamespace(partitions=3, changes_retention_days=7)
    cluster = codec = None

    def __init__(self, brokers: Brokers) -> None:
        self._brokers = brokers

    def admin(self) -> Any:
        return self._brokers


@pytest.mark.parametrize(
    ("where", "command"),
    [
        (
            explain_actions,
            lambda: explain_actions.explain_one(
                explain_actions.Asked("hubspot", "contacts", "1", None, 10, 10.0, False, False, "text")
            ),
        ),
        (replay_actions, lambda: replay_actions.plan_replay(AskedReplay("acme"), "text")),
        (standing_actions, lambda: standing_actions.show_integration("acme", "text")),
        (standing_actions, lambda: standing_actions.list_integrations("json")),
        (lag_actions, lambda: lag_actions.tell(False, None, None, None, None, "text")),
    ],
)
def test_keys_are_not_looked_for_where_they_are_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], where: Any, command: Callable[[], None]
) -> None:
    """It said of a contact that is there that it was never seen, and planned writes that nothing would make."""
    monkeypatch.setattr(where, "open_process", lambda: Three(Brokers()))
    with pytest.raises(SystemExit) as ended:
        command()
    assert ended.value.code == 1
    assert "Fix: set PAIRSTREAM_PARTITIONS=4" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("problems", "said", "applied"),
    [
        ((OTHER_COUNT,), "", 0),
        ((OTHER_COUNT, UNSET), "sync.audit: retention.ms is 1, not 2, mended\n", 1),
    ],
)
def test_what_cannot_be_mended_is_not_said_to_be(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    problems: tuple[TopicProblem, ...],
    said: str,
    applied: int,
) -> None:
    """It said that all topics were as they should be, below the list of those that were not."""
    brokers = Brokers(*problems)
    monkeypatch.setattr(installation_actions, "open_process", lambda **_: Three(brokers))
    monkeypatch.setattr(installation_actions, "publish_now", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        installation_actions.apply_topics(None, Way(yes=True))
    told = capsys.readouterr()
    assert (ended.value.code, told.out, brokers.applied) == (1, said, applied)
    assert ("1 of these would be made or mended" in told.err) == bool(applied)
    assert OTHER_COUNT.message in told.err


def test_a_file_that_is_not_there_is_no_fault_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(click.UsageError, match=r"there is no file nothere\.yaml"):
        replay_actions.plan_replay(AskedReplay("nothere.yaml"), "text")
