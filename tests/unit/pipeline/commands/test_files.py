"""Commands on a file that need no brokers: what they say, where, and with which exit code."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import click
import pytest
from click.testing import CliRunner, Result

from pipeline.cli import main
from pipeline.commands import file_actions
from pipeline.commands.options import Way
from pipeline.exit_codes import MISTYPED
from pipeline.integration_file.schema import json_schema
from pipeline.operations import make_plan
from pipeline.operations.make_plan import PlanDeps
from pipeline.operations.plan import Plan
from tests.unit.pipeline.commands.test_asking import Sent
from tests.unit.pipeline.integration_file.files import ENVIRONMENT, GOOD, loaded
from tests.unit.pipeline.operations.test_connect import Tables, parts


def typed(*words: str, env: dict[str, str] | None = None) -> Result:
    unset = dict.fromkeys(ENVIRONMENT)
    return CliRunner(env={**unset, **(env or {})}).invoke(main, list(words))


def written(folder: Path, text: str) -> str:
    path = folder / "acme.yaml"
    path.write_text(text)
    return str(path)


def test_validate_needs_no_secrets(tmp_path: Path) -> None:
    for options in ((), ("--offline",), ("--strict",)):
        result = typed("validate", written(tmp_path, GOOD), *options)

        assert (result.exit_code, result.stderr) == (0, "")
        assert "acme.yaml: fine as far as a file can tell" in result.stdout


@pytest.mark.parametrize("command", [("plan",), ("apply", "--yes")])
def test_plan_and_apply_demand_them(tmp_path: Path, command: tuple[str, ...]) -> None:
    result = typed(*command, written(tmp_path, GOOD))

    assert result.exit_code == 1
    assert "the environment variable HUBSPOT_TOKEN is not set" in result.stderr


@pytest.mark.parametrize("command", [("plan",), ("apply", "--yes"), ("validate",)])
def test_a_variable_that_no_header_can_hold_is_refused_without_its_value(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    result = typed(*command, written(tmp_path, GOOD), env=ENVIRONMENT | {"HUBSPOT_TOKEN": "“pat-1”"})

    assert result.exit_code == 1
    assert "hubspot.token: its character 1 is no ASCII character" in result.stderr
    assert "pat-1" not in result.output


def test_offline_reads_no_variable_at_all(tmp_path: Path) -> None:
    environment = ENVIRONMENT | {"HUBSPOT_TOKEN": "“pat-1”"}

    assert typed("validate", written(tmp_path, GOOD), "--offline", env=environment).exit_code == 0


def test_a_secret_in_clear_is_a_warning_and_fails_where_that_is_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD.replace("${HUBSPOT_TOKEN}", "pat-s3cret"))

    lenient, strict = typed("validate", path), typed("validate", path, "--strict")

    assert (lenient.exit_code, strict.exit_code) == (0, 1)
    assert "fine" in lenient.stdout and "fine" not in strict.stdout
    for result in (lenient, strict):
        assert "acme.yaml:5: hubspot.token: a secret stands in the file in clear" in result.stderr
        assert result.stderr.startswith("warning: ")
        assert "pat-s3cret" not in result.output


def test_a_setting_that_nothing_reads_is_a_warning(tmp_path: Path) -> None:
    path, environment = written(tmp_path, GOOD), {"PAIRSTREAM_PARTITION": "3"}

    lenient, strict = typed("validate", path, env=environment), typed("validate", path, "--strict", env=environment)

    assert (lenient.exit_code, strict.exit_code) == (0, 1)
    assert (
        "warning: PAIRSTREAM_PARTITION is set but means nothing; did you mean PAIRSTREAM_PARTITIONS?" in lenient.stderr
    )
    assert typed("validate", path, "--strict", "--offline", env=environment).exit_code == 0


def test_oauth_without_a_grant_is_taken_whether_that_is_said_or_not(tmp_path: Path) -> None:
    oauth = "oauth: {client_id: a, client_secret: '${HUBSPOT_CLIENT_SECRET}'}"
    path = written(tmp_path, GOOD.replace("token: ${HUBSPOT_TOKEN}", oauth))

    said, taken = typed("validate", path, "--granted-later"), typed("validate", path)

    assert (said.exit_code, taken.exit_code) == (0, 0)


def test_a_file_sends_nothing_to_the_terminal(tmp_path: Path) -> None:
    spoiled = GOOD.replace("jobtitle", '"\\e[31m\\u202e"').replace("account: 123", 'account: "\\x9b"')

    result = typed("validate", written(tmp_path, spoiled))

    assert result.exit_code == 1
    assert not {"\x1b", "\u202e", "\x9b"} & set(result.output)


def test_a_file_of_more_than_a_megabyte_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_actions, "load", lambda *_, **__: pytest.fail("it was read"))

    result = typed("validate", written(tmp_path, GOOD + "#" * 1_000_000))

    assert result.exit_code == 1
    assert "acme.yaml: larger than 1,000,000 bytes. Fix: write one file for each integration." in result.stderr


def test_a_file_that_is_no_text_says_so(tmp_path: Path) -> None:
    path = tmp_path / "acme.yaml"
    path.write_bytes(b"integration: \xff")

    result = typed("validate", str(path))

    assert result.exit_code == 1
    assert "not UTF-8 text (byte 13). Fix: save it as UTF-8." in result.stderr


def test_the_schema_is_printed_as_json() -> None:
    result = typed("schema")

    assert result.exit_code == 0
    assert json.loads(result.stdout) == json_schema()


def test_the_example_is_a_file_that_passes(tmp_path: Path) -> None:
    result = typed("schema", "--example")

    assert result.exit_code == 0
    assert typed("validate", written(tmp_path, result.stdout), "--offline").exit_code == 0


@pytest.mark.parametrize("seconds", ["nan", "-5", "0", "inf", "soon"])
@pytest.mark.parametrize("command", ["plan", "apply"])
def test_a_time_that_nothing_can_wait_is_refused_at_once(tmp_path: Path, command: str, seconds: str) -> None:
    result = typed(command, written(tmp_path, GOOD), "--timeout", seconds)

    assert result.exit_code == MISTYPED
    assert "Invalid value for '--timeout'" in result.stderr


async def test_the_plan_that_apply_shows_waits_as_long_as_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = []

    async def plan(deps: PlanDeps, file: object, within_s: float, *, pairs: bool) -> Plan:
        waits.append(within_s)
        return Plan("acme")

    monkeypatch.setattr(make_plan, "plan", plan)
    monkeypatch.setattr(click, "confirm", lambda _, err: True)

    await file_actions._confirm(None, loaded(GOOD), 300.0, Way())  # type: ignore[arg-type]

    assert waits == [300.0]


async def test_apply_without_a_question_says_what_it_is_about_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    sent = Sent()
    process: Any = SimpleNamespace(seal=lambda *_: b"sealed")
    tables: Any = Tables(parts())

    await file_actions._carry_out(process, cast(Any, sent), tables, loaded(GOOD), None, Way(yes=True, shape="json"))

    told = capsys.readouterr()
    assert "its file would be put in force, with 1 mapping" in told.err
    answer = json.loads(told.out)
    assert (answer["done"], answer["in_force"], sent.keys) == (True, False, [f"{answer['integration']}/desired"])


@pytest.mark.parametrize(("right", "wrong"), [("    hubspot: contacts", "    hubpot: contacts"), ("match:", "mtch:")])
def test_validate_names_the_line_of_what_is_wrong(tmp_path: Path, right: str, wrong: str) -> None:
    spoilt = GOOD.replace(right, wrong, 1)
    line = 1 + next(index for index, row in enumerate(spoilt.splitlines()) if wrong in row)

    result = typed("validate", written(tmp_path, spoilt))

    assert result.exit_code == 1
    assert f"acme.yaml:{line}:" in result.stderr
    assert wrong.strip().split(":")[0] in result.stderr and "Fix" in result.stderr
