"""Which trace a record belongs to: the same for all that one webhook led to, and none for bulk."""

from dataclasses import replace

from connectors.kafka.cluster import Cluster
from connectors.kafka.producer import headers_of
from schemas.records import Cause, FieldPatch, Notification
from schemas.traces import TRACEPARENT, cause_of, trace_of, traceparent
from tests.contract.sample_records import SAMPLES

CAUSE = Cause("hubspot.notifications", 2, 17, 1_700_000_000_000)
PATCH = replace(SAMPLES["FieldPatch"], caused_by=CAUSE, bulk=False, run_id=None)
WEBHOOK = SAMPLES["Notification"]


def test_a_webhook_and_what_it_led_to_share_a_trace() -> None:
    assert isinstance(WEBHOOK, Notification) and isinstance(PATCH, FieldPatch)
    first = cause_of(WEBHOOK, "hubspot.notifications", 2, 17)
    later = cause_of(PATCH, "hubspot.field-patches", 1, 5)

    assert first is not None and later is not None
    assert trace_of(first) == trace_of(later)
    assert trace_of(CAUSE) != trace_of(replace(CAUSE, offset=18))


def test_causes_that_are_no_records_are_told_apart_by_their_time() -> None:
    crawl = Cause("userflow.changes", 0, -1, 5)

    assert trace_of(crawl) != trace_of(replace(crawl, at_ms=6))


def test_bulk_has_no_trace() -> None:
    assert cause_of(replace(PATCH, bulk=True), "t", 0, 1) is None
    assert cause_of(replace(PATCH, caused_by=None), "t", 0, 1) is None


def test_records_carry_their_trace_only_where_it_is_wanted() -> None:
    trace, span = trace_of(CAUSE)

    assert headers_of(PATCH, Cluster({})) == ()
    assert headers_of(PATCH, Cluster({}, traces=True)) == ((TRACEPARENT, f"00-{trace.hex()}-{span.hex()}-01".encode()),)
    assert traceparent(WEBHOOK) is None  # its place, and with it its trace, is known when it is stored
