"""Reads the vital signs of the last hour once, and from then on what is new of them. Blocks; changes nothing."""

from typing import Final

from connectors.kafka.reading import Tail
from pipeline.lag.hour import HOUR_MS, MINUTE_MS, Hour, LastHour
from pipeline.lag.reading import Brokers, decoded
from schemas.topics import VITALS
from schemas.vitals import Vitals

HEAD_MS: Final = 7_000
"""Of each minute the records of so long are decoded: every process that is alive has one among them."""
TAIL_MS: Final = 12_000
"""And the newest."""


class HourReading:
    """One reader of `sync.vitals`; used by one thread at a time."""

    def __init__(self, brokers: Brokers) -> None:
        self._brokers = brokers
        self._tail: Tail | None = None
        self._hour = LastHour(0)  # another one begins with the tail

    def look(self) -> Hour:
        """The hour until now. Raises BrokersUnreachable."""
        brokers, now_ms = self._brokers, self._brokers.now_ms()
        if self._tail is None:
            self._hour = LastHour(now_ms - HOUR_MS)
            if VITALS not in brokers.admin.partitions():
                return self._hour.told(now_ms)
            ends = brokers.admin.end_offsets([VITALS])
            self._tail = Tail(brokers.cluster, {**ends, **brokers.admin.offsets_at([VITALS], now_ms - HOUR_MS)})
        for one in self._tail.news():
            if one.at_ms % MINUTE_MS < HEAD_MS or one.at_ms > now_ms - TAIL_MS:
                row = decoded(brokers.codec, VITALS, one.value or b"")
                if isinstance(row, Vitals):
                    self._hour.take(row)
        return self._hour.told(now_ms)
