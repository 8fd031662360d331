"""One integration's road through a connector: what its reading, writing and setting up share."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.clock import Clock
from connectors.contract.account import Account
from connectors.contract.catalog import Catalog
from connectors.contract.errors import ConnectorError, CredentialsRejected, Misconfigured
from connectors.contract.source import Seen
from connectors.contract.traits import SystemTraits
from connectors.http.retry import RetryPolicy, Uniform
from connectors.session.associated_values import AssociatedValueCache
from schemas.codec import Unencodable
from schemas.configuration import ConnectorStatus
from schemas.letters import letter_id, letter_of_no_record
from schemas.records import Cause, ChangeEvent, ConnectorRequest, Found, Operation, Origin, StampedValue
from schemas.topics import DEAD_LETTERS, changes_topic, object_key, requests_topic
from schemas.values import FieldValue, System

log = logging.getLogger(__name__)

POLICY: Final = RetryPolicy(attempts=7, base_s=0.3, cap_s=10.0, patience_s=60.0)

SHOWN_AGAIN_MS: Final = 2_000

Publish = Callable[[str, str, Any], Awaitable[tuple[int, int]]]
"""(topic, key, record): ends when the brokers have it, with its partition and offset."""


async def _not_kept() -> None:
    """Nobody keeps it."""


@dataclass(slots=True)
class IntegrationContext:
    """What everything that works for one integration is given; `status` and `reason` say how the system is."""

    integration: str
    connection: int
    traits: SystemTraits
    account: Account
    catalog: Catalog
    publish: Publish
    clock: Clock
    uniform: Uniform
    now_ms: Callable[[], int]
    may_write: Callable[[], bool]
    count: Callable[[str, str | None, str, int], None]  # stage, mapping, outcome, how many
    bulk_credit: Callable[[int], Awaitable[None]]
    revision: int = 0
    active: bool = False  # the integration is to be written
    closing: bool = False  # nothing new is begun; what is not finished stays so, for the next owner
    parked: bool = False  # something was parked since the pairs were last derived again
    keep_parked: Callable[[], Awaitable[None]] = _not_kept  # tell so, for whoever owns the integration next
    status: ConnectorStatus = "ok"
    reason: str | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)  # status or settings changed
    renewed: asyncio.Event = field(default_factory=asyncio.Event)  # settings changed
    shown: AssociatedValueCache = field(default_factory=AssociatedValueCache)  # what was told of associated objects

    @property
    def system(self) -> System:
        return self.traits.system

    @property
    def works(self) -> bool:
        return self.status == "ok"

    @property
    def away(self) -> bool:
        """Nothing is to be written for now: the integration is paused, or the system cannot be worked with."""
        return not self.active or not self.works

    async def park(self) -> None:
        """Note that something is about to be parked."""
        if not self.parked:
            self.parked = True
            await self.keep_parked()

    def fail(self, error: ConnectorError) -> None:
        """The system cannot be worked with for now; says so once."""
        status = status_after(error)
        if (status, error.reason) != (self.status, self.reason):
            log.warning("%s: %s is %s: %s", self.integration, self.system, status.replace("_", " "), error)
        self.status, self.reason = status, error.reason
        self.changed.set()

    def recover(self) -> None:
        if self.status != "ok":
            log.info("%s: %s answers again", self.integration, self.system)
        self.status, self.reason = "ok", None
        self.changed.set()

    async def observed(self, observation: "ObservedObject") -> None:
        """Publish what was seen of one object; what it shows of an object that is gone is left out and read again."""
        fields, outdated = self.shown.up_to_date(observation.fields)
        change = ChangeEvent(
            integration=self.integration,
            connection=self.connection,
            revision=self.revision,
            system=self.system,
            object_type=observation.object_type,
            object_id=observation.object_id,
            operation=observation.operation,
            at_ms=observation.at_ms,
            spread_ms=observation.spread_ms,
            origin=observation.origin,
            fields=fields,
            sent=observation.sent,
            run_id=observation.run_id,
            merged_into=observation.merged_into,
            bulk=observation.bulk,
            caused_by=observation.caused_by,
            found=observation.found,
            given=observation.given,
        )
        key = object_key(self.integration, self.connection, self.system, change.object_type, change.object_id)
        try:
            await self.publish(changes_topic(self.system), key, change)
        except Unencodable as error:
            await self._untold(key, error, observation)
            return
        if outdated:
            await self._reread(observation)

    async def _untold(self, key: str, error: Unencodable, observation: "ObservedObject") -> None:
        """No record holds what was seen of the object: reported, and left as it was last known."""
        letter = letter_of_no_record(
            id=letter_id(key, error.reason),
            integration=self.integration,
            stage=f"{self.system}.source",
            reason=error.reason,
            detail=str(error),
            at_ms=self.now_ms(),
            key=key,
            topic=changes_topic(self.system),
            caused_by=observation.caused_by,
        )
        await self.publish(DEAD_LETTERS, key, letter)
        self.count("source", None, "dead-lettered", 1)

    async def _reread(self, observation: "ObservedObject") -> None:
        request = ConnectorRequest(
            self.integration,
            self.connection,
            kind="reread",
            object_type=observation.object_type,
            values=(observation.object_id,),
            delay_ms=SHOWN_AGAIN_MS,
            run_id=observation.run_id,
            caused_by=observation.caused_by,
            bulk=observation.bulk,
        )
        await self.publish(requests_topic(self.system), self.integration, request)


def status_after(error: ConnectorError) -> ConnectorStatus:
    """How the system is after an error that lasts."""
    if isinstance(error, CredentialsRejected):
        return "needs_reconnect"
    return "failed" if isinstance(error, Misconfigured) else "unavailable"


@dataclass(frozen=True, slots=True)
class ObservedObject:
    """One object as it is published: the shape of a ChangeEvent without what the integration knows."""

    object_type: str
    object_id: str
    operation: Operation
    at_ms: int
    spread_ms: int
    origin: Origin
    fields: dict[str, StampedValue] = field(default_factory=dict)
    sent: dict[str, FieldValue] = field(default_factory=dict)
    run_id: str | None = None
    merged_into: str | None = None
    bulk: bool = False
    caused_by: Cause | None = None
    found: Found | None = None
    given: dict[str, FieldValue] = field(default_factory=dict)


def seen(
    object_type: str, found: Seen, origin: Origin, run_id: str | None, bulk: bool, cause: Cause | None
) -> ObservedObject:
    """The observation that a read's answer is."""
    return ObservedObject(
        object_type,
        found.object_id,
        "upserted",
        found.at_ms,
        found.spread_ms,
        origin,
        dict(found.fields),
        run_id=run_id,
        bulk=bulk,
        caused_by=cause,
    )
