"""Reads the vital signs of the last hour once, and from then on what is new of them. Blocks; changes nothing."""

from typing import Final

from connectors.kafka.spans import Found, read_spans
from pipeline.lag.hour import HOUR_MS, MINUTE_MS, Hour, LastHour
from pipeline.lag.reading import Brokers, decoded
from schemas.topics import VITALS, TopicAndPartition
from schemas.vitals import Vitals

HEAD_MS: Final = 7_000
"""Of each minute the records of so long are decoded: every process that is alive has one among them."""
TAIL_MS: Final = 12_000
"""And the newest."""


class HourReading:
    """One reader of `sync.vitals`; used by one thread at a time."""

    def __init__(self, brokers: Brokers) -> None:
        self._brokers = brokers
        self._hour: LastHour | None = None
        self._next: dict[TopicAndPartition, int] = {}

    def look(self) -> Hour:
        """The hour until now. Raises BrokersUnreachable."""
        brokers, now_ms = self._brokers, self._brokers.now_ms()
        hour = self._hour = self._hour or LastHour(now_ms - HOUR_MS)
        if VITALS not in brokers.admin.partitions():
            return hour.told(now_ms)
        ends = brokers.admin.end_offsets([VITALS])
        begins = self._next or brokers.admin.offsets_at([VITALS], now_ms - HOUR_MS)

        def seen(one: Found) -> bool:
            if one.at_ms % MINUTE_MS < HEAD_MS or one.at_ms > now_ms - TAIL_MS:
                row = decoded(brokers.codec, one)
                if isinstance(row, Vitals):
                    hour.take(row)
            return True

        spans = {place: (min(begins.get(place, end), end), end) for place, end in ends.items()}
        read_spans(brokers.cluster, spans, seen)
        self._next = dict(ends)
        return hour.told(now_ms)
