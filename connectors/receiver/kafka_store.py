"""Stores webhooks in Kafka: `<system>.notifications`, keyed by integration."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from connectors.kafka.groups import BrokersUnreachable
from connectors.kafka.producer import PublishFailed
from connectors.receiver.ports import NotStored
from schemas.records import Notification
from schemas.topics import HUBSPOT_NOTIFICATIONS, USERFLOW_NOTIFICATIONS
from schemas.values import System

CHECK_EVERY_S: Final = 5.0
FAILS_S: Final = 60.0
"""How long a failure counts: what nobody has tried again since proves nothing of now."""
CHECK_WITHIN_S: Final = 2.0

NOTIFICATIONS: Final[Mapping[System, str]] = {"hubspot": HUBSPOT_NOTIFICATIONS, "userflow": USERFLOW_NOTIFICATIONS}


def _uncounted(_: str, __: System, ___: int) -> None:
    """Nobody counts."""


class Sender(Protocol):
    """The part of `connectors.kafka.producer.Publisher` that the store uses."""

    def send(self, topic: str, key: str, record: Notification) -> "asyncio.Future[tuple[int, int]]": ...


class KafkaStore:
    """Stores through a publisher, and checks the brokers and the topics.

    `partitions` (blocking, topic -> partition count) may raise BrokersUnreachable.
    """

    def __init__(
        self,
        publisher: Sender,
        partitions: Callable[[], Mapping[str, int]],
        monotonic: Callable[[], float] = time.monotonic,
        *,
        accepted: Callable[[str, System, int], None] = _uncounted,
    ) -> None:
        """`accepted` is told of each webhook that is stored: integration, system, when it was received."""
        self._accepted = accepted
        self._publisher = publisher
        self._partitions = partitions
        self._monotonic = monotonic
        self._look: asyncio.Task[str | None] | None = None
        self._looked_at = 0.0
        self._stored = 0
        self._failed_at: float | None = None  # since the last webhook that was stored

    @property
    def stored(self) -> int:
        """How many webhooks the brokers have taken from this process."""
        return self._stored

    @property
    def fails(self) -> bool:
        """Whether the last webhook was not stored, a short while ago."""
        return self._failed_at is not None and self._monotonic() - self._failed_at < FAILS_S

    async def store(self, notification: Notification) -> None:
        """Return once the brokers have the webhook. Raises NotStored."""
        failed_at: float | None = self._monotonic()
        try:
            await self._publisher.send(NOTIFICATIONS[notification.system], notification.integration, notification)
            self._stored, failed_at = self._stored + 1, None
            self._accepted(notification.integration, notification.system, notification.received_at_ms)
        except PublishFailed as error:
            raise NotStored(str(error)) from error
        finally:  # who gave up waiting counts too
            self._failed_at = failed_at and self._monotonic()

    async def problem(self) -> str | None:
        """The problem with the brokers or the topics, None if there is none; checked every few seconds at most."""
        if self._look is None or (self._look.done() and self._monotonic() - self._looked_at >= CHECK_EVERY_S):
            self._looked_at = self._monotonic()
            self._look = asyncio.create_task(asyncio.to_thread(self._found))
        try:
            async with asyncio.timeout(CHECK_WITHIN_S):
                return await asyncio.shield(self._look)
        except TimeoutError:
            return "the brokers do not answer"

    def _found(self) -> str | None:
        try:
            present = self._partitions()
        except BrokersUnreachable:
            return "the brokers cannot be reached: check KAFKA_BOOTSTRAP_SERVERS"
        missing = [topic for topic in NOTIFICATIONS.values() if topic not in present]
        return f"{', '.join(missing)} not there: run `pairstream topics apply`" if missing else None
