"""The batches of one partition that wait for its step: a partition that is restored holds no other one up."""

import asyncio
from collections import deque
from typing import Any, Final

LANE_RECORDS: Final = 2_000
"""Records of a partition that may wait; one more, and taking waits for this partition's step."""
ROOM_RECORDS: Final = 8_000
"""Records of all partitions that may wait: they are handled before a rebalance goes on."""


class Room:
    """What the lanes of one agent share: how many records wait in all of them."""

    def __init__(self, most_records: int = ROOM_RECORDS) -> None:
        self.most_records = most_records
        self.records = 0
        self.left = asyncio.Event()


class Lane:
    """A queue for one who takes; one puts into all lanes of a room. Its events are Faust's, each a batch of records."""

    def __init__(self, room: Room, most_records: int = LANE_RECORDS) -> None:
        self._room = room
        self._most_records = most_records
        self._events: deque[Any] = deque()
        self._records = 0
        self._came = asyncio.Event()

    async def put(self, event: Any) -> None:
        """Add a batch, once there is room before it."""
        while self._records >= self._most_records or self._room.records >= self._room.most_records:
            self._room.left.clear()
            await self._room.left.wait()
        self._events.append(event)
        self._count(len(event.message.records))
        self._came.set()

    async def get(self) -> Any:
        """The oldest batch, once there is one; nothing is lost where the wait is cancelled."""
        while not self._events:
            self._came.clear()
            await self._came.wait()
        return self.get_now()

    async def more(self, within_s: float) -> bool:
        """Whether a batch waits, or comes within that time; nothing is waited for where none is left."""
        if not self._events and within_s > 0:
            self._came.clear()
            try:
                async with asyncio.timeout(within_s):
                    await self._came.wait()
            except TimeoutError:
                return False
        return bool(self._events)

    def get_now(self) -> Any:
        """The oldest batch of a lane that is not empty."""
        event = self._events.popleft()
        self._count(-len(event.message.records))
        self._room.left.set()
        return event

    @property
    def empty(self) -> bool:
        return not self._events

    def _count(self, records: int) -> None:
        self._records += records
        self._room.records += records
