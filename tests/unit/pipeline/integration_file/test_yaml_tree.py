"""YAML as plain data that knows its lines: what words mean, what is refused, and that hostile text is bounded."""

from typing import Any

import pytest
import yaml

from pipeline.integration_file.problems import render
from pipeline.integration_file.yaml_tree import UNREAD, parse


def value(text: str) -> Any:
    tree = parse(f"key: {text}", "f.yaml")
    assert tree.problems == ()
    return tree.data["key"]


def complaints(text: str) -> list[str]:
    return render(parse(text, "f.yaml").problems).splitlines()


def test_places_count_from_one_and_a_key_has_its_own() -> None:
    tree = parse("a: 1\nbb:\n  - x\n  - {c: d}\n", "f.yaml")

    assert tree.data == {"a": 1, "bb": ["x", {"c": "d"}]}
    assert tree.positions.places == {
        "": (1, 1),
        "a": (1, 1),
        "bb": (2, 1),
        "bb[0]": (3, 5),
        "bb[1]": (4, 5),
        "bb[1].c": (4, 6),
    }


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("off", "off"),
        ("~", None),
        ("", None),
        ("12", 12),
        ("-3", -3),
        ("012", "012"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("1.50", 1.5),
        ("1e5", "1e5"),
        ("99999999999999999999", "99999999999999999999"),
        ("2024-01-02", "2024-01-02"),
        ("<<", "<<"),
        ("'12'", "12"),
        ('"true"', "true"),
        ("!!str 12", "12"),
        ("| \n  a\n", None),
    ],
)
def test_an_unquoted_word_means_what_editors_say(text: str, meaning: Any) -> None:
    if text.startswith("|"):
        assert complaints(f"key: {text}") == ["f.yaml:1: key: holds the control character U+000A. Fix: remove it."]
    else:
        assert value(text) == meaning


@pytest.mark.parametrize(
    "text", ["no", "12", "1e5", "0o17", "1_0", "1:30", "null", "~", "0x1", "1.", "2024-01-02", "="]
)
def test_what_the_dumper_leaves_unquoted_stays_text(text: str) -> None:
    assert parse(yaml.safe_dump({"key": text}), "f.yaml").data == {"key": text}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "f.yaml:1: the file is empty. Fix: start from what `pairstream schema --example` prints."),
        ("# only words\n", "f.yaml:1: the file is empty. Fix: start from what `pairstream schema --example` prints."),
        ("a: 1\na: 2\n", "f.yaml:2: a: given twice, first on line 1. Fix: keep one of them."),
        ("a: {b: 1, b: 2}\n", "f.yaml:1: a.b: given twice, first on line 1. Fix: keep one of them."),
        ("a: &x 1\nb: *x\n", "f.yaml:2: aliases are not read. Fix: write the value out."),
        ("a: &x {b: 1}\nc:\n  <<: *x\n", "f.yaml:3: aliases are not read. Fix: write the value out."),
        ("a: !secret x\n", "f.yaml:1: a: the tag `!secret` is not read. Fix: write the plain value."),
        (
            "a: !!python/object:os.system x\n",
            "f.yaml:1: a: the tag `tag:yaml.org,2002:python/object:os.system` is not read. Fix: write the plain value.",
        ),
        ("a: 1\n? [b]\n: 2\n", "f.yaml:2: a key must be a plain word. Fix: write `key: value`."),
        ("a: 1\nb: \x07\n", "f.yaml:2: a character that YAML does not allow. Fix: remove it."),
        ('a: 1\nb: "\\e[31m"\n', "f.yaml:2: b: holds the control character U+001B. Fix: remove it."),
        ('a: 1\nb: "\\u202e"\n', "f.yaml:2: b: holds the control character U+202E. Fix: remove it."),
        ('"\\e[31m": 1\n', "f.yaml:1: a key must be a plain word. Fix: write `key: value`."),
        ("a: 1\n---\nb: 1\n", "f.yaml:2: a second document. Fix: write one file for each integration."),
        (
            "[" * 1000 + "]" * 1000,
            "f.yaml:1: nested too deeply. Fix: start from what `pairstream schema --example` prints.",
        ),
        ("[" * 500_000, "f.yaml:1: nested too deeply. Fix: start from what `pairstream schema --example` prints."),
        (
            "a:\n" + "".join(f"{' ' * level}a:\n" for level in range(1, 100)),
            "f.yaml:1: nested too deeply. Fix: start from what `pairstream schema --example` prints.",
        ),
    ],
)
def test_text_that_cannot_be_read(text: str, message: str) -> None:
    assert complaints(text) == [message]


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [("a: 1\n\tb: 2\n", 2, "tab"), ("a:\n\t- 2\n", 2, "cannot start any token"), ("a: [1\nb: 2\n", 2, "',' or ']'")],
)
def test_text_that_is_no_yaml_is_told_in_the_words_of_its_parser(text: str, line: int, what: str) -> None:
    (message,) = complaints(text)

    assert message.startswith(f"f.yaml:{line}: not YAML: ")
    assert what in message
    assert message.endswith("Fix: correct the YAML on this line or the one before; indent with spaces, never tabs.")


@pytest.mark.parametrize(
    "text",
    [
        "oauth: {client_id: ${ID}, client_secret: ${SECRET}}\n",
        "a: 1\noauth: {client_id: x,\n  client_secret: ${SECRET}}\nb: 2\n",
        "a: [${ID}]\n",
    ],
)
def test_a_variable_in_braces_is_asked_for_in_quotes(text: str) -> None:
    (message,) = complaints(text)

    assert message.endswith('Fix: between `{` and `}` write a variable in quotes, "${NAME}".')


def test_every_problem_is_reported_and_what_can_be_read_is() -> None:
    tree = parse('a: !x 1\nb: "\\0"\na: 2\nc: 3\n', "f.yaml")

    assert len(tree.problems) == 3
    assert tree.data == {"a": "1", "b": UNREAD, "c": 3}
    assert tree.unread == {"a", "b"}


def test_a_long_key_is_kept_once() -> None:
    tree = parse(f"{'k' * 100_000}:\n" + "  - x\n" * 1000, "f.yaml")

    assert max(map(len, tree.positions.places)) < 80
