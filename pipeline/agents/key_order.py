"""The order in which slices of work on all state go through the keys of a partition: sorted once, not at each slice."""

from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

MOST_ORDERS: Final = 8
"""Commands that may be under way in one process without sorting again; one more only costs time."""

Keys = Callable[[], Iterable[str]]
"""All keys that the command is about, in their order."""


class KeyOrder:
    """Sorted keys by command and partition, from the first slice of a command to its last.

    Keys that are added meanwhile are left out: they are new, and what makes them handles them. Keys that are gone stay
    in: their rows are looked up, and are none.
    """

    def __init__(self) -> None:
        self._sorted: dict[tuple[Hashable, int], Sequence[str]] = {}

    def after(self, command: Hashable, partition: int, cursor: str | None, keys: Keys) -> Iterator[str]:
        """The keys behind the cursor; without one the order is made anew.

        `command` tells this command from every other one: another worker may have begun it meanwhile, or ended it.
        """
        place = command, partition
        order = self._sorted.pop(place, None)
        if order is None or cursor is None:
            order = list(keys())
        self._sorted[place] = order  # last: the one that was used longest ago goes first
        if len(self._sorted) > MOST_ORDERS:
            del self._sorted[next(iter(self._sorted))]
        return islice(order, bisect_right(order, cursor) if cursor is not None else 0, None)

    def forget(self, command: Hashable, partition: int) -> None:
        """The command has ended."""
        self._sorted.pop((command, partition), None)
