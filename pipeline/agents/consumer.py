"""Faust's consumer, giving the agents their records by the batch: Faust's work for a message costs more than ours."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, Final

from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

APART_S: Final = 0.01
"""Between two fetches of a flow: each goes from Faust's thread to aiokafka's and back, which costs as much as to handle
ten records. What comes after a quiet time is fetched at once."""
FLOW_S: Final = 0.03  # between two fetches that brought something: more is no flow
FLOW_FETCH_MS: Final = 50
"""How long a fetch waits at the broker for records while some come, and while none do: what comes ends the wait."""
IDLE_FETCH_MS: Final = 1_500
HELD_POLL_S: Final = 0.05  # while a partition is left out, as its agent has enough
BATCH_RECORDS: Final = 250  # decoded in one go, which blocks the event loop


class RecordBatch(ConsumerMessage):
    """Records of one partition as one of Faust's messages, at the offset of the last one.

    An acknowledged batch frees every offset from `first_offset` on, including transaction markers before its records.
    """

    def __init__(self, tp: TP, records: Sequence[Any], first_offset: int, generation_id: int) -> None:
        last = records[-1]
        super().__init__(
            tp.topic,
            tp.partition,
            last.offset,
            last.timestamp / 1000.0,
            last.timestamp_type,
            headers=None,
            key=None,
            value=None,
            checksum=None,
            tp=tp,
            generation_id=generation_id,
        )
        self.records = records
        self.first_offset = first_offset


class FlowThread(driver.AIOKafkaConsumerThread):
    """Faust's thread of aiokafka, which has one fetch to a broker under way at a time.

    A partition is in none while its records wait to be taken: what comes for it then waits for the one under way.
    """

    async def _fetch_records(self, consumer: Any, *args: Any, **more: Any) -> Any:
        records = await super()._fetch_records(consumer, *args, **more)
        consumer._fetcher._fetch_max_wait_ms = FLOW_FETCH_MS if records else IDLE_FETCH_MS
        return records


class BatchConsumer(driver.Consumer):
    """Fetches, acknowledges and commits batches; rebalances and flow control stay Faust's own (decision 0008)."""

    def _new_consumer_thread(self) -> FlowThread:
        return FlowThread(self, loop=self.loop, beacon=self.beacon)

    _fetched_at = (-math.inf, -math.inf)  # when the last two fetches came that brought something

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, RecordBatch]]:  # noqa: ASYNC109 - Faust's signature
        """The records of one fetch, partitions taking turns; like Faust's own it ends where the flow is stopped."""
        await self._apart()
        # whoever waits for records is not told that a partition may be taken from again: what waits of it is there
        fetched, active = await self._wait_next_records(HELD_POLL_S if self._buffered_partitions else timeout)
        if fetched:
            self._fetched_at = (self._fetched_at[1], time.monotonic())
        generation_id = self.app.consumer_generation_id
        if fetched is None or self.should_stop:
            return
        if not self.flow_active:
            await self._seek_back()
            return
        for tp, records in _in_turn(fetched):
            if not self.flow_active or self.app.consumer_generation_id != generation_id:
                return
            if active is None or tp in active or tp in self._buffered_partitions:
                batch = self._batch(tp, records, generation_id)
                if batch is not None:
                    yield tp, batch

    async def _apart(self) -> None:
        before, last = self._fetched_at
        wait_s = last + APART_S - time.monotonic()
        if wait_s > 0 and last - before < FLOW_S:
            await asyncio.sleep(wait_s)

    async def _seek_back(self) -> None:
        try:
            await self.perform_seek()
        except Exception as error:  # noqa: BLE001 - the flow is stopped: a rebalance is under way and seeks again
            self.log.warning("no seek while the flow is stopped: %s", type(error).__name__)

    def _batch(self, tp: TP, records: Sequence[Any], generation_id: int) -> RecordBatch | None:
        """The records not delivered before; Faust's read offset is the last delivered one, after a seek the next."""
        read = self._read_offset[tp]
        if read:
            records = [record for record in records if record.offset >= read]
        if not records:
            return None
        first_offset = records[0].offset
        return RecordBatch(tp, records, min(first_offset, read + 1) if read else first_offset, generation_id)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Faust's list of missing offsets: a batch names them itself."""

    def ack(self, message: Any) -> bool:
        """Every offset of a batch may be committed."""
        if not super().ack(message):
            return False
        acknowledged = self._acked_index[message.tp]
        others = [offset for offset in range(message.first_offset, message.offset) if offset not in acknowledged]
        acknowledged.update(others)
        self._acked[message.tp] += others
        return True


def _in_turn(fetched: Mapping[TP, Sequence[Any]]) -> Iterator[tuple[TP, Sequence[Any]]]:
    """Batches of every partition in turn, so that none waits behind another's backlog."""
    longest = max(map(len, fetched.values()), default=0)
    for start in range(0, longest, BATCH_RECORDS):
        for tp, records in fetched.items():
            if start < len(records):
                yield tp, records[start : start + BATCH_RECORDS]


class BatchTransport(driver.Transport):
    """Faust's own transport with that consumer."""

    Consumer = BatchConsumer
