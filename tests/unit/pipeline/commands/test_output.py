"""Every command writes its answer in one way: control characters written out, letters of every script as they are."""

import re
from pathlib import Path
from typing import Final

import pytest

from pipeline.commands.output import say, say_object

COMMANDS: Final = Path(__file__).parents[4] / "pipeline" / "commands"
BY_ITSELF: Final = re.compile(r"click\.echo\((json\.dumps|visible_lines)(?!.*err=True).*|def (_say|_print)\((?!self).*")


def test_lines_move_no_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    say("one\x1b[2J", "two\nlines")
    assert capsys.readouterr().out == "one\\x1b[2J\ntwo\nlines\n"


def test_an_object_is_one_line_with_letters_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    say_object({"name": "Zoë", "note": "a\nb"})
    assert capsys.readouterr().out == '{"name": "Zoë", "note": "a\\nb"}\n'


def test_no_command_has_a_way_of_its_own() -> None:
    files = [file for file in COMMANDS.glob("*.py") if file.name != "output.py"]
    found = {file.name: [one[0] for one in BY_ITSELF.finditer(file.read_text("utf-8"))] for file in files}
    assert len(files) > 20
    assert {name: lines for name, lines in found.items() if lines} == {"audit_actions.py": [DOCUMENT]}


DOCUMENT: Final = "click.echo(visible_lines(document), nl=False)"
"""A file as it was applied, which ends its last line itself."""
