"""Spans: one for each live record and stage, below the webhook's, without keys or values."""

import builtins
import subprocess
import sys
from dataclasses import replace
from typing import Any, cast

import pytest

from connectors.kafka.consumer import Taken
from connectors.kafka.in_memory import RecordsInMemory
from pipeline.observability.tracing import DerivedIds, NoTracing, Tracing, open_tracing
from schemas.records import Cause
from schemas.traces import trace_of
from tests.contract.sample_records import SAMPLES

CAUSE = Cause("hubspot.notifications", 2, 17, 1_700_000_000_000)
PLACE = ("hubspot.notifications", 2)
WEBHOOK = replace(SAMPLES["Notification"], received_at_ms=CAUSE.at_ms)
PATCH = replace(SAMPLES["FieldPatch"], caused_by=CAUSE, bulk=False, run_id=None)
BEGAN_NS = (CAUSE.at_ms + 40) * 1_000_000


def spans(*ended: tuple[str, tuple[str, int], int, Any]) -> list[Any]:
    """What the SDK exports of these."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, ids = InMemorySpanExporter(), DerivedIds()
    provider = TracerProvider(id_generator=cast(Any, ids))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing = Tracing(provider, ids)
    for stage, place, offset, record in ended:
        tracing.handled(stage, place, offset, record, BEGAN_NS)
    return list(exporter.get_finished_spans())


def test_a_webhook_and_every_stage_are_one_trace() -> None:
    webhook, source, sink = spans(
        ("hubspot source", PLACE, 17, WEBHOOK), ("userflow sink", ("userflow.field-patches", 0), 5, PATCH)
    )
    trace, first = (int.from_bytes(one) for one in trace_of(CAUSE))

    assert [span.name for span in (webhook, source, sink)] == ["webhook", "hubspot source", "userflow sink"]
    assert {span.context.trace_id for span in (webhook, source, sink)} == {trace}
    assert (webhook.context.span_id, webhook.parent) == (first, None)
    assert [span.parent.span_id for span in (source, sink)] == [first, first]
    assert len({span.context.span_id for span in (webhook, source, sink)}) == 3
    assert (webhook.start_time, webhook.end_time) == (CAUSE.at_ms * 1_000_000, BEGAN_NS)
    assert source.start_time == BEGAN_NS <= source.end_time


def test_a_span_names_its_place_and_no_key_or_value() -> None:
    _, source = spans(("hubspot source", PLACE, 17, WEBHOOK))

    assert dict(source.attributes) == {
        "messaging.system": "kafka",
        "messaging.destination.name": "hubspot.notifications",
        "messaging.destination.partition.id": "2",
        "messaging.kafka.offset": 17,
        "pairstream.integration": WEBHOOK.integration,
        "pairstream.record": "Notification",
    }


def test_bulk_and_what_is_no_record_have_no_spans() -> None:
    assert spans(("pairs", ("sync.matches", 0), 1, replace(PATCH, bulk=True)), ("pairs", ("t", 0), 1, object())) == []


def test_a_connector_tells_of_each_record_when_it_ends() -> None:
    told, ended = list[tuple[Any, ...]](), list[str]()
    records = RecordsInMemory(lambda _: "hubspot source", lambda *seen: told.append(seen))
    taken = records.begun(Taken(*PLACE, 17, "acme", b"", lambda: ended.append("acknowledged"), None), WEBHOOK)

    assert told == []
    taken.finished()
    ((stage, place, offset, record, began_ns),) = told
    assert (stage, place, offset, record) == ("hubspot source", PLACE, 17, WEBHOOK)
    assert began_ns > 0
    assert ended == ["acknowledged"]


def test_without_the_sdk_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    own = builtins.__import__

    def refuse(name: str, *given: Any, **named: Any) -> Any:
        if name.startswith("opentelemetry"):
            raise ImportError(name)
        return own(name, *given, **named)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(NoTracing, match=r"pip install 'pairstream\[otel\]'"):
        open_tracing("0.1.0", "")


def test_a_process_without_traces_does_not_load_the_sdk() -> None:
    found = "any(name.startswith('opentelemetry') for name in sys.modules)"
    program = f"import pipeline.app, pipeline.process, sys; sys.exit({found})"

    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 0
