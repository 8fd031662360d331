"""YAML text -> plain data, and where each part of it stands. Unquoted words mean what YAML 1.2 and editors say."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import yaml

from pipeline.integration_file.problems import Positions, Problem, below
from pipeline.visible import CONTROL

MOST_BYTES: Final = 1_000_000
MOST_LEVELS: Final = 20
"""An integration file has 5."""

UNREAD: Final = "\0unread"
"""Stands for a value whose problem is already reported, or whose variable is not set; no file can hold it."""

# libyaml reads 1 MB in 0.3 s, the parser in Python in 5 s
_PARSER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
EXAMPLE: Final = "start from what `pairstream schema --example` prints"
_KNOWN_TAGS: Final = (None, "!", *(f"tag:yaml.org,2002:{kind}" for kind in ("str", "map", "seq")))
_PLAIN_WORDS: Final[Mapping[str, bool | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
# both are narrower than PyYAML's: text that its dumper leaves unquoted stays text
_WHOLE: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")
# a variable without quotes, which in {...} and [...] opens another table
_BARE_VARIABLE: Final = re.compile(r"[\s:,\[]\$\{[A-Za-z_]")
_DECIMAL: Final = re.compile(r"[-+]?[0-9]{1,19}\.[0-9]{0,19}(?:[eE][-+][0-9]{1,3})?")


@dataclass(frozen=True, slots=True)
class Tree:
    """`data`: dict, list, str, int, float, bool or None; `unread`: the paths whose value was refused already."""

    data: Any
    positions: Positions
    problems: tuple[Problem, ...]
    unread: frozenset[str]


class _Mark(Protocol):
    """Where PyYAML is in the text, counted from 0; its two parsers have a class each."""

    @property
    def line(self) -> int: ...
    @property
    def column(self) -> int: ...


def parse(text: str, file_name: str) -> Tree:
    """The tree and every problem met on the way; its data is None where the text is not YAML at all."""
    builder = _Builder(text, file_name)
    data = None
    try:
        data = builder.document()
    except _Stop as stop:
        builder.problems.append(stop.problem)
    except yaml.YAMLError as error:
        builder.problems.append(_syntax_problem(error, text, file_name))
    return Tree(data, Positions(file_name, builder.places), tuple(builder.problems), frozenset(builder.unread))


class _Stop(Exception):
    """The text cannot be read any further."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class _Builder:
    def __init__(self, text: str, file_name: str) -> None:
        self.places: dict[str, tuple[int, int]] = {}
        self.problems: list[Problem] = []
        self.unread: set[str] = set()
        self._text = text
        self._file_name = file_name
        self._events: Any = iter(())

    def document(self) -> Any:
        """The one document of the text. Raises _Stop and YAMLError."""
        forbidden = yaml.reader.Reader.NON_PRINTABLE.search(self._text)
        if forbidden is not None:
            line = self._text.count("\n", 0, forbidden.start()) + 1
            raise _Stop(Problem(line, 1, "", "a character that YAML does not allow", "remove it", self._file_name))
        self._events = yaml.parse(self._text, Loader=_PARSER)
        next(self._events)  # the stream begins
        if isinstance(next(self._events), yaml.StreamEndEvent):
            raise _Stop(Problem(1, 1, "", "the file is empty", EXAMPLE, self._file_name))
        data = self._node(next(self._events), "", 0)
        next(self._events)  # the document ends
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise _Stop(self._problem(after.start_mark, "", "a second document", "write one file for each integration"))
        return data

    def _problem(self, mark: _Mark, path: str, message: str, fix: str) -> Problem:
        return Problem(mark.line + 1, mark.column + 1, path, message, fix, self._file_name)

    def _refuse(self, mark: _Mark, path: str, message: str, fix: str) -> str:
        self.problems.append(self._problem(mark, path, message, fix))
        self.unread.add(path)
        return UNREAD

    def _node(self, event: Any, path: str, level: int) -> Any:
        mark = event.start_mark
        self.places.setdefault(path, (mark.line + 1, mark.column + 1))
        if isinstance(event, yaml.AliasEvent):
            # aliases could make a small file endless, and a line would no longer mean one place
            raise _Stop(self._problem(mark, "", "aliases are not read", "write the value out"))
        if level > MOST_LEVELS:
            raise _Stop(Problem(1, 1, "", "nested too deeply", EXAMPLE, self._file_name))
        if event.tag not in _KNOWN_TAGS:
            self._refuse(mark, path, f"the tag `{event.tag}` is not read", "write the plain value")
        if isinstance(event, yaml.MappingStartEvent):
            return self._table(path, level)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._list(path, level)
        if (control := CONTROL.search(event.value)) is not None:
            return self._refuse(mark, path, f"holds the control character U+{ord(control[0]):04X}", "remove it")
        return _plain_value(event.value) if event.style in (None, "") and event.tag is None else event.value

    def _list(self, path: str, level: int) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event, f"{path}[{len(items)}]", level + 1))
        return items

    def _table(self, path: str, level: int) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event, path, level)
            if key is None:
                self._node(next(self._events), f"{path}.?", level + 1)  # the value of the unreadable key
                continue
            here, mark = below(path, key), event.start_mark
            if key in entries:
                message = f"given twice, first on line {self.places[here][0]}"
                self.problems.append(self._problem(mark, here, message, "keep one of them"))
                self._node(next(self._events), here, level + 1)
            else:
                self.places[here] = (mark.line + 1, mark.column + 1)
                entries[key] = self._node(next(self._events), here, level + 1)
        return entries

    def _key(self, event: Any, path: str, level: int) -> str | None:
        if isinstance(event, yaml.ScalarEvent) and not CONTROL.search(event.value):
            return str(event.value)
        message, fix = "a key must be a plain word", "write `key: value`"
        self.problems.append(self._problem(event.start_mark, path, message, fix))
        if not isinstance(event, yaml.ScalarEvent):
            self._node(event, f"{path}.?", level + 1)
        return None


def _plain_value(text: str) -> str | int | float | bool | None:
    """What an unquoted text stands for."""
    if text in _PLAIN_WORDS:
        return _PLAIN_WORDS[text]
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text) else text


def _syntax_problem(error: yaml.YAMLError, text: str, file_name: str) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    what = getattr(error, "problem", None) or "cannot be read"
    fix = "correct the YAML on this line or the one before; indent with spaces, never tabs"
    opened = getattr(error, "context_mark", None)
    if opened and "expected ','" in what and any(map(_BARE_VARIABLE.search, text.splitlines()[opened.line : line])):
        fix = 'between `{` and `}` write a variable in quotes, "${NAME}"'
    return Problem(line, column, "", f"not YAML: {what}", fix, file_name)
