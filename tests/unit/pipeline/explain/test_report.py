"""The object for scripts has every key, always, and no value unless it is asked for; all of it is on the page."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

from pipeline.explain import answer
from pipeline.explain.look_now import Looked
from pipeline.explain.report import VALUES, happening_report, report
from schemas.records import Cause
from schemas.state import Written
from tests.unit.pipeline.explain.situations import EDIT, SECRETS, Situation, in_step

PAGE = (Path(__file__).parents[4] / "docs/how-to/explain.md").read_text()
SHAPES: tuple[Any, ...] = (
    answer.Explanation,
    answer.PairAnswer,
    answer.FieldStanding,
    answer.History,
    answer.Happening,
    answer.Trace,
    answer.Hop,
    answer.Events,
    answer.EventTold,
    answer.OnTimeline,
    Looked,
    Written,
)


def test_every_key_is_there_and_no_value() -> None:
    told = json.loads(json.dumps(report(1, [in_step().explained(), Situation().explained()])))
    assert list(told) == ["at_ms", "looked", "explanations"]
    known, unknown = told["explanations"]
    assert known.keys() == unknown.keys() == {field.name for field in dataclasses.fields(answer.Explanation)}
    assert known["pairs"][0]["fields"][0]["write"]["caused_by"] == dataclasses.asdict(EDIT)
    assert unknown["word"] == "never_seen"
    assert not any(secret in json.dumps(told) for secret in SECRETS)


def test_values_come_where_they_are_asked_for() -> None:
    told = report(1, [in_step().explained()], values=True)["explanations"][0]["pairs"][0]
    assert told["match_value"] == "ada@example.com"
    assert [one["value"] for one in told["fields"]] == ["Dr", "pro"]


def test_every_key_is_on_the_page() -> None:
    named = set(re.findall(r"`(\w+)`", PAGE))
    declared = {field.name for shape in SHAPES for field in dataclasses.fields(shape)}
    assert declared - named == set()
    assert named >= VALUES
    assert {field.name for field in dataclasses.fields(Cause)} - named == set()


def test_what_is_followed_is_told_as_the_history_tells_it() -> None:
    place = ("hubspot.changes", 2, 3120)
    told = happening_report(answer.Happening(1, "hubspot", "webhook", "upserted", ("jobtitle",), place, "written"))
    assert list(told) == [field.name for field in dataclasses.fields(answer.Happening)]
    assert json.loads(json.dumps(told))["place"] == list(place)
