"""What strangers wrote is text, and never a command to a terminal."""

import gc
import io
import json
import sys

import click
import hypothesis
import hypothesis.strategies as st
import pytest

from pipeline.observability.printable import printable, printable_output


@hypothesis.given(st.text())
def test_nothing_unprintable_is_left_and_what_is_printable_stays(text: str) -> None:
    shown = printable(text)

    assert not any((letter < " " and letter not in "\n\t") or "\x7f" <= letter <= "\x9f" for letter in shown)
    assert printable(shown) == shown


@pytest.mark.parametrize("turns", ["\u061c", "\u200e", "\u202e", "\u2066", "\u2069", "\u2028"])
def test_what_turns_the_writing_is_spelled_out(turns: str) -> None:
    assert printable(f"a{turns}b") == f"a\\u{ord(turns):04x}b"


def test_letters_of_all_the_world_stay() -> None:
    assert printable("Zoë 登録 \U0001f98a\n\tend") == "Zoë 登録 \U0001f98a\n\tend"


def test_what_commands_print_is_printable(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = io.BytesIO(), io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, "utf-8"))
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(err, "utf-8"))

    with printable_output():
        within = sys.stderr
        click.echo("label \x1b[2J é", color=True)  # as to a terminal
        click.echo("name \x9b", err=True)
    print("logged later", file=within)  # by a thread that outlives the command: it was a traceback
    del within
    gc.collect()
    click.echo("after")
    sys.stdout.flush()

    assert out.getvalue().decode() == "label \\x1b[2J é\nafter\n"
    assert err.getvalue().decode() == "name \\u009b\nlogged later\n"


@hypothesis.given(st.text())
def test_objects_for_scripts_are_read_back_as_they_are(text: str) -> None:
    told = json.dumps({"id": text}, ensure_ascii=False)
    assert json.loads(printable(told).encode("utf-8", "backslashreplace")) == {"id": text}


@pytest.mark.parametrize("letter", ["\x7f", "\x9b", "\x85", "\u202e", "\u2028"])
def test_an_object_that_holds_what_is_unprintable_stays_one(letter: str) -> None:
    assert json.loads(printable(json.dumps(letter, ensure_ascii=False))) == letter
