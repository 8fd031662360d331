"""Copies of records that were handled: a topic is rid of some of its records by copying the others to its end.

Whoever handles records leaves copies out; whoever reads what a topic holds, a replay say, finds the record as it was.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

COPIED: Final = "pairstream.copied"
HANDLED: Final = "pairstream.handled"
"""Names the stages that had handled a record before it was moved to another partition; others had not."""

Header = tuple[str, str | bytes | None]
Headers = Sequence[Header] | Mapping[str, str | bytes | None]
"""As Kafka's clients give them."""


def is_copy(headers: Headers | None) -> bool:
    """Whether a message with these headers is a copy of one that was handled."""
    return bool(headers) and any(name == COPIED for name, _ in each(headers))


def as_copy(headers: Headers | None) -> list[Header]:
    """The headers of a message's copy."""
    return [*(header for header in each(headers) if header[0] != COPIED), (COPIED, b"")]


def as_handled(headers: Iterable[Header], stages: Iterable[str]) -> list[Header]:
    """The headers of a record that is moved, once these stages have handled it."""
    kept, named = [], set(stages)
    for name, value in headers:
        if name == HANDLED:
            named |= set(_stages(value))
        else:
            kept.append((name, value))
    return [*kept, (HANDLED, ",".join(sorted(named)).encode())] if named else kept


def handled_by(headers: Headers | None, stage: str) -> bool:
    """Whether a stage had handled a message before it was moved."""
    return bool(headers) and any(name == HANDLED and stage in _stages(value) for name, value in each(headers))


def _stages(value: str | bytes | None) -> list[str]:
    text = value.decode(errors="replace") if isinstance(value, bytes) else value or ""
    return text.split(",")


def each(headers: Headers | None) -> Iterable[Header]:
    """The headers one by one."""
    return headers.items() if isinstance(headers, Mapping) else headers or ()
