"""Spans for OpenTelemetry, from webhook to write: one for each live record and stage, by the SDK's own exporter.

The SDK is loaded only where PAIRSTREAM_TRACES asks for it; its own OTEL_ variables say where spans go.
"""

import time
from typing import Any, Final, cast

from schemas.records import Cause, Notification, avro_name
from schemas.topics import TopicAndPartition
from schemas.traces import cause_of, trace_of

NS_PER_MS: Final = 1_000_000
MISSING: Final = (
    "PAIRSTREAM_TRACES: `otlp` needs OpenTelemetry's SDK, which is not installed. "
    "Fix: pip install 'pairstream[otel]', or unset it"
)


class NoTracing(Exception):
    """The SDK is not installed; the message says what to do."""


class Tracing:
    """Tells a provider of spans; all of it on one thread."""

    def __init__(self, provider: Any, ids: "DerivedIds") -> None:
        # Any: the SDK may not be installed, and then has no types either
        self._tracer = provider.get_tracer("pairstream")
        self._ids = ids

    def handled(self, stage: str, place: TopicAndPartition, offset: int, record: Any, began_ns: int) -> None:
        """A stage has ended a record that it took at `began_ns`; bulk has no spans."""
        cause = cause_of(record, *place, offset)
        if cause is None:
            return
        attributes = {
            "messaging.system": "kafka",
            "messaging.destination.name": place[0],
            "messaging.destination.partition.id": str(place[1]),
            "messaging.kafka.offset": offset,
            "pairstream.integration": str(getattr(record, "integration", "")),
            "pairstream.record": avro_name(type(record)),
        }
        if isinstance(record, Notification):
            self._first(cause, attributes, began_ns)
        span = self._tracer.start_span(stage, _below(cause), attributes=attributes, start_time=began_ns)
        span.end(time.time_ns())

    def _first(self, cause: Cause, attributes: dict[str, Any], taken_ns: int) -> None:
        """The trace's first span: a webhook from its receipt until a connector took it."""
        self._ids.next = trace_of(cause)
        span = self._tracer.start_span("webhook", _nothing(), attributes=attributes, start_time=cause.at_ms * NS_PER_MS)
        span.end(max(taken_ns, cause.at_ms * NS_PER_MS))


class DerivedIds:
    """The SDK's source of ids: random ones, but for a trace's first span."""

    def __init__(self) -> None:
        from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

        self.next: tuple[bytes, bytes] | None = None
        self._random = RandomIdGenerator()

    def generate_trace_id(self) -> int:
        return int(self._random.generate_trace_id()) if self.next is None else int.from_bytes(self.next[0])

    def generate_span_id(self) -> int:
        if self.next is None:
            return int(self._random.generate_span_id())
        (_, span), self.next = self.next, None
        return int.from_bytes(span)

    def is_trace_id_random(self) -> bool:
        return False


def open_tracing(version: str, installation: str) -> Tracing:
    """Spans go where the OTEL_ variables say, by OTLP over HTTP. Raises NoTracing."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise NoTracing(MISSING) from error
    ids = DerivedIds()
    told = {"service.name": "pairstream", "service.namespace": installation, "service.version": version}
    provider = TracerProvider(resource=Resource.create(told), id_generator=cast(Any, ids))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider, ids)


def _below(cause: Cause) -> Any:
    """The context of a span below the trace's first one, which another process has told of."""
    from opentelemetry import trace

    trace_id, span_id = (int.from_bytes(one) for one in trace_of(cause))
    seen = trace.SpanContext(trace_id, span_id, is_remote=True, trace_flags=trace.TraceFlags(trace.TraceFlags.SAMPLED))
    return trace.set_span_in_context(trace.NonRecordingSpan(seen), _nothing())


def _nothing() -> Any:
    from opentelemetry.context import Context

    return Context()
