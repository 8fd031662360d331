"""What the general modules know of a system is its traits: they name none, and the traits fit what others serve."""

import ast
from pathlib import Path

import pytest

from connectors.registry import SYSTEMS, RegisteredSystem
from schemas.records import ActivityEvent, TimelineEvent
from schemas.topics import TOPICS
from tests.unit.connectors.receiver.receiving import Bench

ROOT = Path(__file__).parents[3]
GENERAL = ("contract", "http", "kafka", "session", "inbound", "outbound", "runtime")
EVERY_SYSTEM = pytest.mark.parametrize("registered", SYSTEMS.values(), ids=SYSTEMS)


@pytest.mark.parametrize("folder", GENERAL)
def test_no_general_module_decides_by_a_systems_name(folder: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / "connectors" / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in SYSTEMS
    ]
    assert found == []


@EVERY_SYSTEM
def test_a_systems_topics_carry_what_they_are_named_for(registered: RegisteredSystem) -> None:
    traits = registered.traits
    carried = {topic: TOPICS[topic].record for topic in (traits.timeline_topic, traits.activity_topic) if topic}
    expected = {traits.timeline_topic: TimelineEvent, traits.activity_topic: ActivityEvent}
    assert carried == {topic: record for topic, record in expected.items() if topic}


def test_the_traits_stand_under_their_systems_name() -> None:
    assert [registered.traits.system for registered in SYSTEMS.values()] == list(SYSTEMS)


@EVERY_SYSTEM
async def test_the_receiver_serves_the_path_that_a_system_is_subscribed_with(registered: RegisteredSystem) -> None:
    answer = await Bench().call(f"/{registered.traits.webhook_path_of('acme')}", b"{}")
    assert answer.status_code == 401, "a webhook without a signature is refused, and not for its path"
