"""A pair in step, and what the scenarios say of it in a word."""

from schemas.records import StateCommand
from schemas.values import FieldValue
from tests.unit.pipeline.core.given import USER, contact, mapping, user
from tests.unit.pipeline.middle import Middle

IN_STEP = (contact(1_000, {"jobtitle": "Dr", "tier": "pro"}), user(1_000, {"title": "Dr", "plan": "pro"}))


def in_step() -> Middle:
    """A pair whose fields agree."""
    middle = Middle(mapping())
    assert middle.feed(*IN_STEP).patches == []
    return middle


def title(value: FieldValue) -> list[tuple[str, str, dict[str, FieldValue]]]:
    return [("userflow", USER, {"title": value})]


def write(run_id: str = "run-1") -> StateCommand:
    """What follows once a full sync has read everything."""
    return StateCommand("acme", 1, "pairs", "compare", "people", run_id=run_id, step="write", attempt=1)


def rederive(*, retry_refused: bool = False) -> StateCommand:
    return StateCommand("acme", 1, "pairs", "rederive", retry_refused=retry_refused)
