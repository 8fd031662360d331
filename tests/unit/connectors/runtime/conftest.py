"""The members that runners are given."""

from typing import Any

import pytest

from connectors.runtime import runner as runner_module
from tests.unit.connectors.runtime.running import Member


@pytest.fixture
def members(monkeypatch: pytest.MonkeyPatch) -> list[Member]:
    """The members that runners are given, newest last."""
    made: list[Member] = []

    def member(*arguments: Any, **options: Any) -> Member:
        made.append(Member(*arguments, **options))
        return made[-1]

    monkeypatch.setattr(runner_module, "GroupMember", member)
    return made
