"""Records made up for a look at our own code go the whole way through it, whatever anybody else's hold."""

from typing import Any, NoReturn

import pytest

from pipeline.agents import objects, pairs
from pipeline.agents.made_up import AT_MS
from pipeline.agents.objects import Objects
from pipeline.agents.pairs import Pairs
from schemas.codec import Codec
from schemas.records import FieldPatch, MatchedChange
from schemas.registry import LocalRegistry

CODEC = Codec(LocalRegistry())


def of_nobody(_: str) -> NoReturn:
    raise AssertionError("it asked for the configuration in force")


def agents() -> tuple[Objects, Pairs]:
    return Objects(of_nobody, lambda: AT_MS, 0), Pairs(of_nobody, lambda: AT_MS, 0, 0)


def test_objects_tell_their_pair_and_the_pair_writes_both_sides() -> None:
    of_objects, of_pairs = (agent.try_out() for agent in agents())

    assert [(type(one.record), one.record.system) for one in of_objects if one.topic == "sync.matches"] == [
        (MatchedChange, "userflow"),
        (MatchedChange, "hubspot"),
    ]
    patches = {one.record.system: one.record.fields for one in of_pairs if isinstance(one.record, FieldPatch)}
    assert patches == {"userflow": {"title": "Countess"}, "hubspot": {"tier": "gold"}}
    for one in (*of_objects, *of_pairs):
        assert CODEC.encode(one.topic, one.record)


@pytest.mark.parametrize(("module", "name", "agent"), [(objects, "observe", 0), (pairs, "change_pair", 1)])
def test_code_that_raises_at_any_record_raises_at_these(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, agent: int
) -> None:
    def broken(*_: object) -> NoReturn:
        raise KeyError("in every record's way")

    monkeypatch.setattr(module, name, broken)

    with pytest.raises(KeyError):
        agents()[agent].try_out()
