"""Lists of who is not linked: made once by a process of its own, for all who look for ten minutes."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pipeline.console.waiting import heard
from pipeline.operations.unlinked import WHYS, Unlinked, Why

KEPT_MS: Final = 10 * 60 * 1000
ANEW_MS: Final = 10_000
MOST_LISTS: Final = 4
MOST: Final = 50_000
"""So many of a list are kept, the newest: a page, and a file, show no more."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Those of one integration, by mapping and why, the newest first."""

    shown: Mapping[str, Mapping[Why, Sequence[Unlinked]]]
    number: Mapping[str, Mapping[Why, int]]  # how many there are, those that are not kept too

    @classmethod
    def of(cls, found: Mapping[str, Iterable[Unlinked]]) -> "Listing":
        """By mapping."""
        by_why: dict[str, dict[Why, list[Unlinked]]] = {name: {why: [] for why in WHYS} for name in found}
        for name, some in found.items():
            for one in some:
                by_why[name][one.why].append(one)
            for each in by_why[name].values():
                each.sort(key=lambda one: -one.heard_ms)
        number = {name: {why: len(some) for why, some in each.items()} for name, each in by_why.items()}
        return cls({name: {why: some[:MOST] for why, some in each.items()} for name, each in by_why.items()}, number)


@dataclass(frozen=True, slots=True)
class Asked:
    """A list on its way, or there."""

    connection: int
    at_ms: int
    answer: "asyncio.Future[Listing]"


@dataclass
class Listings:
    """The newest of each integration."""

    kept: dict[str, Asked] = field(default_factory=dict)

    def of(self, name: str, connection: int, now_ms: int) -> Asked | None:
        """The list that is on its way or was made lately, of this very connection."""
        found = self.kept.get(name)
        if found is None:
            return None
        if found.connection != connection or (found.answer.done() and now_ms - found.at_ms > KEPT_MS):
            self.forget(name)
            return None
        return found

    def begin(self, name: str, connection: int, now_ms: int, make: Callable[[], Awaitable[Listing]]) -> None:
        """Make one anew, unless one is on its way."""
        found = self.of(name, connection, now_ms)
        if found is not None and (not found.answer.done() or _is_new(found, now_ms)):
            return
        for other in list(self.kept)[: max(0, len(self.kept) - MOST_LISTS + 1)]:
            self.forget(other)
        answer = asyncio.ensure_future(make())
        answer.add_done_callback(heard)
        self.kept[name] = Asked(connection, now_ms, answer)

    def forget(self, name: str) -> None:
        found = self.kept.pop(name, None)
        if found is not None:
            found.answer.cancel()


def _is_new(asked: Asked, now_ms: int) -> bool:
    """Whether a list was made just now: nobody makes them one after the other."""
    return asked.answer.exception() is None and now_ms - asked.at_ms < ANEW_MS
