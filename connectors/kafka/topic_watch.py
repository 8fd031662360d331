"""Notices a topic that was deleted, or deleted and made anew, under a running process.

Clients go on as if nothing had happened, or stand still with nothing said: one run in two did.
"""

import logging
import threading
from collections.abc import Callable, Collection
from typing import Final

from connectors.kafka.admin import Admin
from connectors.kafka.groups import BrokersUnreachable

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 5.0
LOOK_AGAIN_S: Final = 1.0
"""How soon a change is looked at again: a broker that starts, or lags, may not know a topic that is there."""


class TopicWatch:
    """Compares the brokers' ids of topics with those at the start, on a thread of its own.

    `changed` is called once, on that thread, with the names of the topics that are others by now.
    """

    def __init__(self, admin: Admin, topics: Collection[str], changed: Callable[[Collection[str]], None]) -> None:
        self._admin = admin
        self._topics = tuple(topics)
        self._changed = changed
        self._stopped = threading.Event()
        self._ids = admin.topic_ids(self._topics)
        self._doubted: dict[str, str | None] = {}  # topics that the last look showed as others, with what it showed
        self._thread = threading.Thread(target=self._run, name="topic watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()

    def look(self) -> bool:
        """Whether the topics are still those of the start; `changed` is told of those that are not, seen so twice."""
        try:
            now = self._admin.topic_ids(self._topics)
        except BrokersUnreachable:
            return True  # brokers that are away tell of no topic
        others = {topic: now.get(topic) for topic, made in self._ids.items() if now.get(topic) != made}
        self._ids = now | self._ids  # a topic that was missing at the start lost nothing: it is known from now on
        certain = [topic for topic in others if topic in self._doubted and self._doubted[topic] == others[topic]]
        self._doubted = others
        if certain:
            self._changed(certain)
        return not certain

    def _run(self) -> None:
        while not self._stopped.wait(LOOK_AGAIN_S if self._doubted else LOOK_EVERY_S) and self.look():
            pass
