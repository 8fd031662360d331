"""What a test gives a connector's runner: vendors in memory, and everything else from outside."""

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.clock import SystemClock
from connectors.contract.account import Account, Opening
from connectors.contract.errors import CredentialsRejected, Transient
from connectors.contract.feed import Feeds
from connectors.contract.setup import Provisioned, Subscribed, SystemDescription
from connectors.contract.sink import Answered, OwnershipLost, Write, WriteResult
from connectors.contract.source import Gone, ObjectPage, ReadPurpose, Seen, Translated
from connectors.kafka.cluster import Cluster
from connectors.kafka.partitioner import partition_of
from connectors.runtime.deps import ConnectorDeps
from connectors.session.condition import VersionedCondition
from schemas.codec import Codec
from schemas.configuration import (
    ConnectorStatus,
    IntegrationPart,
    IntegrationSettings,
    IntegrationState,
    SystemSettings,
)
from schemas.records import Cause, FieldPatch, Notification
from schemas.registry import LocalRegistry
from schemas.spent import Parts
from schemas.values import FieldDefinition

PARTITIONS = 4
SLOW_S = 2.0
DOWN = "down"
WELL = next(name for number in range(100) if partition_of(name := f"well-{number}", 4) == partition_of(DOWN, 4))


@dataclass
class Vendor:
    """A system in memory; `away` lets every call fail after a while, as a vendor in trouble does."""

    away: bool = False
    slow_s: float = 0.0
    written: dict[str, float] = field(default_factory=dict)
    batch_size: int = 1
    in_flight: int = 4
    read_size: int = 10
    feeds: Feeds | None = None

    async def write(self, writes: Sequence[Write], may_write: Callable[[], bool]) -> Sequence[WriteResult]:
        await self._answer()
        await asyncio.sleep(self.slow_s)
        if not may_write():
            raise OwnershipLost("a test's vendor")
        self.written.update({write.object_id: time.monotonic() for write in writes})
        at_ms = time.time_ns() // 1_000_000
        return [Answered(write, write.fields, at_ms, 0) for write in writes]

    async def read(self, object_type: str, ids: Sequence[str], purpose: ReadPurpose) -> Sequence[Seen | Gone]:
        await self._answer()
        return [Gone(id, 0, 0) for id in ids]

    async def page(self, object_type: str, cursor: str | None) -> ObjectPage:
        await self._answer()
        return ObjectPage((), None)

    async def count(self, object_type: str) -> int | None:
        await self._answer()
        return None

    async def look_up(
        self, object_type: str, field: FieldDefinition, values: Sequence[str], purpose: ReadPurpose
    ) -> Sequence[Seen]:
        await self._answer()
        return ()

    def translate(self, notification: Notification) -> Translated:
        return Translated()

    async def describe(self, wanted: object) -> SystemDescription:
        return SystemDescription()

    async def provision(self, object_types: object, create: object, events: object = ()) -> Provisioned:
        return Provisioned()

    async def rehearse(self, object_types: object, create: object, events: object = ()) -> None:
        return

    async def subscribed(self, fields: object) -> Subscribed | None:
        return None

    async def probe(self) -> None:
        await self._answer()

    async def may_be_opened(self) -> None:
        """For a vendor that takes its time."""

    def stop(self) -> None:
        """For a vendor that looks whether its connection is over."""

    def opened(self, opening: Opening) -> None:
        """For a vendor that looks at what it is opened with."""

    async def give_up(self) -> None:
        await self._answer()

    async def withdraw(self) -> None:
        await self._answer()

    async def _answer(self) -> None:
        if self.away:
            await asyncio.sleep(SLOW_S)
            raise Transient("http_503")


async def _close() -> None:
    """A vendor in memory holds nothing."""


def _unseal(sealed: bytes, _: str) -> str:
    try:
        return sealed.decode()
    except UnicodeDecodeError as error:
        raise CredentialsRejected("unauthorized") from error


class Measured:
    """A connector's metrics, recorded."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, int | None]] = []
        self.limits: list[tuple[str, str]] = []
        self.left: dict[tuple[str, str], int] = {}
        self.statuses: dict[str, ConnectorStatus] = {}
        self.changes = VersionedCondition()

    def api_call(self, system: str, purpose: str, status: int | None, seconds: float) -> None:
        assert seconds >= 0
        self.calls.append((system, purpose, status))

    def api_limited(self, system: str, limit: str) -> None:
        self.limits.append((system, limit))

    def api_remaining(self, system: str, integration: str, requests: int) -> None:
        self.left[system, integration] = requests
        self.changes.bump()

    def api_waited(self, system: str, purpose: str, seconds: float) -> None:
        assert seconds >= 0

    def change_visible(self, system: str, bulk: bool, parts: Parts, integration: str = "") -> None:
        assert parts.whole >= 0

    def integration_status(self, integration: str, system: str, status: ConnectorStatus) -> None:
        self.statuses[integration] = status
        self.changes.bump()

    def forget_integration(self, integration: str) -> None:
        self.statuses.pop(integration, None)
        self.changes.bump()


async def _no_credit(records: int) -> None:
    raise AssertionError("nothing here is bulk")


def connector_deps(
    vendors: Mapping[str, Vendor],
    *,
    cluster: Cluster,
    publisher: Any,
    tables: Any,
    count: Callable[[str, str, str | None, str, int], None],
    metrics: "Measured | None" = None,
    stop_process: Callable[[str], None],
) -> ConnectorDeps:
    """What the Userflow connector of these integrations is given."""

    async def open_account(opening: Opening) -> Account:
        vendor = vendors[opening.integration]
        await vendor.may_be_opened()
        vendor.opened(opening)
        return Account("userflow", vendor, vendor, vendor, _close, feeds=vendor.feeds, stop=vendor.stop)

    return ConnectorDeps(
        cluster=cluster,
        codec=Codec(LocalRegistry()),
        publisher=publisher,
        tables=tables,
        ordinal=0,
        partitions=PARTITIONS,
        open_account=open_account,
        exchange_code=None,
        unseal=_unseal,
        seal=lambda text, _: text.encode(),
        key_id="newest",
        renew_seal=lambda sealed, _: sealed,
        read_to_end=_at_the_end,
        api_url=None,
        api_version="",
        longest_wait_s=900.0,
        proxy_url=None,
        webhook_base_url="",
        clock=SystemClock(),
        uniform=random.Random(1).uniform,
        now_ms=lambda: time.time_ns() // 1_000_000,
        count=count,
        metrics=metrics or Measured(),
        bulk_credit=_no_credit,
        stop_process=stop_process,
        reconnected=_nobody_reconnects,
        lost=_nothing_is_lost,
    )


async def _at_the_end() -> None:
    """Tables in memory are always at their end."""


async def _nobody_reconnects(name: str) -> None:
    raise AssertionError(f"nobody granted {name} anything")


def _nothing_is_lost(*lost: object) -> None:
    raise AssertionError(f"records were lost: {lost}")


def settings_part(integration: str, state: IntegrationState = "active", secret: bytes = b"key") -> IntegrationPart:
    """The settings of a connected integration, applied once."""
    section = SystemSettings(integration, secrets={"api_key": secret})
    settings = IntegrationSettings(1, 1, 1, state, "a", "done", None, "", section, section)
    return IntegrationPart(integration, settings=settings)


def patch_of(integration: str, object_id: str) -> FieldPatch:
    """A patch for one user."""
    return FieldPatch(
        integration,
        1,
        1,
        "people",
        object_id,
        "userflow",
        "users",
        object_id,
        {"title": f"of {object_id}"},
        caused_by=Cause("", -1, -1, time.time_ns() // 1_000_000),
    )
