"""Copies of records that were handled: a topic is rid of some of its records by copying the others to its end.

Whoever handles records leaves copies out; whoever reads what a topic holds, a replay say, finds the record as it was.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

COPIED: Final = "pairstream.copied"

Header = tuple[str, str | bytes | None]
Headers = Sequence[Header] | Mapping[str, str | bytes | None]
"""As Kafka's clients give them."""


def is_copy(headers: Headers | None) -> bool:
    """Whether a message with these headers is a copy of one that was handled."""
    return bool(headers) and any(name == COPIED for name, _ in each(headers))


def as_copy(headers: Headers | None) -> list[Header]:
    """The headers of a message's copy."""
    return [*(header for header in each(headers) if header[0] != COPIED), (COPIED, b"")]


def each(headers: Headers | None) -> Iterable[Header]:
    """The headers one by one."""
    return headers.items() if isinstance(headers, Mapping) else headers or ()
