"""Variables and secrets of a file: where they may stand, what they may hold, and that no message shows a value."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.integration_file.problems import render
from pipeline.integration_file.variables import SECRETS, Filled, fill_in
from pipeline.integration_file.yaml_tree import UNREAD, parse
from tests.unit.pipeline.integration_file.files import ENVIRONMENT, GOOD, HEAD, loaded, refused, shown


def filled(text: str, environment: dict[str, str], *, all_set: bool = True) -> Filled:
    return fill_in(parse(text, "f.yaml"), environment, all_set=all_set)


def option(text: str, environment: dict[str, str]) -> Any:
    """The value of a key that may hold a variable and is no secret."""
    result = filled(f"hubspot: {{key: {text}}}", environment)
    assert result.problems == []
    return result.data["hubspot"]["key"]


def test_a_variable_is_filled_in_anywhere_in_a_text() -> None:
    assert option("'x-${A}-${B_2}'", {"A": "1", "B_2": "2"}) == "x-1-2"


def test_what_is_filled_in_is_not_filled_in_again() -> None:
    assert option("'${A}'", {"A": "${B}", "B": "no"}) == "${B}"


def test_two_dollars_keep_the_brace() -> None:
    assert option("'$${A}'", {"A": "no"}) == "${A}"


def test_what_is_filled_in_is_text() -> None:
    assert option("'${A}'", {"A": "true"}) == "true"


def test_a_key_is_not_filled_in() -> None:
    assert filled("hubspot: {'${A}': 1}", {"A": "no"}).data == {"hubspot": {"${A}": 1}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${A}", "the environment variable A is not set. Fix: set A before running this command."),
        ("${E}", "the environment variable E is empty. Fix: set E before running this command."),
        ("${1}", "`${` without the name of a variable. Fix: write `${NAME}`, or `$${` for the text."),
        ("pa${ss", "`${` without the name of a variable. Fix: write `${NAME}`, or `$${` for the text."),
        ("pa${", "`${` without the name of a variable. Fix: write `${NAME}`, or `$${` for the text."),
        ("$A", "a `$` without braces is no variable. Fix: write `${NAME}`."),
        ("$hubspot_token", "a `$` without braces is no variable. Fix: write `${NAME}`."),
    ],
)
def test_a_variable_that_cannot_be_filled_in(text: str, message: str) -> None:
    result = filled(f"a: 1\nhubspot: {{token: '{text}'}}", {"E": ""})

    assert [str(problem) for problem in result.problems] == [f"f.yaml:2: hubspot.token: {message}"]
    assert result.data["hubspot"]["token"] == UNREAD


def test_a_variable_that_is_not_set_may_be_left_open() -> None:
    result = filled("hubspot: {token: '${A}', app_secret: 'x${E}'}", {"E": ""}, all_set=False)

    assert (result.problems, result.warnings) == ([], [])
    assert result.data["hubspot"] == {"token": UNREAD, "app_secret": UNREAD}


WRONG_PLACES = [
    (GOOD.replace("integration: acme", "integration: ${SECRET}"), "integration"),
    (GOOD.replace("name: contacts-users", "name: ${SECRET}"), "mappings[0].name"),
    (GOOD.replace("hubspot: contacts", "hubspot: ${SECRET}"), "mappings[0].hubspot"),
    (GOOD.replace("hubspot: email", "hubspot: '${SECRET}'"), "mappings[0].match.hubspot"),
    (GOOD.replace("production", "${SECRET}"), "userflow.environment"),
    (f"{GOOD}      - ${{SECRET}}\n", "mappings[0].to_userflow[1]"),
    (f"{GOOD}      - {{from: a, to: 'b-${{SECRET}}'}}\n", "mappings[0].to_userflow[1].to"),
    (f"{GOOD}    on_several: ${{SECRET}}\n", "mappings[0].on_several"),
    (f"{GOOD}    stream_events: [a, '${{SECRET}}']\n", "mappings[0].stream_events[1]"),
]


@pytest.mark.parametrize(("text", "path"), WRONG_PLACES)
def test_a_variable_where_its_value_would_be_shown_is_refused_without_it(text: str, path: str) -> None:
    (message,) = refused(text, ENVIRONMENT | {"SECRET": "s3cret-value"})

    assert f": {path}: a variable cannot stand here" in message
    assert "s3cret-value" not in message


@pytest.mark.parametrize("name", ["HUBSPOT_TOKEN", "OTHER"])
def test_a_secret_as_client_id_is_refused_without_it(name: str) -> None:
    oauth = f"oauth: {{client_id: '${{{name}}}', client_secret: b, refresh_token: c}}\n  token: ${{HUBSPOT_TOKEN}}"
    environment = ENVIRONMENT | {"HUBSPOT_TOKEN": "pat-na1-s3cret", "OTHER": "pat-na1-s3cret"}

    messages = refused(GOOD.replace("token: ${HUBSPOT_TOKEN}", oauth), environment)

    assert any(": hubspot.oauth.client_id: " in message and "shown" in message for message in messages)
    assert "s3cret" not in "".join(messages)


def with_secret(path: str, written: str) -> str:
    """A file in which the secret at the path is written so."""
    section = path.rpartition(".")[0]
    others = dict.fromkeys(SECRETS, "${OTHER}")
    others[path] = written
    values = {other.rpartition(".")[2]: value for other, value in others.items()}
    oauth = "  oauth: {{client_id: a, client_secret: '{client_secret}', refresh_token: '{refresh_token}'}}\n"
    by = oauth if section == "hubspot.oauth" else "  token: '{token}'\n"
    head = HEAD.replace("  token: ${HUBSPOT_TOKEN}\n", by.format(**values))
    head = head.replace("${HUBSPOT_APP_SECRET}", f"'{values['app_secret']}'")
    return GOOD.replace(HEAD, head.replace("${USERFLOW_API_KEY}", f"'{values['api_key']}'"))


UNSENDABLE = [
    ("“pat-1”", "its character 1 is no ASCII character"),
    ("pat-ü", "its character 5 is no ASCII character"),
    ("pat 1", "its character 4 is whitespace"),
    ("pat-1 ", "its character 6 is whitespace"),
    ("pat\u00a01", "its character 4 is whitespace"),
    ("p" * 4097, "has 4097 characters, more than a header takes"),
]


@pytest.mark.parametrize("path", SECRETS)
@pytest.mark.parametrize(("value", "message"), UNSENDABLE)
def test_a_secret_that_no_header_can_hold_is_refused_without_it(path: str, value: str, message: str) -> None:
    in_clear, by_variable = with_secret(path, value), with_secret(path, "${SECRET}")
    environment = {"OTHER": "other-0", "SECRET": value}

    for text in (in_clear, by_variable):
        (said,) = refused(text, environment)
        assert f": {path}: {message}" in said
        assert value.strip() not in said


@pytest.mark.parametrize("character", ["\n", "\r", "\x00", "\x1b", "\x7f"])
def test_a_control_character_in_a_variable_is_refused_and_not_sent_to_the_terminal(character: str) -> None:
    (said,) = refused(GOOD, ENVIRONMENT | {"HUBSPOT_TOKEN": f"pat-1{character}"})

    assert ": hubspot.token: its character 6 is " in said
    assert "pat-1" not in said and character not in said


@pytest.mark.parametrize("path", SECRETS)
def test_a_secret_in_clear_is_warned_of_without_it(path: str) -> None:
    text = with_secret(path, "s3cret-value")
    file = loaded(text.replace("${OTHER}", "${HUBSPOT_TOKEN}"))

    (warning,) = shown(file.warnings)
    assert f": {path}: a secret stands in the file in clear. Fix: write `${{" in warning
    assert "s3cret-value" not in warning


def test_a_token_where_it_would_be_shown_is_refused_without_it() -> None:
    (said,) = refused(GOOD.replace("production", "ak_s3cret"))

    assert "userflow.environment: a token or key stands here" in said
    assert "s3cret" not in said


def test_a_problem_never_obeys_the_file() -> None:
    result = filled("hubspot: 1", {})
    problem = parse("x: 1", "\x1b[31mf.yaml").positions.problem("x", "bad \u202e\x9b", "mend\n it")

    assert result.problems == []
    assert render([problem]) == "\\x1b[31mf.yaml:1: x: bad \\u202e\\x9b. Fix: mend\\n it."


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("pat-9\n")
    environment = {"A_FILE": str(tmp_path / "token")}

    assert filled("hubspot: {token: '${A}'}", environment).data == {"hubspot": {"token": "pat-9"}}


def test_a_file_that_cannot_be_read_is_a_problem_of_its_line_unless_secrets_need_not_be_there(tmp_path: Path) -> None:
    environment = {"A_FILE": str(tmp_path / "token")}
    text = "hubspot: {token: '${A}'}"

    (problem,) = filled(text, environment).problems
    assert str(problem) == (
        "f.yaml:1: hubspot.token: A_FILE: `token` cannot be read (No such file or directory). "
        "Fix: name a file that this process may read."
    )
    lenient = filled(text, environment, all_set=False)
    assert (lenient.problems, lenient.unread) == ([], {"hubspot.token"})
