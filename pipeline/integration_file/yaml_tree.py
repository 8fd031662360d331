"""YAML text -> a tree that knows its lines, with `${NAME}` filled in from the environment."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol, TypeAlias

import yaml

from pipeline.integration_file.problems import Problem

ScalarKind = Literal["text", "null", "boolean", "missing"]


@dataclass(frozen=True, slots=True)
class Scalar:
    """`text` is the value, `written` what stands in the file: only the latter may be shown to anybody.

    `missing` stands for a value whose problem is already reported.
    """

    line: int
    column: int
    text: str
    written: str
    kind: ScalarKind = "text"


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    line: int
    column: int
    items: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Table:
    """Keys and values; a key's place is that of the key, not of its value."""

    line: int
    column: int
    entries: "Mapping[str, Node]"
    key_places: Mapping[str, tuple[int, int]] = field(default_factory=dict)


Node: TypeAlias = Scalar | Items | Table


class Mark(Protocol):
    """Where PyYAML is in the text, counted from 0; its two parsers have a class each."""

    @property
    def line(self) -> int: ...
    @property
    def column(self) -> int: ...


_REFERENCE: Final = re.compile(r"\$\$\{|\$\{([^}]*)\}?")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_YAML_TAG: Final = "tag:yaml.org,2002:"


def parse(text: str, file_name: str, environment: Mapping[str, str]) -> tuple[Node | None, tuple[Problem, ...]]:
    """The tree and every problem met on the way; no tree where the text is not YAML at all.

    `$${` is a literal `${`.
    """
    builder = _Builder(file_name, environment)
    try:
        if (alias := _first_alias(text)) is not None:
            return None, (builder.problem(alias, "", "aliases are not read", "write the value out"),)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is None:
            return None, (Problem(1, 1, "", "the file is empty", "start from one of the examples", file_name),)
        return builder.node(root, ""), tuple(builder.problems)
    except yaml.YAMLError as error:
        return None, (_syntax_problem(error, text, file_name),)
    except RecursionError:
        return None, (Problem(1, 1, "", "nested too deeply", "start from one of the examples", file_name),)


class _Builder:
    def __init__(self, file_name: str, environment: Mapping[str, str]) -> None:
        self.problems: list[Problem] = []
        self._file_name = file_name
        self._environment = environment

    def problem(self, mark: Mark, path: str, message: str, fix: str) -> Problem:
        return Problem(mark.line + 1, mark.column + 1, path, message, fix, self._file_name)

    def node(self, node: yaml.Node, path: str) -> Node:
        line, column = node.start_mark.line + 1, node.start_mark.column + 1
        if not node.tag.startswith(_YAML_TAG):
            self._refuse(node.start_mark, path, f"the tag `{node.tag}` is not read", "write the plain value")
        if isinstance(node, yaml.MappingNode):
            return self._table(node, path)
        if isinstance(node, yaml.SequenceNode):
            items = tuple(self.node(item, f"{path}[{index}]") for index, item in enumerate(node.value))
            return Items(line, column, items)
        assert isinstance(node, yaml.ScalarNode)
        return self._scalar(node, path)

    def _table(self, node: yaml.MappingNode, path: str) -> Table:
        entries: dict[str, Node] = {}
        places: dict[str, tuple[int, int]] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._refuse(key.start_mark, path, "a key must be a plain word", "write `key: value`")
                continue
            below = f"{path}.{key.value}" if path else key.value
            if key.value in entries:
                first = places[key.value][0]
                self._refuse(key.start_mark, below, f"given twice, first on line {first}", "keep one of them")
                continue
            places[key.value] = (key.start_mark.line + 1, key.start_mark.column + 1)
            entries[key.value] = self.node(value, below)
        return Table(node.start_mark.line + 1, node.start_mark.column + 1, entries, places)

    def _scalar(self, node: yaml.ScalarNode, path: str) -> Scalar:
        line, column = node.start_mark.line + 1, node.start_mark.column + 1
        text = self._filled_in(node, path)
        if text is None:
            return Scalar(line, column, "", node.value, "missing")
        # what came from the environment is typed as if it stood in the file; quoted text stays text
        tag = _plain_tag(text) if node.style is None else node.tag
        return Scalar(line, column, text, node.value, _kind(tag))

    def _filled_in(self, node: yaml.ScalarNode, path: str) -> str | None:
        complete = True

        def fill(match: re.Match[str]) -> str:
            nonlocal complete
            if match[0] == "$${":
                return "${"
            complete &= self._known(match, node.start_mark, path)
            return self._environment.get(match[1], "")

        text = _REFERENCE.sub(fill, str(node.value))
        return text if complete else None

    def _known(self, match: re.Match[str], mark: Mark, path: str) -> bool:
        name = match[1]
        if not _NAME.fullmatch(name) or not match[0].endswith("}"):
            # what follows the brace may be a secret with a brace in it, so it is not shown
            self._refuse(mark, path, "`${` without the name of a variable", "write `${NAME}`, or `$${` for the text")
        elif name not in self._environment:
            self._refuse(
                mark, path, f"the environment variable {name} is not set", f"set {name} before running this command"
            )
        elif not self._environment[name]:
            self._refuse(
                mark, path, f"the environment variable {name} is empty", f"set {name} before running this command"
            )
        else:
            return True
        return False

    def _refuse(self, mark: Mark, path: str, message: str, fix: str) -> None:
        self.problems.append(self.problem(mark, path, message, fix))


def _first_alias(text: str) -> Mark | None:
    """Aliases could make a small file endless, and a line would no longer mean one place."""
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            return event.start_mark
    return None


def _plain_tag(text: str) -> str:
    """What YAML takes an unquoted text for."""
    resolver: Any = yaml.resolver.Resolver()  # PyYAML's stubs leave the method untyped
    return str(resolver.resolve(yaml.ScalarNode, text, (True, False)))


def _kind(tag: str) -> ScalarKind:
    kinds: dict[str, ScalarKind] = {f"{_YAML_TAG}null": "null", f"{_YAML_TAG}bool": "boolean"}
    return kinds.get(tag, "text")


def _syntax_problem(error: yaml.YAMLError, text: str, file_name: str) -> Problem:
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return Problem(line, 1, "", "a character that YAML does not allow", "remove it", file_name)
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    what = getattr(error, "problem", None) or "cannot be read"
    fix = "indent with spaces, not tabs" if "'\\t'" in what else "correct the YAML on this line or the one before"
    return Problem(line, column, "", f"not YAML: {what}", fix, file_name)
