"""What vital signs cost a connector: to count each record, and to take the figures every five seconds."""

import time
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry

from connectors.kafka.consumer import Taken
from connectors.kafka.in_memory import RecordsInMemory, stage_of
from pipeline.observability.metrics import Metrics
from pipeline.observability.vitals import EVERY_S, VitalSigns
from schemas.codec import Codec
from schemas.records import Cause, FieldPatch
from schemas.registry import LocalRegistry
from schemas.spent import Parts
from schemas.topics import VITALS

RECORDS: Final = 100_000
FIGURES: Final = 20
HELD: Final = (0, 1_000, 20_000)
INTEGRATIONS, PARTITIONS = 50, 4
TOPIC: Final = "userflow.field-patches"


@dataclass(frozen=True)
class Cost:
    """With so many records in memory."""

    held: int
    record_us: float  # processor time of one record's counting
    figures_ms: float  # of all figures, encoded
    size: int  # bytes of them

    @property
    def core(self) -> float:
        """The share of a core that the figures take."""
        return self.figures_ms / 1000 / EVERY_S


def costs() -> list[Cost]:
    """For a few, many, and as many records in memory as a partition may hold."""
    return [_cost(number) for number in HELD]


def _cost(number: int) -> Cost:
    records = RecordsInMemory(stage_of)
    begun = time.process_time()
    for offset in range(RECORDS):
        records.begun(_taken(offset), _patch(offset)).finished()
    record_us = (time.process_time() - begun - _without_counting()) / RECORDS * 1e6
    for offset in range(number):
        records.begun(_taken(RECORDS + offset), _patch(offset))
    signs, codec = VitalSigns("userflow-0", "userflow", _metrics(), lambda: 1, records.places), Codec(LocalRegistry())
    begun = time.process_time()
    for _ in range(FIGURES):
        encoded = codec.encode(VITALS, signs.taken())
    return Cost(number, record_us, (time.process_time() - begun) / FIGURES * 1000, len(encoded))


def _without_counting() -> float:
    begun = time.process_time()
    for offset in range(RECORDS):
        _taken(offset).finished()
        _patch(offset)
    return time.process_time() - begun


def _taken(offset: int) -> Taken:
    return Taken(TOPIC, offset % PARTITIONS, offset, "acme", b"", _nothing)


def _patch(offset: int) -> FieldPatch:
    cause = Cause("hubspot.notifications", 0, 1, 1_700_000_000_000 + offset)
    name = f"i{offset % INTEGRATIONS}"
    return FieldPatch(name, 1, 1, "contacts-users", "a@b.c", "userflow", "users", "u1", {}, caused_by=cause)


def _metrics() -> Metrics:
    """What a busy connector has counted."""
    metrics = Metrics(CollectorRegistry())
    for number in range(INTEGRATIONS):
        metrics.api_remaining("userflow", f"i{number}", 7)
    for purpose in ("live_read", "bulk_read", "write", "bulk_write"):
        metrics.api_call("userflow", purpose, 200, 0.1)
        metrics.api_waited("userflow", purpose, 0.1)
    for bulk in (False, True):
        metrics.change_visible("userflow", bulk, Parts(50, 100, 10, 90))
    return metrics


def _nothing() -> None:
    """A record has an outcome."""
