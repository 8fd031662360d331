"""YAML with positions, and the environment filled in."""

import pytest

from pipeline.integration_file.yaml_tree import Items, Node, Scalar, Table, parse


def one(text: str, environment: dict[str, str] | None = None) -> Node:
    node, problems = parse(f"key: {text}", "f.yaml", environment or {})
    assert problems == ()
    assert isinstance(node, Table)
    return node.entries["key"]


def scalar(text: str, environment: dict[str, str] | None = None) -> Scalar:
    node = one(text, environment)
    assert isinstance(node, Scalar)
    return node


def complaints(text: str, environment: dict[str, str] | None = None) -> list[str]:
    return [str(problem) for problem in parse(text, "f.yaml", environment or {})[1]]


def test_places_count_from_one_and_a_key_has_its_own() -> None:
    node, _ = parse("a: 1\nbb:\n  - x\n", "f.yaml", {})

    assert isinstance(node, Table)
    assert node.key_places == {"a": (1, 1), "bb": (2, 1)}
    items = node.entries["bb"]
    assert isinstance(items, Items)
    assert (items.items[0].line, items.items[0].column) == (3, 5)


def test_a_variable_is_filled_in_anywhere_in_a_text() -> None:
    assert scalar("x-${A}-${B_2}", {"A": "1", "B_2": "2"}).text == "x-1-2"


def test_what_is_filled_in_is_not_filled_in_again() -> None:
    assert scalar("${A}", {"A": "${B}", "B": "no"}).text == "${B}"


def test_two_dollars_keep_the_brace() -> None:
    assert scalar("$${A}", {"A": "no"}).text == "${A}"


def test_a_key_is_not_filled_in() -> None:
    node, problems = parse("${A}: 1", "f.yaml", {"A": "no"})

    assert isinstance(node, Table)
    assert (list(node.entries), problems) == (["${A}"], ())


def test_only_an_unquoted_variable_can_become_a_boolean() -> None:
    environment = {"A": "true"}

    assert (scalar("${A}", environment).kind, scalar('"${A}"', environment).kind) == ("boolean", "text")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${A}", "f.yaml:2: b: the environment variable A is not set. Fix: set A before running this command."),
        ("${E}", "f.yaml:2: b: the environment variable E is empty. Fix: set E before running this command."),
        ("${1}", "f.yaml:2: b: `${` without the name of a variable. Fix: write `${NAME}`, or `$${` for the text."),
        ("pa${ss", "f.yaml:2: b: `${` without the name of a variable. Fix: write `${NAME}`, or `$${` for the text."),
    ],
)
def test_a_variable_that_cannot_be_filled_in(text: str, message: str) -> None:
    assert complaints(f"a: 1\nb: '{text}'", {"E": ""}) == [message]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "f.yaml:1: the file is empty. Fix: start from one of the examples."),
        ("# only words\n", "f.yaml:1: the file is empty. Fix: start from one of the examples."),
        (
            "a: 1\n\tb: 2\n",
            "f.yaml:2: not YAML: found character '\\t' that cannot start any token. Fix: indent with spaces, not tabs.",
        ),
        (
            "a:\n\t- 2\n",
            "f.yaml:2: not YAML: found character '\\t' that cannot start any token. Fix: indent with spaces, not tabs.",
        ),
        (
            "a: [1\nb: 2\n",
            "f.yaml:2: not YAML: expected ',' or ']', but got ':'. "
            "Fix: correct the YAML on this line or the one before.",
        ),
        ("a: 1\na: 2\n", "f.yaml:2: a: given twice, first on line 1. Fix: keep one of them."),
        ("a: {b: 1, b: 2}\n", "f.yaml:1: a.b: given twice, first on line 1. Fix: keep one of them."),
        ("a: &x 1\nb: *x\n", "f.yaml:2: aliases are not read. Fix: write the value out."),
        ("a: !secret x\n", "f.yaml:1: a: the tag `!secret` is not read. Fix: write the plain value."),
        ("a: 1\n? [b]\n: 2\n", "f.yaml:2: a key must be a plain word. Fix: write `key: value`."),
        ("a: 1\nb: \x07\n", "f.yaml:2: a character that YAML does not allow. Fix: remove it."),
        ("[" * 1000 + "]" * 1000, "f.yaml:1: nested too deeply. Fix: start from one of the examples."),
    ],
)
def test_text_that_cannot_be_read(text: str, message: str) -> None:
    assert complaints(text) == [message]


def test_every_problem_is_reported() -> None:
    assert len(complaints("a: ${A}\nb: ${B}\na: ${C}")) == 3
