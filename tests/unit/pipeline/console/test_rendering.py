"""Text of a file or a vendor turns nothing around it, and hides nothing in it, wherever a template prints it."""

import re
from collections.abc import Iterator
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from pipeline.console.drafts import draft_in
from pipeline.console.form import Form
from pipeline.console.rendering import coded, environment, shown
from pipeline.visible import CONTROL, isolated, visible
from schemas.configuration import DescribedEvent, DescribedField, Description
from tests.unit.pipeline.console.fixtures import connect, in_memory
from tests.unit.pipeline.console.test_pages import mapped

TURNS = "\u202e\u202d\u202a\u202b\u202c\u2066\u2067\u2068\u2069\u200e\u200f\u061c"
NAME = f"plan{TURNS}\x1b[2J"
SPELLED = re.compile(r"plan\\u202e\\u202d")


def templates() -> Iterator[tuple[str, str]]:
    for path in (files("pipeline.console") / "templates").iterdir():
        yield path.name, path.read_text(encoding="utf-8")


@given(st.text())
def test_no_control_character_is_left_but_ends_of_lines(text: str) -> None:
    printed = isolated(text)
    inner = printed[1:-1] if printed[:1] == "\u2068" else printed
    assert not set(inner) & set(CONTROL.findall(inner)) - set("\t\n\r")
    assert visible(inner) == visible(text)


@pytest.mark.parametrize("name", ["דנה", "خطة", "a דנה 1"])
def test_a_name_written_from_right_to_left_stands_alone(name: str) -> None:
    assert isolated(name) == f"\u2068{name}\u2069"
    assert coded(f"`{name}`") == Markup(f"\u2068<code>{name}</code>\u2069")
    assert isolated("Łódź, 東京, naïve") == "Łódź, 東京, naïve"


def test_whatever_a_template_prints_is_made_visible() -> None:
    made = environment().from_string('<b title="{{ x }}">{{ x }}</b>{{ note("bad", x, x) }}{{ copy(x) }}{{ 3 }}')
    written = made.render(x=NAME)
    assert not set(written) & set(TURNS) and "\x1b" not in written
    assert len(SPELLED.findall(written)) >= 6 and written.endswith("3")
    assert shown(Markup("a\u2068b")) == "a\u2068b"


def test_what_a_form_sends_back_is_sent_as_it_came() -> None:
    assert (
        environment().from_string('<input value="{{ x|sent }}">').render(x='a\u202e"') == '<input value="a\u202e&#34;">'
    )


@pytest.mark.parametrize(("name", "source"), list(templates()))
def test_every_text_that_a_form_sends_back_is_sent_as_it_came(name: str, source: str) -> None:
    """`{{ x }}` in a value would come back spelled out; an option without one sends what it shows."""
    assert re.findall(r"<option(?![^>]*value=)(?:\{%[^%]*%\}[^>{]*)*>\{\{", source) == [], name
    ours = {*("who.form_token", "one", "word", "value", "asked.which", "selection", "side.way", "row.number")}
    told = re.findall(r'(?:<input|<option|<button)[^>]*? value="[^"]*?\{\{ ([^}|]+?) \}\}"', source)
    assert set(told) <= ours, name


async def test_labels_that_turn_the_writing_are_spelled_out_and_sent_back_whole() -> None:
    it = in_memory()
    connect(it)
    mapped(it)
    fields = (DescribedField("users", NAME, f"Label {NAME}", "string"),)

    async def every_field(*_: object) -> object:
        events = (DescribedEvent(NAME, f"Event {NAME}"),)
        return {"hubspot": Description("i1", None, ()), "userflow": Description("i1", None, fields, events)}

    it.planner.every_field = every_field  # type: ignore[method-assign, assignment] # both systems as somebody named them
    page = await (await it.signed_in("operator")).get("/i/acme/mappings/contacts-users/edit")
    text = re.sub(r' value="[^"]*"', "", page.text)
    assert not set(text) & set(TURNS) and SPELLED.search(text)
    (button,) = re.findall(r'value="(add:to_hubspot:plan[^"]*)"', page.text)
    assert button == f"add:to_hubspot:{NAME}"
    assert f'name="event" value="{NAME}"' in page.text
    sent = Form((("events", "some"), ("event", NAME), ("hubspot", "contacts"), ("userflow", "users")))
    assert draft_in(sent, "m").event_names == (NAME,)
