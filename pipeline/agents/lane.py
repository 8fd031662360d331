"""The batches of one partition that wait for its step: a partition that is restored holds no other one up."""

import asyncio
from collections import deque
from typing import Any, Final

LANE_RECORDS: Final = 4_000
"""Records of a partition that may wait; one more, and taking waits for this partition's step."""


class Lane:
    """A queue for one who puts and one who takes; its events are Faust's, each a batch of records."""

    def __init__(self, most_records: int = LANE_RECORDS) -> None:
        self._most_records = most_records
        self._events: deque[Any] = deque()
        self._records = 0
        self._came = asyncio.Event()
        self._left = asyncio.Event()

    async def put(self, event: Any) -> None:
        """Add a batch, once there is room before it."""
        while self._records >= self._most_records:
            self._left.clear()
            await self._left.wait()
        self._events.append(event)
        self._records += len(event.message.records)
        self._came.set()

    async def get(self) -> Any:
        """The oldest batch, once there is one; nothing is lost where the wait is cancelled."""
        while not self._events:
            self._came.clear()
            await self._came.wait()
        return self.get_now()

    def get_now(self) -> Any:
        """The oldest batch of a lane that is not empty."""
        event = self._events.popleft()
        self._records -= len(event.message.records)
        self._left.set()
        return event

    @property
    def empty(self) -> bool:
        return not self._events
