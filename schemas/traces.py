"""Traces: the ids of a record's trace follow from its first cause, so that every stage gives the same unasked."""

import hashlib
from collections.abc import Callable
from typing import Any, Final

from schemas.records import Cause
from schemas.topics import TopicAndPartition

TRACEPARENT: Final = "traceparent"
_TRACE_BYTES: Final = 16
_SPAN_BYTES: Final = 8

Handled = Callable[[str, TopicAndPartition, int, Any, int], None]
"""(stage, topic and partition, offset, record, since when it was held in ns): a stage has ended a record."""


def trace_of(cause: Cause) -> tuple[bytes, bytes]:
    """The trace's id, and that of its first span."""
    text = f"{cause.topic}[{cause.partition}]@{cause.offset}"
    if cause.offset < 0:  # no record: a crawl, or a run; its time tells one from another
        text += f"/{cause.at_ms}"
    digest = hashlib.sha256(text.encode()).digest()
    return digest[:_TRACE_BYTES], digest[_TRACE_BYTES : _TRACE_BYTES + _SPAN_BYTES]


def cause_of(record: Any, topic: str, partition: int, offset: int) -> Cause | None:
    """The first cause of a record that stands there; None for one that is not traced: bulk, or of no cause."""
    if getattr(record, "bulk", False) or getattr(record, "run_id", None):
        return None
    received_ms = getattr(record, "received_at_ms", None)
    if received_ms is not None:
        return Cause(topic, partition, offset, received_ms)
    cause = getattr(record, "caused_by", None)
    return cause if isinstance(cause, Cause) else None


def traceparent(record: Any) -> bytes | None:
    """The header of W3C's Trace Context for a record that is sent; None for one that is not traced."""
    cause = cause_of(record, "", -1, -1)
    if cause is None or not cause.topic:
        return None
    trace, span = trace_of(cause)
    return f"00-{trace.hex()}-{span.hex()}-01".encode()
