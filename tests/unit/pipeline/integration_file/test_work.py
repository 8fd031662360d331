"""The work of reading a file grows with the file: counted in executed lines, for every shape that could cost more."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Final

import pytest

import pipeline.integration_file
from pipeline.integration_file.loader import load
from tests.unit.pipeline.integration_file.files import ENVIRONMENT, GOOD, HEAD

FOLDER: Final = str(Path(pipeline.integration_file.__file__).parent)


def executed_lines(work: Callable[[], object]) -> int:
    """How many lines of the package run; a loop's line counts each time."""
    count = 0

    def local(_: FrameType, event: str, __: Any) -> Any:
        nonlocal count
        count += event == "line"
        return local

    before = sys.gettrace()
    sys.settrace(lambda frame, _, __: local if frame.f_code.co_filename.startswith(FOLDER) else None)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def mappings(number: int) -> str:
    kinds = "hubspot: contacts, userflow: users"
    return f"{HEAD}mappings:\n" + "".join(
        f"  - {{name: m{each}, {kinds}, match: {{hubspot: mail{each}, userflow: email}}, to_userflow: [f{each}]}}\n"
        for each in range(number)
    )


def equal_mappings(number: int) -> str:
    return mappings(1) + mappings(1).splitlines()[-1].join("\n" * (number + 1))


def rules(number: int) -> str:
    return GOOD + "".join(f"      - f{each}\n" for each in range(number))


def equal_rules(number: int) -> str:
    return GOOD + "      - jobtitle\n" * number


def chain(number: int) -> str:
    """Each rule feeds the one before it, so that a search from any of them would walk all."""
    there = "".join(f"      - {{from: f{each}, to: a{each}}}\n" for each in range(number + 1))
    back = "".join(f"      - {{from: a{each + 1}, to: f{each}}}\n" for each in reversed(range(number)))
    return f"{GOOD}{there}    to_hubspot:\n{back}"


def circle(number: int) -> str:
    return f"{chain(number)}      - {{from: a0, to: f{number}}}\n"


def unknown_keys(number: int) -> str:
    return GOOD + "".join(f"key{each}: 1\n" for each in range(number))


def unset_variables(number: int) -> str:
    return GOOD + "".join(f"      - '${{V{each}}}'\n" for each in range(number))


def misread(number: int) -> str:
    return GOOD + "      - [a]\n" * number


SHAPES: Final = [mappings, equal_mappings, rules, equal_rules, chain, circle, unknown_keys, unset_variables, misread]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_twice_the_file_is_twice_the_work(shape: Callable[[int], str]) -> None:
    small, large = (executed_lines(partial(load, shape(number), "f.yaml", ENVIRONMENT)) for number in (300, 600))

    assert small > 300
    assert large < 2.2 * small


def test_a_search_from_every_rule_would_be_seen() -> None:
    """The measure itself: work that grows with the square is more than twice as much."""
    source = compile(
        "def square(n):\n    for a in range(n):\n        for b in range(n):\n            pass\n",
        f"{FOLDER}/square.py",
        "exec",
    )
    names: dict[str, Any] = {}
    exec(source, names)

    assert executed_lines(lambda: names["square"](60)) > 3 * executed_lines(lambda: names["square"](30))
