"""What the reading, the writing and the monitoring of one integration share."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.clock import Clock
from connectors.contract.account import Account
from connectors.contract.catalog import Catalog
from connectors.contract.source import Seen
from connectors.contract.traits import SystemTraits
from connectors.http.retry import Uniform
from connectors.session.associated_values import AssociatedValueCache
from connectors.session.connection import ConnectionState
from schemas.codec import Unencodable
from schemas.letters import letter_id, letter_of_no_record
from schemas.records import Cause, ChangeEvent, ConnectorRequest, Found, Operation, Origin, StampedValue
from schemas.topics import DEAD_LETTERS, changes_topic, object_key, requests_topic
from schemas.values import FieldValue, System

SHOWN_AGAIN_MS: Final = 2_000

Publish = Callable[[str, str, Any], Awaitable[tuple[int, int]]]
"""(topic, key, record) -> partition and offset, once the brokers have the record."""


@dataclass(frozen=True, slots=True)
class IntegrationContext:
    """What everything that works for one integration is given."""

    integration: str
    connection: int
    traits: SystemTraits
    account: Account
    state: ConnectionState  # changes while everything else here stays
    catalog: Catalog
    publish: Publish
    clock: Clock
    uniform: Uniform
    now_ms: Callable[[], int]
    may_write: Callable[[], bool]
    count: Callable[[str, str | None, str, int], None]  # stage, mapping, outcome, how many
    bulk_credit: Callable[[int], Awaitable[None]]
    shown: AssociatedValueCache = field(default_factory=AssociatedValueCache)  # newest fields of associated objects

    @property
    def system(self) -> System:
        return self.traits.system

    async def observed(self, observation: "ObservedObject") -> None:
        """Publish one object, without fields of an associated object that is gone; the object is then read again."""
        fields, outdated = self.shown.up_to_date(observation.fields)
        change = ChangeEvent(
            integration=self.integration,
            connection=self.connection,
            revision=self.state.revision,
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
            unknown=observation.unknown,
        )
        key = object_key(self.integration, self.connection, self.system, change.object_type, change.object_id)
        try:
            await self.publish(changes_topic(self.system), key, change)
        except Unencodable as error:
            await self._report_unencodable(key, error, observation)
            return
        if outdated:
            await self._reread(observation)

    async def _report_unencodable(self, key: str, error: Unencodable, observation: "ObservedObject") -> None:
        """A dead letter for an object that no record holds; the pipeline goes on with the object as it last was."""
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


@dataclass(frozen=True, slots=True)
class ObservedObject:
    """One object to be published: a ChangeEvent without the fields that the integration fills in."""

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
    unknown: tuple[str, ...] = ()


def seen(
    object_type: str, read: Seen, origin: Origin, run_id: str | None, bulk: bool, cause: Cause | None
) -> ObservedObject:
    """The observation that a read object makes."""
    return ObservedObject(
        object_type,
        read.object_id,
        "upserted",
        read.at_ms,
        read.spread_ms,
        origin,
        dict(read.fields),
        run_id=run_id,
        bulk=bulk,
        caused_by=cause,
        unknown=read.unknown,
    )
