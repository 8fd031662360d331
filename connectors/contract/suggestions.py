"""Which fields to describe when some were asked for by name."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any


def asked_or_near(wanted: Iterable[str], existing: Mapping[str, Any]) -> tuple[str, ...]:
    """The wanted names that exist and, for each that does not, the nearest one: so a slip of the pen has a remedy."""
    names: dict[str, None] = {}
    for name in wanted:
        near = (name,) if name in existing else difflib.get_close_matches(name, existing, n=1)
        names |= dict.fromkeys(near)
    return tuple(names)
