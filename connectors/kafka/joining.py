"""Notices a member that its group has not given an assignment for long, though brokers answer others.

librdkafka joins again after a session that passed. Where the answer to a commit of before comes meanwhile, it may
forget that it does: it knows its brokers, takes nothing, and stays so (one in fifty pauses of a lone broker).
"""

import time
from collections.abc import Callable
from typing import Final

from connectors.kafka.cluster import Cluster
from connectors.kafka.lifeline import Stranded
from connectors.kafka.stranded import others_are_told_of

LOOK_EVERY_S: Final = 5.0
JOIN_S: Final = 20.0
"""Longer than others in the group take to give back what they hold, and than the session of one that is gone."""


class Joining:
    """Since when one member waits for its assignment; one of no partitions is an assignment too."""

    def __init__(
        self,
        cluster: Cluster,
        topic: str,
        *,
        told: Callable[[Cluster, str], bool] = others_are_told_of,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster = cluster
        self._topic = topic
        self._told = told
        self._monotonic = monotonic
        self._since: float | None = monotonic()
        self._looked_at = self._since

    def begin(self) -> None:
        """It has no assignment from now on."""
        self._since = self._looked_at = self._monotonic()

    def end(self) -> None:
        self._since = None

    def check(self) -> None:
        """Raise Stranded where the client is to be replaced. Brokers that answer nobody prove nothing. May block."""
        now = self._monotonic()
        if self._since is None or now - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at = now
        if not self._told(self._cluster, self._topic):
            self._since = now
        elif now - self._since >= JOIN_S:
            raise Stranded(f"this Kafka client has had no assignment for {now - self._since:.0f} s, and brokers answer")
