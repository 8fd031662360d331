"""What was done, for a process that lasts: the audit is read whole once, then only what came since."""

import threading
from collections import deque
from typing import Final

from connectors.kafka.reading import Tail
from pipeline.operations.audit import entries
from pipeline.process import Process
from schemas.operating import AuditEntry
from schemas.topics import AUDIT

MOST: Final = 50_000
"""The newest so many are kept."""


class AuditLog:
    """The audit, as a process that lasts sees it."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._tail: Tail | None = None
        self._entries: deque[AuditEntry] = deque(maxlen=MOST)
        self._looking = threading.Lock()

    def entries(self) -> list[AuditEntry]:
        """Oldest first; blocks."""
        with self._looking:
            if self._tail is None:
                self._tail = Tail(self._process.cluster, self._process.admin().begin_offsets([AUDIT]))
            new = entries(self._tail.news(), self._process.codec, None, None, 0)
            if new:
                newest = sorted([*self._entries, *new], key=lambda entry: entry.at_ms)
                self._entries = deque(newest, maxlen=MOST)
            return list(self._entries)
