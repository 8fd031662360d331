"""Dead letters as pages take them: what is refused, and selections that stay as they were when somebody saw them."""

import asyncio
import secrets
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final, Literal, Protocol, TypeVar

from connectors.kafka.producer import Publisher
from pipeline.operations.letter_report import Told, grouped
from pipeline.operations.letters import Letter
from pipeline.operations.redrive import Plan
from schemas.operating import LetterMark

PLAN_MS: Final = 10 * 60 * 1000
MOST_PLANS: Final = 100
TREND_MS: Final = 7 * 24 * 60 * 60 * 1000
TREND_PARTS: Final = 14
INDEX_MS: Final = 60 * 1000
"""An index tells how many came in each part of the last days: that grows old though no letter comes."""


class Letters(Protocol):
    """What reads them, judges how they stand, and tries them again: the desk that the commands use."""

    @property
    def marks(self) -> Mapping[str, LetterMark]: ...

    # Any: values as JSON
    def values(self, letters: Iterable[Letter]) -> Mapping[str, Any]:
        """What was refused, by the letters' ids, of those that tell; blocks."""

    # Any: where the last record went, which only the command waits for
    async def redrive(self, publisher: Publisher, plan: Plan, per_s: float) -> Any:
        """Try again what the plan says."""

    async def mark(self, publisher: Publisher, letters: Iterable[Letter], note: str) -> None:
        """Put letters away."""

    async def give_back(self, publisher: Publisher, letters: Iterable[Letter]) -> None:
        """Take letters that were put away as open again."""


Which = Literal["open", "ended", "all"]
WHICH: Final[Sequence[Which]] = ("open", "ended", "all")


@dataclass(frozen=True, slots=True)
class GroupOfLetters:
    """Letters of one reason, stage, mapping and field, the oldest first."""

    reason: str
    stage: str
    mapping: str
    field: str
    letters: Sequence[Told]
    trend: tuple[int, ...]  # how many came in each part of the last seven days

    def since(self, at_ms: int) -> Sequence[Told]:
        """Those that came since then."""
        return self.letters[bisect_left(self.letters, at_ms, key=_at_ms) :]


Groups = Sequence[GroupOfLetters]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LetterIndex:
    """Every letter by integration and group, the largest group first; sorted once, for all who look."""

    open: Mapping[str, Groups]
    ended: Mapping[str, Groups]
    away: Mapping[str, Sequence[Told]]  # what somebody put away, by integration, the oldest first
    by_name: Mapping[str, Sequence[Told]] = field(default_factory=dict, repr=False)  # what it was made of

    @classmethod
    def of(cls, told: Iterable[Told], now_ms: int, before: "LetterIndex | None" = None) -> "LetterIndex":
        """`told`: the oldest first; of an integration whose letters are those of `before` all is taken from there."""
        by_name = defaultdict[str, list[Told]](list)
        for one in told:
            by_name[one.letter.letter.integration or ""].append(one)
        made = cls({}, {}, {}, by_name) if before is None else before
        new = {name: some for name, some in by_name.items() if before is None or before.by_name.get(name) != some}
        waiting = {name: [one for one in some if one.now.open] for name, some in new.items()}
        over = {name: [one for one in some if not one.now.open] for name, some in new.items()}
        away = {name: [one for one in some if one.now.word == "discarded"] for name, some in over.items()}
        return cls(
            _of_all(by_name, made.open, _groups(waiting, now_ms)),
            _of_all(by_name, made.ended, _groups(over, now_ms)),
            _of_all(by_name, made.away, away),
            by_name,
        )

    def groups(self, integration: str, which: Which) -> Groups:
        """Those that are open, that ended, or all, where a group may stand twice."""
        found = [*self.open.get(integration, ())] if which != "ended" else []
        return [*found, *self.ended.get(integration, ())] if which != "open" else found

    def number(self, integration: str, which: Which = "open") -> int:
        """How many of an integration there are."""
        return sum(len(group.letters) for group in self.groups(integration, which))

    def chosen(
        self, integration: str, reason: str, field: str = "", mapping: str = "", which: Which = "open"
    ) -> list[Told]:
        """Those of a reason, of one field and mapping where they are named, the oldest first."""
        found = [
            one
            for group in self.groups(integration, which)
            if group.reason == reason and field in ("", group.field) and mapping in ("", group.mapping)
            for one in group.letters
        ]
        return sorted(found, key=_at_ms)


def _of_all(names: Iterable[str], before: Mapping[str, T], new: Mapping[str, T]) -> dict[str, T]:
    """What is there for each of the names, the new before the former."""
    both = {**before, **new}
    return {name: both[name] for name in names if name in both}


def _groups(by_name: Mapping[str, list[Told]], now_ms: int) -> dict[str, Groups]:
    return {
        name: [GroupOfLetters(*key, letters, _trend(letters, now_ms)) for key, letters in grouped(some)]
        for name, some in by_name.items()
    }


def _trend(letters: Sequence[Told], now_ms: int) -> tuple[int, ...]:
    """How many came in each of the parts."""
    begins = [now_ms - TREND_MS * (TREND_PARTS - part) // TREND_PARTS for part in range(TREND_PARTS + 1)]
    passed = [bisect_left(letters, at_ms, key=_at_ms) for at_ms in begins[:-1]] + [len(letters)]
    return tuple(after - before for before, after in pairwise(passed))


def _at_ms(one: Told) -> int:
    return one.letter.letter.at_ms


@dataclass(slots=True)
class Indexing:
    """The index of letters that are looked at again and again: made anew where they are other ones, or it is old."""

    read: Callable[[], Sequence[Told]]  # the very same object while nothing is new
    now_ms: Callable[[], int]
    _told: Sequence[Told] | None = None
    _at_ms: int = 0
    _index: LetterIndex = LetterIndex({}, {}, {})

    def look(self) -> LetterIndex:
        """Every letter as it stands now; blocks."""
        told, now_ms = self.read(), self.now_ms()
        if told is not self._told or now_ms - self._at_ms > INDEX_MS:
            old = now_ms - self._at_ms > INDEX_MS
            self._index = LetterIndex.of(told, now_ms, None if old else self._index)
            self._told, self._at_ms = told, now_ms if old else self._at_ms
        return self._index


@dataclass(frozen=True, slots=True)
class Selection:
    """What somebody saw before acting: these letters and no others, however many are refused meanwhile."""

    owner: str  # the session
    integration: str
    plan: Plan
    letters: tuple[Letter, ...]
    at_ms: int


@dataclass
class Redriving:
    """Letters that are being tried once more: it takes its time, and no page waits for all of it."""

    number: int
    at_ms: int
    task: "asyncio.Task[Any]"

    @property
    def failed(self) -> str:
        """What ended it before all were tried; empty: nothing did."""
        error = self.task.exception() if self.task.done() and not self.task.cancelled() else None
        return "" if error is None else f"{type(error).__name__}: {error}"


@dataclass
class Selections:
    """Those that were shown lately; each is acted on once."""

    kept: dict[str, Selection] = field(default_factory=dict)

    def keep(self, selection: Selection) -> str:
        """Its name, which stands in the form."""
        while len(self.kept) >= MOST_PLANS:
            self.kept.pop(next(iter(self.kept)))
        name = secrets.token_urlsafe(12)
        self.kept[name] = selection
        return name

    def take(self, name: str, owner: str, integration: str, now_ms: int) -> Selection | None:
        """The selection, once, for the session that saw it; None for any other, and past ten minutes."""
        found = self.kept.get(name)
        if found is None or (found.owner, found.integration) != (owner, integration):
            return None
        del self.kept[name]
        return found if now_ms - found.at_ms <= PLAN_MS else None
