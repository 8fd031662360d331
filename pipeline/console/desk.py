"""What the pages work with: the tables, the publisher, and looks at the brokers; no page knows how they are made."""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Generic, Protocol, TypeVar

from connectors.kafka.groups import BrokersUnreachable
from connectors.kafka.producer import Publisher
from connectors.kafka.table import TableReader
from pipeline.console.access import Access
from pipeline.console.acted import ActedOn
from pipeline.console.asked_now import AskedNow
from pipeline.console.handles import Handles
from pipeline.console.letters import LetterIndex, Letters, Redriving, Selections
from pipeline.console.listings import Listings
from pipeline.console.looks import Looks
from pipeline.console.planning import FieldsKept, Planner, Reviews
from pipeline.console.replays import Plannings, Replays
from pipeline.console.waiting import heard
from pipeline.console.words import clock
from pipeline.explain.answer import Explanation, Named
from pipeline.explain.look_now import Looked
from pipeline.full_sync.rows import Run, runs_of
from pipeline.lag.hour import Hour
from pipeline.lag.judging import Lag
from pipeline.operations.findings import Finding
from pipeline.operations.retained_changes import RetainedChanges
from pipeline.operations.rotate import Seal
from pipeline.operations.standing import Known
from schemas.configuration import IntegrationPart, IntegrationSettings
from schemas.integrations import every
from schemas.operating import AuditEntry, Replay
from schemas.topics import INTEGRATIONS, RUNS
from schemas.values import SYSTEMS, System

log = logging.getLogger(__name__)
T = TypeVar("T")
LAG_KEPT_S: Final = 2.0
LOOKED_S: Final = 6.0
"""Brokers that say nothing for so long do not answer, whatever longer time a look gives them."""
DOCTOR_KEPT_S: Final = 5.0
AUDIT_KEPT_S: Final = 5.0
CHANGES_KEPT_S: Final = 300.0
HOUR_KEPT_S: Final = 5.0
OLD_MS: Final = 60_000
LETTERS_KEPT_S: Final = 10.0
STATUS: Final = "status"
"""What the audit calls a system's coming to another status."""
WHILE_LOOKING: Final = 4.0
"""So many times as old as it is kept an answer may be while a newer one is looked for."""


@dataclass(frozen=True, slots=True)
class About:
    """What is the same for every page."""

    where: str  # the installation's name, for people
    version: str
    receiver_url: str
    full_sync_interval_s: int
    changes_retention_days: int
    partitions: int
    environment: Sequence[tuple[str, str, str]] = ()  # setting, value as anybody may see it, meaning
    example: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What the form that adds an integration begins with, where both systems are simulated; it opens nothing else."""
    url: str = ""  # where browsers find it
    sso: bool = False  # whether people sign in at their organization
    proposes: bool = False  # whether mappings are applied elsewhere, from a file that is shown here


@dataclass
class Kept(Generic[T]):
    """The newest answer of a slow look, for all who ask within a time; one look at a time."""

    look: Callable[[], T]  # blocks
    kept_s: float
    _at: float = field(default=float("-inf"))
    _answer: T | None = None
    _looking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _renewing: set[asyncio.Future[None]] = field(default_factory=set)
    _began: float | None = None  # when the look under way began
    _asked: "asyncio.Future[T] | None" = None
    tries: int = 0
    """Looks that began since the last that was answered, the one under way among them."""
    _first_try: float = 0.0

    @property
    def tried_s(self) -> float:
        """How long ago the first of them began."""
        return time.monotonic() - self._first_try

    def forget(self) -> None:
        """The next who asks looks anew."""
        self._at = float("-inf")

    async def get(self) -> T:
        """Raises what the look raises. An answer that is a little old is given while a newer one is looked for."""
        if self._answer is not None and time.monotonic() - self._at <= self.kept_s * WHILE_LOOKING:
            self.soon()
            return self._answer
        async with self._looking:
            if self._answer is None or time.monotonic() - self._at > self.kept_s:
                self._answer = None
                await self._look()
            assert self._answer is not None
            return self._answer

    async def within(self, seconds: float) -> T:
        """The same. Raises TimeoutError while a look takes longer; it goes on, for whoever asks later."""
        left = seconds - (time.monotonic() - self._began) if self._began is not None else seconds
        if left <= 0:
            raise TimeoutError
        if self._asked is None or self._asked.done():
            self._asked = asyncio.ensure_future(self.get())
            self._asked.add_done_callback(heard)
        asked = self._asked
        await asyncio.wait({asked}, timeout=left)
        if not asked.done():
            raise TimeoutError
        return asked.result()

    def soon(self) -> T | None:
        """The newest answer, however old, None before the first; a newer one is looked for."""
        if time.monotonic() - self._at > self.kept_s and not self._looking.locked() and not self._renewing:
            renewing = asyncio.ensure_future(self._renew())
            self._renewing.add(renewing)
            renewing.add_done_callback(self._renewing.discard)
        return self._answer

    def lately(self, within_s: float) -> T | None:
        """The newest answer, unless it is older than that; nothing is looked for."""
        return self._answer if time.monotonic() - self._at <= within_s else None

    async def _renew(self) -> None:
        async with self._looking:
            try:
                await self._look()
            except Exception:  # whatever a look may raise: whoever asks next looks anew, and is told
                log.info("a look in between failed", exc_info=True)
                self.forget()

    async def _look(self) -> None:
        began = self._began = time.monotonic()
        self._first_try = self._first_try if self.tries else began
        self.tries += 1
        try:
            self._answer = await asyncio.to_thread(self.look)
        finally:
            self._began = None
        self.tries = 0
        self._at = max(began, self._at)


class Objects(Protocol):
    """What is known of objects: the desk that `pairstream explain` uses."""

    def explained(self, name: str, named: Named) -> Explanation | None:
        """Why it is as it is; None where no mapping in force has its type; blocks."""

    def found(self, name: str, text: str) -> list[Named]:
        """Those that have it as id or match value; blocks."""

    def look(self, name: str, asked: Named | str, where: tuple[System, str] | None = None) -> list[Looked]:
        """Have its systems asked for an object, or for whatever the text may be; blocks for seconds."""


@dataclass(slots=True)
class RunsKept:
    """Full syncs, put together once for all who look until a row of one changes: thirty days of them are many rows."""

    tables: TableReader
    _changes: int = -1
    _every: Sequence[Run] = ()
    _by_name: Mapping[str, Sequence[Run]] = field(default_factory=dict)

    def every(self) -> Sequence[Run]:
        """Of all integrations, oldest first."""
        self._renew()
        return self._every

    def of(self, name: str) -> Sequence[Run]:
        """Of one integration, oldest first."""
        self._renew()
        return self._by_name.get(name, ())

    def _renew(self) -> None:
        changes = self.tables.changes(RUNS)
        if changes == self._changes:
            return
        self._every, self._changes = tuple(runs_of(self.tables.table(RUNS)).values()), changes
        by_name = defaultdict[str, list[Run]](list)
        for run in self._every:
            by_name[run.row.integration].append(run)
        self._by_name = by_name


@dataclass(slots=True)
class StatusesTold:
    """When each system of each integration came to its status: found once in an audit for all who ask."""

    _audit: Sequence[AuditEntry] = ()
    _found: dict[str, dict[System, int]] = field(default_factory=dict)

    def of(self, audit: Sequence[AuditEntry], name: str) -> Mapping[System, int]:
        """Of one integration; `audit`: the very same object while nothing is new."""
        if audit is not self._audit:
            self._audit, self._found = audit, {}
            for entry in audit:
                system = next((one for one in SYSTEMS if entry.by.startswith(one)), None)
                if entry.action == STATUS and system is not None:
                    self._found.setdefault(entry.integration, {})[system] = entry.at_ms
        return self._found.get(name, {})


@dataclass(frozen=True)
class Desk:
    """The parts that pages take."""

    tables: TableReader
    publisher: Publisher
    about: About
    now_ms: Callable[[], int]
    lag_look: Kept[Lag]
    doctor_look: Kept[list[Finding]]
    audit_look: Kept[list[AuditEntry]]
    letters: Letters
    letters_look: Kept[LetterIndex]
    objects: Objects
    handles: Handles
    planner: Planner
    fields: FieldsKept
    replays: Replays
    known: Callable[[Lag], Known]
    access: Access
    changes_look: Kept[RetainedChanges]
    hour_look: Kept[Hour]
    seals: Callable[[], tuple[int, Sequence[Seal]] | None] = lambda: None
    """How many keys there are, and which of them sealed each secret; None where there is no key. Takes a while."""
    looks: Looks = field(default_factory=Looks)
    looks_now: Looks = field(default_factory=Looks)
    asked_now: AskedNow = field(default_factory=AskedNow)
    plannings: Plannings = field(default_factory=Plannings)
    begun: dict[str, Replay] = field(default_factory=dict)
    """Replays that were begun here: they have no row on the brokers before their first records."""
    selections: Selections = field(default_factory=Selections)
    redriving: dict[str, Redriving] = field(default_factory=dict)
    """The newest letters of each integration that were tried again from here."""
    reviews: Reviews = field(default_factory=Reviews)
    acted: ActedOn = field(default_factory=ActedOn)
    listings: Listings = field(default_factory=Listings)
    links: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    """Links to HubSpot by their hashes: who asked for each, where it leads, and until when. Kept nowhere else."""

    @property
    def parts(self) -> Mapping[str, IntegrationPart]:
        return self.tables.table(INTEGRATIONS)

    @property
    def integrations(self) -> Mapping[str, IntegrationSettings]:
        return every(self.parts)

    @cached_property
    def _runs(self) -> RunsKept:
        return RunsKept(self.tables)

    @property
    def runs(self) -> Sequence[Run]:
        """Every full sync, oldest first."""
        return self._runs.every()

    def runs_of(self, name: str) -> Sequence[Run]:
        """Those of an integration, oldest first."""
        return self._runs.of(name)

    def refused(self, name: str) -> int | None:
        """How much of an integration is refused; None while that is not known yet."""
        known = self.letters_look.soon()
        return None if known is None else known.number(name)

    @cached_property
    def _told(self) -> StatusesTold:
        return StatusesTold()

    def since(self, name: str) -> Mapping[System, str]:
        """When each system of an integration came to how it is, as far as the audit is read."""
        found = self._told.of(self.audit_look.soon() or [], name)
        return {system: clock(at_ms, self.now_ms()) for system, at_ms in found.items()}

    def last_hour(self, lag: Lag | None) -> Hour | None:
        """None where it ended too long ago to be the last one, for nobody looked meanwhile."""
        hour = self.hour_look.soon()
        return hour if hour is not None and lag is not None and self.now_ms() - hour.at_ms <= OLD_MS else None

    async def lag(self) -> Lag | None:
        """The road; None where the brokers do not answer."""
        try:
            return await self.lag_look.within(LOOKED_S)
        except (BrokersUnreachable, TimeoutError):
            return None

    def tried(self) -> tuple[int, int]:
        """How often the brokers were asked for the road in vain since they answered last, and since when."""
        look = self.lag_look
        return look.tries, self.now_ms() - round(look.tried_s * 1000)
