"""What saving a mapping would do, as pages take it: fields to choose from, and plans that stay as somebody saw them."""

import asyncio
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from pipeline.console.drafts import Draft
from pipeline.console.listings import Listing
from pipeline.integration_file.model import IntegrationFile
from pipeline.operations.field_query import Wanted
from pipeline.operations.plan import Plan
from schemas.configuration import Description, DesiredIntegration
from schemas.values import System

KEPT_MS: Final = 30 * 60 * 1000
MOST_KEPT: Final = 100
FIELDS_KEPT_S: Final = 300.0

Descriptions = Mapping[System, Description]


class Planner(Protocol):
    """What asks both systems, counts, lists and seals: the operations that the commands use."""

    def seal(self, text: str, place: str) -> bytes:
        """A secret as it may be kept."""

    async def every_field(self, integration: str, wanted: Wanted) -> Descriptions:
        """Every field of the types that `wanted` names. Raises NotAnswered."""

    async def plan(self, file: IntegrationFile, request: DesiredIntegration, only: str) -> Plan:
        """What the request would do, the pairs of one mapping counted."""

    async def unlinked(self, integration: str) -> Listing:
        """Who of its mappings in force is not linked. Raises OperationRefused."""


@dataclass
class FieldsKept:
    """What was told of all fields lately: an editor asks at every click, and fields change seldom."""

    planner: Planner
    kept: dict[tuple[str, int, str], tuple[float, Descriptions]] = field(default_factory=dict)

    def forget(self, integration: str) -> None:
        """Somebody opens an editor: fields that were made just now are there."""
        self.kept = {key: found for key, found in self.kept.items() if key[0] != integration}

    async def of(self, integration: str, connection: int, wanted: Wanted) -> Descriptions:
        """Raises NotAnswered."""
        key, now_s = (integration, connection, repr(wanted)), time.monotonic()
        found = self.kept.get(key)
        if found is None or now_s - found[0] > FIELDS_KEPT_S:
            while len(self.kept) >= MOST_KEPT:
                self.kept.pop(next(iter(self.kept)))
            found = self.kept[key] = (now_s, await self.planner.every_field(integration, wanted))
        return found[1]


@dataclass(frozen=True, slots=True)
class Review:
    """A draft as somebody asked what saving it would do, and the plan, which may take a while."""

    owner: str  # the session
    integration: str
    draft: Draft
    base: str  # the mapping in force when its editing began
    revision: int  # the integration's, then
    plan: "asyncio.Task[Plan]"
    at_ms: int


@dataclass
class Reviews:
    """Those that were asked for lately; a plan that nobody waits for any more is given up."""

    kept: dict[str, Review] = field(default_factory=dict)

    def keep(self, review: Review) -> str:
        """Its name, which stands in the address: it opens for the session that asked, and no other."""
        for name, one in list(self.kept.items()):
            replaced = (one.owner, one.integration, one.draft.name) == (
                review.owner,
                review.integration,
                review.draft.name,
            )
            if replaced or review.at_ms - one.at_ms > KEPT_MS or len(self.kept) >= MOST_KEPT:
                self.forget(name)
        name = secrets.token_urlsafe(12)
        self.kept[name] = review
        return name

    def of(self, name: str, owner: str, integration: str) -> Review | None:
        """The review; None for any other session."""
        found = self.kept.get(name)
        return found if found is not None and (found.owner, found.integration) == (owner, integration) else None

    def counted(self, owner: str, integration: str) -> dict[str, Review]:
        """By name, those of a session whose plan is there, newest first."""
        ours = [(name, one) for name, one in self.kept.items() if (one.owner, one.integration) == (owner, integration)]
        return {name: one for name, one in reversed(ours) if one.plan.done() and not one.plan.cancelled()}

    def forget(self, name: str) -> None:
        """Saved, replaced or too old."""
        found = self.kept.pop(name, None)
        if found is not None:
            found.plan.cancel()
