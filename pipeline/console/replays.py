"""Replays as pages take them: what is wished for, what a plan says, and plans that stay as they were when shown."""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from pipeline.operations.positions import Position
from schemas.operating import Replay
from schemas.records import ObjectMapping

PLAN_MS: Final = 10 * 60 * 1000
MOST_PLANS: Final = 50


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asks for."""

    name: str
    begin: Position
    end: Position | None
    topics: tuple[str, ...] = ()
    mapping: str | None = None
    wanted: tuple[str, str, str] | None = None  # system, type, id
    activity: bool = False
    edited: tuple[ObjectMapping, ...] | None = None  # the rules of a draft: they are not in force, so none is run


@dataclass(frozen=True, slots=True)
class PlannedReplay:
    """What it would publish, and lead to; `report` is what `pairstream replay plan --format json` says."""

    row: Replay
    records: int
    report: Mapping[str, Any]  # Any: JSON


class Replays(Protocol):
    """What plans, runs and ends them, in processes of their own."""

    async def plan(self, wish: Wish, by: str) -> PlannedReplay:
        """Raises OperationRefused."""

    def run(self, row: Replay) -> None:
        """Begin, or go on."""

    async def cancel(self, row: Replay) -> None:
        """Raises OperationRefused."""

    def hold(self, row: Replay) -> None:
        """Stop here; it goes on where it stands."""

    def runs(self, replay_id: str) -> bool:
        """Whether this console is at it."""

    def why_ended(self, replay_id: str) -> str:
        """What kept it from its end, as far as this console knows."""


@dataclass
class Planning:
    """A plan on its way, and who asked for it."""

    owner: str  # the session
    integration: str
    at_ms: int
    answer: "asyncio.Task[PlannedReplay]"
    draft: str = ""  # the mapping whose unsaved rules it is planned by


@dataclass
class Plannings:
    """Those that were asked for lately; each is acted on once."""

    kept: dict[str, Planning] = field(default_factory=dict)

    def keep(self, planning: Planning) -> str:
        """Its name, which stands in the address."""
        while len(self.kept) >= MOST_PLANS:
            self.kept.pop(next(iter(self.kept))).answer.cancel()
        name = secrets.token_urlsafe(12)
        self.kept[name] = planning
        return name

    def of(self, name: str, owner: str, integration: str, now_ms: int) -> Planning | None:
        """The plan, for the session that asked for it; None for any other, and past ten minutes."""
        found = self.kept.get(name)
        if found is None or (found.owner, found.integration) != (owner, integration):
            return None
        return found if now_ms - found.at_ms <= PLAN_MS else None

    def take(self, name: str) -> None:
        """It is acted on now, and never again."""
        self.kept.pop(name, None)
