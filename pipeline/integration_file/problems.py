"""What is wrong with an integration file: one problem per line of output, each with its place and its remedy."""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from pipeline.visible import visible

MOST_PROBLEMS: Final = 100
"""Shown at once; a file of a megabyte can hold many thousands."""

_LONGEST_SHOWN: Final = 64
_LIKE_A_PATH: Final = re.compile(r'[."\[\]]')


@dataclass(frozen=True, slots=True)
class Problem:
    """One refusal. Line and column count from 1; line 0 means that the place is not known.

    Neither `message` nor `fix` ever holds a secret or the value of an environment variable.
    """

    line: int
    column: int
    path: str
    message: str
    fix: str
    file: str = ""

    def __str__(self) -> str:
        """`FILE:LINE: path: message. Fix: what to do.`, on one line and without anything a terminal would obey."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        parts = [part for part in (place, self.path, self.message) if part]
        return visible(f"{': '.join(parts)}. Fix: {self.fix}.")


@dataclass(frozen=True, slots=True)
class Positions:
    """Where each path of a file stands, as (line, column); empty for a model that did not come from a file."""

    file: str = ""
    places: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def problem(self, path: str, message: str, fix: str) -> Problem:
        """A problem at the path, or at its nearest parent that has a place."""
        line, column = self.at(path)
        return Problem(line, column, path, message, fix, self.file)

    def at(self, path: str) -> tuple[int, int]:
        while path not in self.places:
            parent = path[: max(path.rfind("."), path.rfind("["), 0)]
            if not path:
                return (0, 0)
            path = parent
        return self.places[path]


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """As a reader meets them in the file."""
    return tuple(sorted(problems, key=lambda problem: (problem.line, problem.column)))


def render(problems: Iterable[Problem]) -> str:
    """One line per problem, in the order of the file; the first hundred of them."""
    ordered = in_order(problems)
    left = len(ordered) - MOST_PROBLEMS
    more = [f"and {left} more"] if left > 0 else []
    return "\n".join([*map(str, ordered[:MOST_PROBLEMS]), *more])


def near(word: str, known: Iterable[str], otherwise: str) -> str:
    """The remedy for an unknown word: the closest known one, else `otherwise`."""
    close = difflib.get_close_matches(word, sorted(known), n=1) if len(word) <= _LONGEST_SHOWN else []
    return f"did you mean `{close[0]}`" if close else otherwise


def below(path: str, key: str) -> str:
    """The path of a key in the table at `path`; a long key is cut, since every path below repeats it.

    A key that would read as a path of several keys stands in quotes: `"hubspot.token"` is not `token` of `hubspot`.
    """
    name = f'"{cut(key)}"' if _LIKE_A_PATH.search(key) else cut(key)
    return f"{path}.{name}" if path else name


def cut(text: str) -> str:
    """The text as a message quotes it."""
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
