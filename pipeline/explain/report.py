"""The answer as one object with stable keys, for scripts; no values unless they are asked for. Pure."""

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pipeline.explain.answer import Explanation, Happening
from pipeline.explain.look_now import Looked

VALUES: Final = frozenset({"value", "wanted", "match_value"})
"""Keys that are left out unless values are asked for."""

Json = Any  # plain JSON


def report(
    at_ms: int, told: Sequence[Explanation], looked: Sequence[Looked] = (), *, values: bool = False
) -> dict[str, Json]:
    """One object: `at_ms`, what systems were asked, an explanation for each integration; every key always there."""
    return {
        "at_ms": at_ms,
        "looked": [_plain(one, values) for one in looked],
        "explanations": [_plain(one, values) for one in told],
    }


def happening_report(one: Happening, *, values: bool = False) -> dict[str, Json]:
    """One record of the history, as `--follow` tells it."""
    told: dict[str, Json] = _plain(one, values)
    return told


def _plain(value: Json, values: bool) -> Json:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: _plain(getattr(value, field.name), values)
            for field in dataclasses.fields(value)
            if values or field.name not in VALUES
        }
    if isinstance(value, Mapping):
        return {str(key): _plain(one, values) for key, one in value.items()}
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    return [_plain(one, values) for one in value] if isinstance(value, tuple | list) else value
