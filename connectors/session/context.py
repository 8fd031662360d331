"""What the reading, the writing and the monitoring of one integration share."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from connectors.clock import Clock
from connectors.contract.account import Account
from connectors.contract.catalog import Catalog
from connectors.contract.errors import (
    MISSING_SCOPES,
    ConnectorError,
    CredentialsRejected,
    Denied,
    Misconfigured,
    Refused,
)
from connectors.contract.source import Seen
from connectors.contract.traits import SystemTraits
from connectors.http.retry import Uniform
from connectors.session.associated_values import AssociatedValueCache
from connectors.session.connection import ConnectionState, Verb
from connectors.session.letters import Publish, publish_letter
from connectors.session.wall import contained
from schemas.codec import Unencodable
from schemas.letters import letter_id, letter_of_no_record
from schemas.records import Cause, ChangeEvent, ConnectorRequest, Found, Operation, Origin, StampedValue
from schemas.runs import RunProgress
from schemas.spent import Parts
from schemas.topics import changes_topic, object_key, requests_topic
from schemas.values import FieldValue, System

T = TypeVar("T")

SHOWN_AGAIN_MS: Final = 2_000


def _unmeasured(_: bool, __: Parts) -> None:
    """Nobody counts."""


def _no_row(_: str) -> RunProgress | None:
    """Nothing is known of any run."""
    return None


@dataclass(frozen=True, slots=True)
class IntegrationContext:
    """What everything that works for one integration is given."""

    integration: str
    connection: int
    traits: SystemTraits
    account: Account
    state: ConnectionState  # changes while everything else here stays
    catalog: Catalog
    send: Publish
    clock: Clock
    uniform: Uniform
    now_ms: Callable[[], int]
    may_write: Callable[[], bool]
    count: Callable[[str, str | None, str, int], None]  # stage, mapping, outcome, how many
    bulk_credit: Callable[[int], Awaitable[None]]
    run_row: Callable[[str], RunProgress | None] = _no_row  # the newest row of a key of `sync.runs`
    visible: Callable[[bool, Parts], None] = _unmeasured  # a change was written: whether it was bulk, its way's parts
    shown: AssociatedValueCache = field(default_factory=AssociatedValueCache)  # newest fields of associated objects

    @property
    def system(self) -> System:
        return self.traits.system

    async def asked(self, request: Callable[[], Awaitable[T]], object_type: str, verb: Verb) -> T:
        """The answer to a request about objects of one type.

        What a 401, a 403 or another API's 404 is about is not in it: where the system answers its cheapest read, it is
        about this request (Refused) or this type (Denied, and nothing is asked about it for a while). Else that read's
        error is raised. Rejected credentials that are good meanwhile are tried once more first.
        """
        reason = self.state.denied.get((object_type, verb))
        if reason is not None:
            raise Denied(reason)
        try:
            try:
                return await contained(request())
            except CredentialsRejected:
                await contained(self.account.setup.probe())
                return await contained(request())
        except CredentialsRejected as error:
            await contained(self.account.setup.probe())
            raise Refused(error.reason, status=error.status, trace=error.trace) from error
        except Misconfigured as error:
            await contained(self.account.setup.probe())
            if error.reason == MISSING_SCOPES:
                self.state.deny(object_type, verb, error.reason)
                raise Denied(error.reason, status=error.status, trace=error.trace) from error
            raise Refused(error.reason, status=error.status, trace=error.trace) from error

    async def publish(self, topic: str, key: str, record: Any) -> bool:
        """Publish a record, or a dead letter in its place where no message holds it; whether the record was published.

        Returns once the brokers have it. The pipeline goes on with what it knew before.
        """
        try:
            await self.send(topic, key, record)
        except Unencodable as error:
            await self._unsent(topic, key, getattr(record, "caused_by", None), error)
            return False
        return True

    async def _unsent(self, topic: str, key: str, caused_by: Cause | None, error: Unencodable) -> None:
        """Publish the dead letter of a record that no message holds."""
        await self.bury(letter_id(key, error.reason), error.reason, str(error), key, topic, caused_by)

    async def bury(
        self, id: str, reason: str, detail: str, key: str, topic: str = "", caused_by: Cause | None = None
    ) -> None:
        """Publish the dead letter of something that no record holds: an object, or an outcome."""
        letter = letter_of_no_record(
            id=id,
            integration=self.integration,
            stage=f"{self.system}.source",
            reason=reason,
            detail=detail,
            at_ms=self.now_ms(),
            key=key,
            topic=topic,
            caused_by=caused_by,
        )
        await publish_letter(self.send, letter)
        self.count("source", None, "dead-lettered", 1)

    async def unreadable(self, object_type: str, object_id: str, error: ConnectorError, cause: Cause | None) -> None:
        """Publish the dead letter of an object that the system, or our own code, refuses to read."""
        key = object_key(self.integration, self.connection, self.system, object_type, object_id)
        await self.bury(letter_id(key, error.reason), error.reason, str(error), key, caused_by=cause)

    async def observed(self, observation: "ObservedObject") -> None:
        """Publish one object, without fields of an associated object that is not there; it is then read again."""
        await self.observed_all((observation,))

    async def observed_all(self, observations: Iterable["ObservedObject"]) -> None:
        """Publish each object as `observed` does; returns once the brokers have all of them.

        No task is made for each: a page of a crawl is a hundred objects, and a task costs as much as an object.
        """
        topic, sent = changes_topic(self.system), list[_Sent]()
        # all are made before the first is sent: what is sent within a moment leaves in one request
        changes = [(observation, *self._change_of(observation)) for observation in observations]
        for observation, key, change, outdated in changes:
            again = outdated or observation.unsettled
            try:
                sent.append(_Sent(observation, key, again, self.send(topic, key, change)))
            except Unencodable as error:
                await self._unsent(topic, key, observation.caused_by, error)
        answers = await asyncio.gather(*(one.taken for one in sent), return_exceptions=True)
        for one, answer in zip(sent, answers, strict=True):
            if isinstance(answer, Unencodable):
                await self._unsent(topic, one.key, one.observation.caused_by, answer)
            elif isinstance(answer, BaseException):
                raise answer
            elif one.again:
                await self._reread(one.observation)

    def _change_of(self, observation: "ObservedObject") -> tuple[str, ChangeEvent, bool]:
        """The record's key, the record, and whether it shows an associated object that is gone."""
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
            later_than=observation.later_than,
            equal=observation.equal,
            causes=observation.causes,
        )
        key = object_key(self.integration, self.connection, self.system, change.object_type, change.object_id)
        return key, change, outdated

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
    later_than: Mapping[str, StampedValue] = field(default_factory=dict)
    unsettled: bool = False  # fields were left out that another read has to tell
    equal: bool = False  # receipt: nothing was written
    causes: Mapping[str, Cause] = field(default_factory=dict)  # receipt: of fields with another cause


@dataclass(frozen=True, slots=True)
class _Sent:
    """An observation on its way to the brokers; `again`: it is read once more then."""

    observation: ObservedObject
    key: str
    again: bool
    taken: Awaitable[tuple[int, int]]


def seen(
    object_type: str, read: Seen, origin: Origin, run_id: str | None, bulk: bool, cause: Cause | None
) -> ObservedObject:
    """The observation that a read object makes, without its unsettled fields."""
    return ObservedObject(
        object_type,
        read.object_id,
        "upserted",
        read.at_ms,
        read.spread_ms,
        origin,
        {name: value for name, value in read.fields.items() if name not in read.unsettled},
        run_id=run_id,
        bulk=bulk,
        caused_by=cause,
        unknown=read.unknown,
        unsettled=bool(read.unsettled),
    )
