"""Notices a client that has forgotten every broker, and finds no way back.

librdkafka (2.10 to 2.16) forgets each broker that an answer does not name. A lone broker names none while it is fenced:
for a moment after it stood still, and before it stops. Of the clients that ask it then some forget their bootstrap
servers too, by a race (confluentinc/librdkafka#5301). No error tells of it, calls only time out, and it stays so; but
the client's statistics show no broker.
"""

from typing import Final

from connectors.kafka.settings import LibrdkafkaConfig

LOOK_EVERY_MS: Final = 2_000
LOOKS: Final = 2
"""In a row without a broker: the bootstrap servers are tried an instant after all brokers were forgotten, if ever."""
KNOWN: Final = ('"source":"learned"', '"source":"configured"')


class Stranded(RuntimeError):
    """A client gets nothing from brokers that answer others: it is of no use, a new one is."""


class Lifeline:
    """Whether one client knows a broker, by its statistics, which its own polls bring."""

    def __init__(self) -> None:
        self._without = 0

    @property
    def config(self) -> LibrdkafkaConfig:
        """What the client is to be made with."""
        return {"statistics.interval.ms": LOOK_EVERY_MS, "stats_cb": self.look}

    def look(self, statistics: str) -> None:
        """Take the client's statistics, as librdkafka writes them."""
        self._without = 0 if any(known in statistics for known in KNOWN) else self._without + 1

    @property
    def cut(self) -> bool:
        return self._without >= LOOKS

    def check(self) -> None:
        """Raise Stranded where the client is of no use any more."""
        if self.cut:
            raise Stranded("this Kafka client has forgotten every broker (confluentinc/librdkafka#5301)")
