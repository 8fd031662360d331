"""The comparison with other programs: runs take turns, and one that was cut off goes on where it stood."""

from pathlib import Path

import pytest

from tests.benchmarks import side_by_side
from tests.benchmarks.side_by_side import Joined, turns


def test_turns_that_were_cut_off_go_on_behind_the_runs_that_were_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, kept = list[str](), tmp_path / "bench" / "rivals.json"

    def run(name: str) -> Joined:
        if len(made) == 3:
            made.append("cut off")
            raise KeyboardInterrupt
        made.append(name)
        return Joined(float(len(made)), 0.2, 0.1, 10, 1.5)

    monkeypatch.setattr(side_by_side, "PROGRAMS", dict.fromkeys(("ours", "theirs")))
    monkeypatch.setattr(side_by_side, "run", run)
    with pytest.raises(KeyboardInterrupt):
        turns(3, kept)
    found = turns(3, kept)
    assert made == ["ours", "theirs", "ours", "cut off", "theirs", "ours", "theirs"]
    assert [one.changes_per_s for one in found["theirs"]] == [2.0, 5.0, 7.0]
    assert not kept.exists(), "the next comparison begins anew"


def test_java_gets_its_own_strings_wherever_a_schema_names_one() -> None:
    schema = {
        "type": "record",
        "name": "A",
        "fields": [{"name": "string", "type": {"type": "map", "values": "string"}}],
    }
    text = {"type": "string", "avro.java.string": "String"}
    field = {"name": "string", "type": {"type": "map", "values": text, "avro.java.string": "String"}}
    assert side_by_side._with_java_strings(schema) == {**schema, "fields": [field]}
    assert side_by_side._with_java_strings(["null", "string"]) == ["null", text]
