"""The scheduler: one of its processes is active and the only writer of settings and claims."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from connectors.clock import set_within
from connectors.kafka.cluster import Cluster
from connectors.kafka.consumer import GroupMember, Hooks, Taken
from connectors.kafka.producer import Publisher
from connectors.kafka.table import TableReader, until_read
from connectors.kafka.topology import SCHEDULER_GROUP
from pipeline.provisioning.rotation import settings_sealed_again
from pipeline.provisioning.state_machine import Outside, decide
from pipeline.provisioning.writes import ConfigurationWrite
from pipeline.secrets import SecretBox
from schemas.letters import place_of
from schemas.topics import INTEGRATIONS, MAPPINGS

log = logging.getLogger(__name__)

ACTIVE_PARTITION: Final = 0
CHECK_EVERY_S: Final = 0.5


class Scheduler:
    """Carries out `decide` while it owns partition 0 of `sync.integrations`."""

    def __init__(
        self,
        cluster: Cluster,
        ordinal: int,
        *,
        partitions: int,
        tables: TableReader,
        publisher: Publisher,
        failed: Callable[[BaseException], None],
        box: SecretBox,
    ) -> None:
        self._box = box
        self._told: set[tuple[str, str]] = set()
        self._partitions = partitions
        self._tables = tables
        self._publisher = publisher
        self._wake = asyncio.Event()
        hooks = Hooks(_finish, lambda _: self._wake.set(), self._revoked, failed, _lost)
        self._member = GroupMember(
            cluster, SCHEDULER_GROUP, f"scheduler-{ordinal}", topics=(INTEGRATIONS,), hooks=hooks
        )

    @property
    def member(self) -> GroupMember:
        """The membership that decides who is active, for whoever judges whether it moves."""
        return self._member

    @property
    def active(self) -> bool:
        return self._member.owns(ACTIVE_PARTITION)

    def configuration_changed(self) -> None:
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled."""
        self._member.start()
        try:
            while True:
                self._wake.clear()
                while self.active and (writes := self._decide()):
                    await self._carry_out(writes)
                await set_within(self._wake, CHECK_EVERY_S)
        finally:
            await self._member.stop()

    def _decide(self) -> list[ConfigurationWrite]:
        parts = self._tables.table(INTEGRATIONS)
        outside = Outside(self._integration_failed, self._box.same)
        decided = decide(parts, self._tables.table(MAPPINGS), self._partitions, outside)
        return decided or settings_sealed_again(parts, self._box)

    def _integration_failed(self, name: str, error: Exception) -> None:
        """Told once for each place: what is not refused by it is met again at every look."""
        told = name, place_of(error)
        if told not in self._told:
            self._told.add(told)
            log.error("%s: its request cannot be decided: our own code raised at %s", *told)

    async def _carry_out(self, writes: Sequence[ConfigurationWrite]) -> None:
        """Write in order, then wait until this process reads its own writes, so that it never decides on old tables."""
        for write in writes:
            if not self.active:
                return  # another scheduler is active by now and writes the rest
            log.info("%s: %s", write.topic, write.key)
            if write.record is None:
                await self._publisher.send_bytes(write.topic, write.key, None)
            else:
                await self._publisher.send(write.topic, write.key, write.record, write.partition)
        last = {(write.topic, write.key): write.record for write in writes if write.topic in (INTEGRATIONS, MAPPINGS)}
        await until_read(
            INTEGRATIONS, lambda: all(self._tables.get(topic, key) == record for (topic, key), record in last.items())
        )

    async def _revoked(self, _: frozenset[int]) -> None:
        """Nothing to wait for: no write is in flight between two decisions."""


def _finish(batch: Sequence[Taken]) -> None:
    """Records only make this process a member; their content is read as tables."""
    for taken in batch:
        taken.finished()


def _lost(topic: str, partition: int, start: int, end: int) -> None:
    """Nothing is read here for what it says, only whose turn it is: the tables are read from the beginning."""
    log.warning("%s[%d]: offsets %d to %d are gone", topic, partition, start, end)
