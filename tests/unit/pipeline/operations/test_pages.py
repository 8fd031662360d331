"""The pages on dead letters, replays and the audit name every key of the objects for scripts."""

import re
from pathlib import Path
from typing import Any, Final, get_args

import pytest

from pipeline.agents.configuration import IntegrationView
from pipeline.commands.dead_letter_actions import plan_object
from pipeline.commands.replay_desk import Planned
from pipeline.commands.replay_text import plan_report, row_report
from pipeline.operations.audit import entry_report
from pipeline.operations.letter_report import list_report
from pipeline.operations.letter_standing import STANDINGS, StandingWord
from pipeline.operations.redrive import LEFT, Plan
from pipeline.replay.rehearsal import Rehearsed
from schemas.operating import AuditEntry, Replay
from tests.contract.sample_records import SAMPLES
from tests.unit.pipeline.operations.test_letters import field_letter, told

FOLDER: Final = Path(__file__).parents[4] / "docs" / "how-to"


def named(page: str) -> set[str]:
    return set(re.findall(r"`([\w ]+)`", (FOLDER / page).read_text("utf-8")))


def keys(told_object: Any) -> set[str]:
    """The keys of an object and of those in it, but for those that are places, ids or topics."""
    if isinstance(told_object, list):
        return {key for one in told_object for key in keys(one)}
    if not isinstance(told_object, dict):
        return set()
    own = {key for key in told_object if re.fullmatch(r"[a-z_ ]+", key)}
    return own | {key for value in told_object.values() for key in keys(value)}


def replay() -> Replay:
    row = SAMPLES["Replay"]
    assert isinstance(row, Replay)
    return row


def planned() -> Planned:
    return Planned(replay(), IntegrationView(1, 1, True, {}), Rehearsed())


@pytest.mark.parametrize(
    ("page", "told_object"),
    [
        ("dead-letters.md", list_report([told(field_letter())], 1)),
        ("dead-letters.md", plan_object(Plan(), None)),
        ("replay-and-retention.md", plan_report(planned(), 1)),
        ("replay-and-retention.md", row_report(replay())),
        ("audit.md", entry_report(AuditEntry(1, "acme", "apply", "ada", "host"))),
    ],
)
def test_every_key_stands_on_its_page(page: str, told_object: Any) -> None:
    assert keys(told_object) - named(page) - {"hubspot", "userflow"} == set()


def test_every_standing_and_every_reason_to_leave_a_letter_alone_is_named() -> None:
    assert set(get_args(StandingWord)) == set(STANDINGS) <= named("dead-letters.md")
    assert set(LEFT) <= named("dead-letters.md")
