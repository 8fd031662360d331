"""Kafka's part in memory: records go through the codec to the connectors that take their topic, and are counted."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from connectors.kafka.consumer import Hooks, Taken
from connectors.kafka.partitioner import partition_of
from schemas.codec import Codec
from schemas.configuration import IntegrationPart
from schemas.registry import LocalRegistry
from schemas.topics import INTEGRATIONS, MAPPINGS

PARTITIONS: Final = 4


class Member:
    """A member of a group of one: it has every partition from the start."""

    def __init__(self, *_: Any, hooks: Hooks, topics: Any) -> None:
        self.hooks, self.topics = hooks, tuple(topics)
        self.owned: frozenset[int] = frozenset(range(PARTITIONS))
        self.assignments = 1  # they never come or go

    def start(self) -> None:
        self.hooks.assigned(self.owned)

    async def stop(self) -> None:
        """Its integrations are closed as where partitions are given back."""
        gone, self.owned = self.owned, frozenset()
        await self.hooks.revoked(gone)

    def owns(self, partition: int) -> bool:
        return partition in self.owned


@dataclass
class Broker:
    """`heard` is told of every record that was published; configuration topics are also tables."""

    heard: Callable[[str, Any], None]
    changed: Callable[[], None]  # configuration changed
    members: list[Member] = field(default_factory=list)
    tables: dict[str, dict[str, Any]] = field(default_factory=lambda: {INTEGRATIONS: {}, MAPPINGS: {}})
    fed: Counter[str] = field(default_factory=Counter)  # records for connectors, by integration
    unfinished: dict[tuple[str, int], str] = field(default_factory=dict)  # and where they stand -> whose they are
    published: Counter[tuple[str, str]] = field(default_factory=Counter)  # by integration and topic
    codec: Codec = field(default_factory=lambda: Codec(LocalRegistry()))

    async def send(self, topic: str, key: str, record: Any, partition: int | None = None) -> tuple[int, int]:
        """As `Publisher.send`: raises Unencodable for what no message holds."""
        value = self.codec.encode(topic, record)
        self.published[str(record.integration), topic] += 1
        await asyncio.sleep(0)  # a record is with the brokers a little later
        self.keep(topic, key, record)
        self.deliver(topic, record.integration, value)
        self.heard(topic, record)
        return 0, 0

    def keep(self, topic: str, key: str, record: Any) -> None:
        """A row of a configuration topic."""
        if topic in self.tables:
            self.tables[topic][key] = record
            self.changed()

    def deliver(self, topic: str, integration: str, value: bytes) -> None:
        """Hand a record to the connector that takes its topic, if any; it is unfinished until that says otherwise."""
        for member in self.members:
            if topic in member.topics:
                offset = sum(self.fed.values())
                self.fed[integration] += 1
                self.unfinished[topic, offset] = integration
                finished = partial(self._finished, (topic, offset))
                taken = Taken(topic, partition_of(integration, PARTITIONS), offset, integration, value, finished)
                asyncio.get_running_loop().call_soon(member.hooks.taken, [taken])

    def _finished(self, place: tuple[str, int]) -> None:
        self.unfinished.pop(place, None)

    def forget(self, integration: str) -> None:
        """Delete the configuration of a disconnected integration, as `integration forget` does."""
        for table in self.tables.values():
            for key in [key for key in table if key.startswith(f"{integration}/")]:
                del table[key]

    def left(self, integration: str) -> list[str]:
        """Topics of the integration's records that have no outcome."""
        return [topic for (topic, _), name in self.unfinished.items() if name == integration]

    def table(self, topic: str) -> Mapping[str, Any]:
        return self.tables[topic]

    def get(self, topic: str, key: str) -> IntegrationPart | None:
        return self.tables[topic].get(key)
