"""Whatever changes something can only be told of, is asked about on a terminal, and tells of it as one object."""

import ast
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import click
import pytest

from pipeline.cli import main
from pipeline.commands import integration_actions
from pipeline.commands.changing import Change
from pipeline.commands.options import Way
from pipeline.operations import apply
from pipeline.operations.pausing import NoReason
from schemas.configuration import IntegrationPart
from tests.unit.pipeline.commands.test_asking import Sent, with_rows
from tests.unit.pipeline.operations.test_connect import SETTINGS, parts

ROOT: Final = Path(__file__).parents[4]
OF_ITS_OWN: Final = {
    "demo": "runs what it shows",
    "up": "runs until Ctrl-C",
    "run worker": "runs until it is told to stop",
    "run connector": "the same",
    "run receiver": "the same",
    "run scheduler": "the same",
    "run console": "the same",
    "simulate hubspot": "the same",
    "simulate userflow": "the same",
    "simulate edit": "edits a simulator's record, as a person would in the vendor's own pages",
    "simulate show": "prints JSON and nothing else",
    "schema": "prints a JSON schema, or a file to start from",
}
READING: Final = {
    "validate": "writes nothing",
    "plan": "asks connectors what their systems say",
    "export": "writes the file that it is told to",
    "hubspot-project": "writes the folder that it is told to",
    "integration list": "",
    "integration show": "",
    "full-sync status": "",
    "full-sync watch": "",
    "full-sync history": "",
    "explain": "",
    "dead-letters list": "",
    "dead-letters show": "",
    "lag": "",
    "replay plan": "",
    "replay status": "",
    "audit": "",
    "console link": "makes what it is asked for, and touches nothing else",
    "topics check": "",
    "topics read": "",
    "topics acls": "",
    "secrets public-key": "",
    "doctor": "asks connectors what their systems say",
}


def leaves(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from leaves(below, (*path, name))
    else:
        yield " ".join(path), command


LEAVES: Final = dict(leaves(main))


def options(command: click.Command) -> set[str]:
    return {word for one in command.params if isinstance(one, click.Option) for word in one.opts}


def test_every_list_names_commands_that_there_are() -> None:
    assert OF_ITS_OWN.keys() | READING.keys() <= LEAVES.keys()
    assert not OF_ITS_OWN.keys() & READING.keys()


@pytest.mark.parametrize("name", sorted(LEAVES.keys() - OF_ITS_OWN.keys()))
def test_every_command_tells_scripts_an_object(name: str) -> None:
    shape = next(one for one in LEAVES[name].params if one.name == "shape")
    assert isinstance(shape.type, click.Choice) and "json" in shape.type.choices


@pytest.mark.parametrize("name", sorted(LEAVES.keys() - OF_ITS_OWN.keys() - READING.keys()))
def test_what_changes_something_can_be_tried_and_asks(name: str) -> None:
    assert {"--dry-run", "--yes"} <= options(LEAVES[name])


@pytest.mark.parametrize("name", sorted(READING))
def test_what_reads_has_nothing_to_ask(name: str) -> None:
    assert not {"--dry-run", "--yes"} & options(LEAVES[name])


def pausing(monkeypatch: pytest.MonkeyPatch, kept: str = "") -> Sent:
    """What `integration pause acme` sends, and no scheduler; `kept`: the reason that is in force."""
    sent = Sent()

    async def applied(*_: object) -> Any:
        return IntegrationPart("acme", settings=replace(SETTINGS, state="paused", pause_reason=kept))

    monkeypatch.setattr(integration_actions, "with_kafka", with_rows(parts(SETTINGS), sent))
    monkeypatch.setattr(apply, "wait_until_applied", applied)
    return sent


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The one object on the output."""
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def test_a_dry_run_changes_nothing_and_its_object_has_the_keys_of_the_change(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sent = pausing(monkeypatch)

    with pytest.raises(SystemExit) as ended:
        integration_actions.change_state("acme", "paused", Way(dry_run=True, shape="json"))
    dry = told(capsys)
    assert (ended.value.code, sent.keys) == (0, [])
    assert (dry["dry_run"], dry["done"], dry["was"], dry["state"]) == (True, False, "active", "active")
    assert "acme would be paused" in dry["told"][0]

    integration_actions.change_state("acme", "paused", Way(yes=True, shape="json"))
    done = told(capsys)
    assert sent.keys == ["acme/desired"]
    assert (done["dry_run"], done["done"], done["was"], done["state"]) == (False, True, "active", "paused")
    assert list(done) == list(dry)


def test_a_reason_is_told_where_it_is_kept_and_where_it_is_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pausing(monkeypatch, "CRM clean-up\x1b[2J")
    integration_actions.change_state("acme", "paused", Way(yes=True), " CRM  clean-up\x1b[2J\n")
    assert capsys.readouterr().out == "acme: paused: CRM clean-up\\x1b[2J\n"
    pausing(monkeypatch)  # by a scheduler of the release before
    integration_actions.change_state("acme", "paused", Way(yes=True, shape="json"), "CRM clean-up")
    lost = told(capsys)
    assert lost["pause_reason"] is None and lost["done"] and "stands in the audit alone" in lost["told"][-1]
    sent = pausing(monkeypatch)
    with pytest.raises(NoReason, match="at most 200"):
        integration_actions.change_state("acme", "paused", Way(yes=True), "x" * 201)
    assert sent.keys == []


def test_without_a_terminal_it_goes_on_and_says_what_it_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As scripts of before have it, which know no --yes."""
    sent = pausing(monkeypatch)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: False))

    integration_actions.change_state("acme", "paused", Way())

    shown = capsys.readouterr()
    assert sent.keys == ["acme/desired"]
    assert shown.out == "acme: paused\n" and "would be paused" in shown.err


@pytest.mark.parametrize("yes", [False, True])
def test_on_a_terminal_it_asks_unless_told_not_to(monkeypatch: pytest.MonkeyPatch, yes: bool) -> None:
    sent = pausing(monkeypatch)
    asked: list[str] = []
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))

    def no(question: str, **_: object) -> bool:
        asked.append(question)
        return False

    monkeypatch.setattr(click, "confirm", no)

    if yes:
        integration_actions.change_state("acme", "paused", Way(yes=True))
        assert (asked, sent.keys) == ([], ["acme/desired"])
    else:
        with pytest.raises(SystemExit) as ended:
            integration_actions.change_state("acme", "paused", Way())
        assert (ended.value.code, asked, sent.keys) == (1, ["Pause acme?"], [])


def test_an_object_gets_no_key_that_it_did_not_begin_with() -> None:
    with pytest.raises(AssertionError):
        Change("x", Way(shape="json"), integration="acme").end(state="paused")


def facts() -> Iterator[str]:
    """Every key that a change's object begins with, as the commands spell them out."""
    for path in (ROOT / "pipeline" / "commands").glob("*_actions.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id="Change"), keywords=given):
                    yield from (one.arg for one in given if one.arg is not None)
                case ast.Assign(targets=[ast.Name(id="facts")], value=ast.Dict(keys=keys)):
                    yield from (
                        one.value for one in keys if isinstance(one, ast.Constant) and isinstance(one.value, str)
                    )


def test_every_key_stands_on_the_page_of_commands() -> None:
    named = set(re.findall(r"`([a-z_]+)`", (ROOT / "docs" / "reference" / "commands.md").read_text("utf-8")))
    there = {"at_ms", "action", "dry_run", "done", "told", *facts()}
    assert {"integration", "sealed_again", "erased_at_ms", "sessions", "topics"} < there
    assert there - named == set()


def test_what_cannot_be_taken_back_is_refused_where_nobody_can_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nobody(*_: object, **__: object) -> bool:
        raise click.Abort

    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: False))
    monkeypatch.setattr(click, "confirm", nobody)

    with pytest.raises(SystemExit) as ended:
        Change("x", Way()).agree("all would be gone", "Go on?", unasked=False)
    assert ended.value.code == 1 and "add --yes" in capsys.readouterr().err
