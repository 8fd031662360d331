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
        self._thread = threading.Thread(target=self._run, name="topic watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()

    def look(self) -> bool:
        """Whether the topics are still those of the start; `changed` is told of those that are not."""
        try:
            now = self._admin.topic_ids(self._topics)
        except BrokersUnreachable:
            return True  # brokers that are away tell of no topic
        others = [topic for topic, made in self._ids.items() if now.get(topic) != made]
        self._ids = now | self._ids  # a topic that was missing at the start lost nothing: it is known from now on
        if others:
            self._changed(others)
        return not others

    def _run(self) -> None:
        while not self._stopped.wait(LOOK_EVERY_S) and self.look():
            pass
