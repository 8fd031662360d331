"""Which fields to describe when some were asked for by name."""

import difflib
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, Final

MOST_COMPARED: Final = 5_000
"""Names that slips of the pen are looked for among, for all of them together: to compare so many takes a second."""


def asked_or_near(wanted: Iterable[str], existing: Mapping[str, Any]) -> tuple[str, ...]:
    """The wanted names that exist and, for each that does not, the nearest one: so a slip of the pen has a remedy."""
    names: dict[str, None] = {}
    left = MOST_COMPARED
    for name in wanted:
        if name in existing:
            names[name] = None
            continue
        names |= dict.fromkeys(difflib.get_close_matches(name, islice(existing, left), n=1))
        left = max(0, left - len(existing))
    return tuple(names)
