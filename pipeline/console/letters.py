"""Dead letters as pages take them: what is refused, and selections that stay as they were when somebody saw them."""

import asyncio
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from connectors.kafka.producer import Publisher
from pipeline.operations.letter_report import Told, grouped
from pipeline.operations.letters import Letter
from pipeline.operations.redrive import Plan
from schemas.operating import LetterMark

PLAN_MS: Final = 10 * 60 * 1000
MOST_PLANS: Final = 100


class Letters(Protocol):
    """What reads them, judges how they stand, and tries them again: the desk that the commands use."""

    @property
    def marks(self) -> Mapping[str, LetterMark]: ...

    # Any: where the last record went, which only the command waits for
    async def redrive(self, publisher: Publisher, plan: Plan, per_s: float) -> Any:
        """Try again what the plan says."""

    async def mark(self, publisher: Publisher, letters: Iterable[Letter], note: str) -> None:
        """Put letters away."""

    async def give_back(self, publisher: Publisher, letters: Iterable[Letter]) -> None:
        """Take letters that were put away as open again."""


Group = tuple[str, str, str, str]
"""Reason, stage, mapping and field."""


@dataclass(frozen=True, slots=True)
class OpenLetters:
    """What is refused now, by integration and group, the largest group first; sorted once, for all who look."""

    groups: Mapping[str, Sequence[tuple[Group, Sequence[Told]]]]
    away: Mapping[str, Sequence[Told]]  # what somebody put away, by integration, the oldest first

    @classmethod
    def of(cls, told: Iterable[Told]) -> "OpenLetters":
        by_name: dict[str, list[Told]] = {}
        away: dict[str, list[Told]] = {}
        for one in told:
            if one.now.open or one.now.word == "discarded":
                kept = by_name if one.now.open else away
                kept.setdefault(one.letter.letter.integration or "", []).append(one)
        return cls({name: grouped(some) for name, some in by_name.items()}, away)

    def number(self, integration: str) -> int:
        """How many of an integration there are."""
        return sum(len(some) for _, some in self.groups.get(integration, ()))

    def chosen(self, integration: str, reason: str, field: str = "", mapping: str = "") -> list[Told]:
        """Those of a reason, of one field and mapping where they are named, the oldest first."""
        found = [
            one
            for (code, _, of, name), some in self.groups.get(integration, ())
            if code == reason and field in ("", name) and mapping in ("", of)
            for one in some
        ]
        return sorted(found, key=lambda one: one.letter.letter.at_ms)


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
