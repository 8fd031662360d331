"""What pydantic refuses in an integration file, in the words of its author: where, what was expected, what to write."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic_core import ErrorDetails

from pipeline.integration_file.document import (
    FileKeys,
    HubSpotKeys,
    Keys,
    MappingKeys,
    MatchKeys,
    OAuthKeys,
    RuleKeys,
    UserflowKeys,
    is_branch,
)
from pipeline.integration_file.problems import MOST_PROBLEMS, Positions, Problem, below, cut, near
from pipeline.integration_file.variables import SECRETS, Filled

_TABLES: Final[Mapping[str, type[Keys]]] = {
    "": FileKeys,
    "hubspot": HubSpotKeys,
    "hubspot.oauth": OAuthKeys,
    "userflow": UserflowKeys,
    "mappings[]": MappingKeys,
    "mappings[].match": MatchKeys,
    "mappings[].to_userflow[]": RuleKeys,
    "mappings[].to_hubspot[]": RuleKeys,
}
_EXPECTED: Final = {
    "string_type": "text",
    "list_type": "a list",
    "whole_number": "a whole number",
    "bool_type": "true, false or a list",
}
_FIXES: Final = {
    "whole_number": "write the digits only",
    "list_type": "put it in brackets, `[...]`, or begin each item with `- ` on a line of its own",
    "string_type": "write one text, or remove it",
    "bool_type": "write true for every event, false for none",
}
_EXAMPLE: Final = "`pairstream schema --example` prints a whole file"


def misreadings(errors: Sequence[ErrorDetails], filled: Filled, positions: Positions) -> tuple[Problem, ...]:
    """In the order of the file; no more than are shown, and none for a value that is refused already.

    A key that nothing reads is refused whatever its value is: that of a variable which is not set counts as unread.
    """
    paths = [(_path(error["loc"]), error) for error in errors]
    fresh = [each for each in paths if each[0] not in filled.unread or each[1]["type"] == "extra_forbidden"]
    fresh.sort(key=lambda one: positions.at(one[0]))
    shown = [_problem(path, error, filled, positions) for path, error in fresh[:MOST_PROBLEMS]]
    unshown = [positions.problem(path, error["msg"], _EXAMPLE) for path, error in fresh[MOST_PROBLEMS:]]
    return (*shown, *unshown)


def keys_of(location: Sequence[int | str]) -> list[int | str]:
    """The keys and indexes that lead to a location, without the branches of unions."""
    return [key for key in location if not is_branch(key)]


def _path(location: Sequence[int | str]) -> str:
    path = ""
    for key in keys_of(location):
        path = f"{path}[{key}]" if isinstance(key, int) else below(path, key)
    return path


def _problem(path: str, error: ErrorDetails, filled: Filled, positions: Positions) -> Problem:
    message, fix = _words(path, error, _got(path, error, filled))
    return positions.problem(path, message, fix)


def _words(path: str, error: ErrorDetails, got: str) -> tuple[str, str]:
    """The message and the fix."""
    kind, keys = error["type"], keys_of(error["loc"])
    if kind == "missing":
        return f"the key `{keys[-1]}` is needed", f"add `{keys[-1]}:`"
    if kind == "extra_forbidden":
        key, known = str(keys[-1]), list(_known(_path(keys[:-1])))
        return f"unknown key `{cut(key)}`", near(key, known, f"remove it; known keys: {', '.join(known)}")
    if kind == "model_type":
        needed = ", ".join(name for name, is_needed in _known(path).items() if is_needed)
        return f"expected keys: {needed}, got {got}", _EXAMPLE
    if kind == "literal_error":
        options = re.findall("'([^']*)'", error["ctx"]["expected"])
        fix = near(str(error["input"]), options, f"write {' or '.join(options)}")
        return f"expected {' or '.join(options)}, got {got}", fix
    if kind in ("string_too_short", "too_short"):
        return _empty(path)
    if kind == "string_too_long":
        most = error["ctx"]["max_length"]
        return f"has {len(error['input'])} characters, {most} at most", "write a shorter one"
    if kind == "unseen":
        return error["msg"], "type the name anew"
    if kind == "string_type" and isinstance(error["input"], bool | int | float):
        return f"expected text, got {got}", "put it in quotes"
    return f"expected {_EXPECTED.get(kind, error['msg'])}, got {got}", _FIXES.get(kind, _EXAMPLE)


def _empty(path: str) -> tuple[str, str]:
    if path.endswith(".stream_events"):
        return "the list names no event", "write false, true, or the names of events"
    return "the text is empty", "write a value"


def _known(path: str) -> Mapping[str, bool]:
    """The keys of the table at a path, and whether each is needed."""
    return dict(_TABLES[re.sub(r"\[\d+\]", "[]", path)].known_keys())


def _got(path: str, error: ErrorDetails, filled: Filled) -> str:
    """What stands in the file; never what a variable holds, nor a text where a secret may have slipped in."""
    value: Any = error["input"]
    if value is None or isinstance(value, list | dict):
        return "nothing" if value is None else "a list" if isinstance(value, list) else "keys"
    if error["type"] == "whole_number" and not isinstance(value, str):
        return f"`{value}`"
    if isinstance(value, str):
        quoted = error["type"] in ("whole_number", "literal_error", "bool_type")
        return f"`{cut(filled.written.get(path, value))}`" if quoted else "text"
    kind = "boolean" if isinstance(value, bool) else "number"
    return f"a {kind}" if path in SECRETS else f"the {kind} `{str(value).lower()}`"
