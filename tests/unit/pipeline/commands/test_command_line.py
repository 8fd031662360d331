"""Every command: examples in its help, -h, --version, 80 columns, suggestions, exit codes, and a quick start."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from copy import copy
from pathlib import Path
from typing import Final

import click
import pytest
from click.testing import CliRunner, Result

from pipeline.cli import main
from pipeline.commands import session
from pipeline.commands.command_line import Command, Group, Program
from pipeline.exit_codes import INTERRUPTED, MISTYPED

HELP_WIDTH: Final = 78  # click leaves two of a terminal's 80 columns free, but not under CliRunner
HEAVY: Final = ("aiokafka", "confluent_kafka", "cryptography", "fastavro", "faust", "httpx", "pydantic", "yaml")


def every(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from every(below, (*path, name))


EVERY: Final = list(every(main))
NAMES: Final = [" ".join(path) or "pairstream" for path, _ in EVERY]


def typed(*words: str) -> Result:
    return CliRunner().invoke(main, words, prog_name="pairstream", terminal_width=HELP_WIDTH)


@pytest.mark.parametrize(("path", "command"), EVERY, ids=NAMES)
def test_help_has_an_example_and_fits_80_columns(path: tuple[str, ...], command: click.Command) -> None:
    short, long = typed(*path, "-h"), typed(*path, "--help")

    assert short.exit_code == long.exit_code == 0
    assert short.output == long.output
    assert "\nExamples:\n  pairstream " in short.output
    assert max(map(len, short.output.splitlines())) <= 80
    assert "..." not in re.sub(r"\]\.\.\.|[A-Z]\.\.\.", "", short.output)  # no sentence is cut off


@pytest.mark.parametrize(("path", "command"), EVERY, ids=NAMES)
def test_examples_are_what_can_be_typed(path: tuple[str, ...], command: click.Command) -> None:
    assert isinstance(command, Command | Group)
    for line in command.examples:
        program, *words = shlex.split(line)
        assert program == "pairstream"
        assert tuple(words[: len(path)]) == path
        leaf: click.Command = main
        while isinstance(leaf, click.Group):
            leaf = leaf.commands[words.pop(0)]
        parameters = [copy(parameter) for parameter in leaf.params]
        for parameter in parameters:
            if isinstance(parameter.type, click.Path):
                parameter.type = click.STRING  # files need not be there
        click.Command("x", params=parameters).make_context("x", words)


@pytest.mark.parametrize(("path", "command"), EVERY, ids=NAMES)
def test_every_command_tells_the_version(path: tuple[str, ...], command: click.Command) -> None:
    result = typed(*path, "--version")

    assert result.exit_code == 0
    assert re.fullmatch(r"pairstream \d+\.\d+\.\d+\S*\n", result.output)


@pytest.mark.parametrize(
    ("words", "suggestion"),
    [
        (("aply", "x.yaml"), "pairstream apply"),
        (("topics", "chek"), "pairstream topics check"),
        (("disconnect", "acme"), "pairstream integration disconnect"),
        (("full-sink", "start"), "pairstream full-sync"),
        (("full-sync", "stat"), "pairstream full-sync status"),
        (("full-sync", "start", "--timeout", "5"), "add --wait"),
        (("up", "--simulator"), "--simulators"),
        (("plan", "x.yaml", "--show-value"), "--show-values"),
        (("nothing-like-it",), "No such command"),
        (("run", "connector", "hubspott"), "hubspot"),
        (("validate", "not-there.yaml"), "not-there.yaml"),
        (("simulate", "edit", "hubspot", "contacts", "1", "jobtitle"), "jobtitle=Engineer"),
        (("simulate", "edit", "hubspot", "contacts", "1", "seats:=x"), "seats:=12"),
    ],
)
def test_what_is_mistyped_ends_with_64_and_says_what_was_meant(words: tuple[str, ...], suggestion: str) -> None:
    result = typed(*words)

    assert result.exit_code == MISTYPED
    assert suggestion in result.stderr


def test_help_imports_nothing_heavy() -> None:
    look = (
        "import sys\n"
        "from pipeline.cli import main\n"
        "try: main(sys.argv[1:])\n"
        f"except SystemExit: print('LOADED', *(name for name in {HEAVY} if name in sys.modules))\n"
    )
    for words in (["--help"], ["apply", "--help"], ["simulate", "-h"], ["aply"]):
        done = subprocess.run([sys.executable, "-c", look, *words], capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1].split() == ["LOADED"]


def test_ctrl_c_is_a_word_and_not_a_trace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "acme.yaml"
    path.write_text("integration: acme")
    monkeypatch.setattr("pipeline.commands.file_actions.load", interrupted)

    result = typed("validate", str(path))

    assert result.exit_code == INTERRUPTED
    assert result.stderr.split() == ["stopped"]


def test_a_question_that_nobody_can_answer_names_the_option(monkeypatch: pytest.MonkeyPatch) -> None:
    asking = click.Command("ask", callback=lambda: session.confirm("Go on?"))

    nobody, no, yes = (CliRunner().invoke(asking, input=text) for text in ("", "n\n", "y\n"))

    assert (nobody.exit_code, no.exit_code, yes.exit_code) == (1, 1, 0)
    assert "Fix: add --yes" in nobody.stderr
    assert "nothing was changed" in no.stderr


@pytest.mark.parametrize("no_color", ["", "1"])
def test_nothing_is_coloured(no_color: str) -> None:
    environment = {**os.environ, "NO_COLOR": no_color, "FORCE_COLOR": "1"}
    done = subprocess.run([sys.executable, "-m", "pipeline", "-h"], env=environment, capture_output=True, check=True)

    assert b"\x1b" not in done.stdout + done.stderr


def test_what_a_terminal_takes_for_a_command_is_spelled_out() -> None:
    """Names come from files and from vendors."""

    @click.command("tell", cls=Command, examples=("tell",))
    def tell() -> None:
        """Tell a name."""
        click.echo("field \x1b[2J\x9b", color=True)

    program = Program("pairstream", commands={"tell": tell})

    assert CliRunner().invoke(program, ["tell"]).output == "field \\x1b[2J\\u009b\n"


OPTIONS: Final = [
    (path, option)
    for path, command in EVERY
    if not isinstance(command, click.Group)
    for option in command.params
    if isinstance(option, click.Option)
]
NAMED: Final = [f"{' '.join(path)} {option.opts[-1]}" for path, option in OPTIONS]


@pytest.mark.parametrize(("path", "option"), OPTIONS, ids=NAMED)
def test_every_option_is_explained(path: tuple[str, ...], option: click.Option) -> None:
    assert option.help


@pytest.mark.parametrize(
    ("path", "option"),
    [(path, option) for path, option in OPTIONS if isinstance(option.type, click.types.FloatParamType)],
)
@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1e400"])
def test_a_number_that_is_none_is_mistyped(path: tuple[str, ...], option: click.Option, number: str) -> None:
    with pytest.raises(click.BadParameter):
        option.type.convert(number, option, None)


def test_a_seed_that_no_simulator_would_take_is_mistyped(tmp_path: Path) -> None:
    seed = tmp_path / "contacts.json"
    seed.write_text("{}")

    result = typed("up", "--hubspot-seed", str(seed))

    assert result.exit_code == MISTYPED
    assert "add --simulators" in result.output


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        (("dead-letters", "list", "--stage", "hubspot.sinks"), "Did you mean hubspot.sink?"),
        (("dead-letters", "redrive", "--stage", "sink"), "There are: objects, pairs, hubspot.source"),
        (("audit", "--action", "aply"), "Did you mean apply?"),
        (("full-sync", "start", "--format", "jsonl"), "add --wait"),
        (("topics", "read", "hubspot.changes", "--follow", "--to", "latest"), "leave out --to"),
        (("lag", "--watch=0"), "--watch=500ms"),
        (("lag", "--max-behind", "60s", "--by", "integration"), "--max-behind shows no table"),
    ],
)
def test_what_would_pass_for_good_news_or_never_end_is_mistyped(words: tuple[str, ...], fix: str) -> None:
    result = typed(*words)

    assert result.exit_code == MISTYPED
    assert fix in " ".join(result.output.split())
