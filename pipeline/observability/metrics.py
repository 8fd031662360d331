"""Every metric there is, in one table, and the one place that counts."""

import time
from collections import Counter as Counts
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from pipeline.observability.durations import Durations
from pipeline.observability.written import WrittenChanges
from schemas.codec import CodecKind
from schemas.configuration import ConnectorStatus
from schemas.spent import Parts
from schemas.vitals import ApiVitals, DurationVitals, LimitVitals, MappingVitals, OutcomeVitals

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4

CounterName = Literal[
    "pairstream_outcomes_total",
    "pairstream_webhooks_total",
    "pairstream_api_calls_total",
    "pairstream_api_limited_total",
    "pairstream_dead_letters_total",
    "pairstream_records_lost_total",
    "pairstream_notices_total",
]
GaugeName = Literal[
    "pairstream_api_remaining_requests",
    "pairstream_restore_seconds",
    "pairstream_bulk_outstanding_records",
    "pairstream_integration_status",
    "pairstream_codec_compiled",
    "pairstream_last_webhook_accepted_timestamp_seconds",
    "pairstream_last_full_sync_success_timestamp_seconds",
    "pairstream_pairs",
    "pairstream_lag_records",
    "pairstream_behind_seconds",
    "pairstream_live_behind_seconds",
    "pairstream_integration_behind_seconds",
    "pairstream_stage_stopped",
    "pairstream_retention_left_seconds",
    "pairstream_build_info",
    "kafka_consumergroup_lag",
    "kafka_consumergroup_current_offset",
    "kafka_topic_partition_current_offset",
]
HistogramName = Literal[
    "pairstream_api_call_seconds",
    "pairstream_api_budget_wait_seconds",
    "pairstream_change_to_visible_seconds",
    "pairstream_change_to_visible_part_seconds",
    "pairstream_step_seconds",
]
MetricName = CounterName | GaugeName | HistogramName

SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
"""Upper bounds of the histograms' buckets, in seconds."""


MOST_REASONS: Final = 200
OTHER: Final = "other"
TOO_MANY_REQUESTS: Final = 429
STORED: Final = "stored"
LINKS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("derived", "equal", "contested"), "linked"),
    "unmatched": "not_linked",
    **dict.fromkeys(("ambiguous", "crowded"), "several"),
    "refused": "refused",
}
"""What an outcome in PAIRS says of the pair, as vital signs count it."""


@dataclass(frozen=True, slots=True)
class MetricMeaning:
    """A metric's meaning as a sentence, and its labels."""

    sentence: str
    labels: tuple[str, ...] = ()


METRICS: Final[Mapping[MetricName, MetricMeaning]] = {
    "pairstream_outcomes_total": MetricMeaning(
        "Records by how they ended; each stage ends each of its records once.",
        ("stage", "integration", "mapping", "outcome"),
    ),
    "pairstream_webhooks_total": MetricMeaning("Webhooks by how the receiver answered them.", ("system", "result")),
    "pairstream_api_calls_total": MetricMeaning(
        "Requests to a vendor by purpose and HTTP status; status none: no answer came.", ("system", "purpose", "status")
    ),
    "pairstream_api_limited_total": MetricMeaning(
        "Answers of a vendor that said a limit was met, by limit.", ("system", "limit")
    ),
    "pairstream_dead_letters_total": MetricMeaning(
        "Dead letters by the stage that gave a record or field up and the reason.", ("stage", "reason")
    ),
    "pairstream_records_lost_total": MetricMeaning(
        "Offsets that retention or a person removed before they were read.", ("topic",)
    ),
    "pairstream_notices_total": MetricMeaning(
        "Changes of state by how telling PAIRSTREAM_NOTIFY_URL ended: told, failed (a try), given_up.", ("result",)
    ),
    "pairstream_api_remaining_requests": MetricMeaning(
        "Requests that the newest answer says are left of the vendor's limit.", ("system", "integration")
    ),
    "pairstream_restore_seconds": MetricMeaning(
        "How long the last restore of a partition's state took, in seconds.", ("stage", "partition")
    ),
    "pairstream_bulk_outstanding_records": MetricMeaning(
        "Records between the connectors and the sinks that no group has finished, as this connector measured them.",
        ("system",),
    ),
    "pairstream_integration_status": MetricMeaning(
        "1 for the status that an integration's system has, 0 for those it has not.",
        ("integration", "system", "status"),
    ),
    "pairstream_codec_compiled": MetricMeaning(
        "1 where this process encodes by the compiled codec, 0 where by fastavro, which takes several times the CPU."
    ),
    "pairstream_last_webhook_accepted_timestamp_seconds": MetricMeaning(
        "When the last webhook of an integration was stored by this receiver, in seconds since 1970.",
        ("integration", "system"),
    ),
    "pairstream_last_full_sync_success_timestamp_seconds": MetricMeaning(
        "When the last full sync that completed ended, in seconds since 1970; told by the active scheduler.",
        ("integration",),
    ),
    "pairstream_pairs": MetricMeaning(
        "Pairs by how they stood in the last full sync that completed; told by the active scheduler.",
        ("integration", "mapping", "state"),
    ),
    "pairstream_lag_records": MetricMeaning(
        "Records that wait before a stage, without transaction markers; told by the active scheduler.",
        ("stage", "topic"),
    ),
    "pairstream_behind_seconds": MetricMeaning(
        "Seconds since the first cause of the oldest record that waits before a stage; told by the active scheduler.",
        ("stage",),
    ),
    "pairstream_live_behind_seconds": MetricMeaning(
        "The same without what is bulk or of a full sync; told by the active scheduler.", ("stage",)
    ),
    "pairstream_integration_behind_seconds": MetricMeaning(
        "Seconds since the first cause of an integration's oldest record that waits anywhere; told by the active "
        "scheduler.",
        ("integration",),
    ),
    "pairstream_stage_stopped": MetricMeaning(
        "1 where records wait before a stage and nothing is ended there, else 0; told by the active scheduler.",
        ("stage",),
    ),
    "pairstream_retention_left_seconds": MetricMeaning(
        "Seconds until retention reaches the first record of a topic that waits, its whole retention where none does; "
        "told by the active scheduler.",
        ("topic",),
    ),
    "pairstream_build_info": MetricMeaning("1; the labels say which release this process runs.", ("version",)),
    "kafka_consumergroup_lag": MetricMeaning(
        "Records between a group's position and the end of a partition, without transaction markers; told by the "
        "active scheduler.",
        ("consumergroup", "topic", "partition"),
    ),
    "kafka_consumergroup_current_offset": MetricMeaning(
        "Where a group goes on in a partition; told by the active scheduler.", ("consumergroup", "topic", "partition")
    ),
    "kafka_topic_partition_current_offset": MetricMeaning(
        "The end of a partition; told by the active scheduler.", ("topic", "partition")
    ),
    "pairstream_api_budget_wait_seconds": MetricMeaning(
        "How long requests waited for a place in a vendor's limits, in seconds.", ("system", "purpose")
    ),
    "pairstream_change_to_visible_seconds": MetricMeaning(
        "From the receipt of a change to its value's being written, in seconds.", ("direction", "bulk")
    ),
    "pairstream_change_to_visible_part_seconds": MetricMeaning(
        "The same by parts, which sum up to it: Pairstream itself (pairstream), the systems' answers to reads (read), "
        "waiting for places in their limits (budget), their answers to writes (write), in seconds.",
        ("direction", "part", "bulk"),
    ),
    "pairstream_api_call_seconds": MetricMeaning(
        "How long requests to a vendor took, in seconds.", ("system", "purpose")
    ),
    "pairstream_step_seconds": MetricMeaning(
        "How long steps of an agent took, commit and all, in seconds.", ("stage",)
    ),
}


class Metrics:
    """All metrics of one process, in the registry that it is given; may be used on any thread.

    `installation` becomes a label of every sample, unless it is empty: Prometheus takes an empty label for none.
    """

    def __init__(self, registry: CollectorRegistry, installation: str = "") -> None:
        self._registry = registry
        self._installation = installation
        self._reasons: set[str] = set()
        self._calls: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])  # sent, and limited
        self._waited_s: dict[tuple[str, str], float] = defaultdict(float)
        self._links: dict[tuple[str, str], Counts[str]] = defaultdict(Counts)  # by integration and mapping
        self._ends: Counts[tuple[str, str, str]] = Counts()  # by stage, integration and outcome
        self._limits: dict[str, tuple[str, int]] = {}  # by system: the limit that was met last, and when
        self._remaining: dict[tuple[str, str], int] = {}
        self._durations = Durations()
        self._stored = 0  # webhooks
        self._refused: dict[str, int] = {}  # <system>/<result> -> when the last such webhook came
        self._accepted: dict[str, int] = {}  # <integration>/<system> -> when the last webhook was stored
        ProcessCollector(registry=registry)
        self._counters = {name: Counter(name, *_spread(name), registry=registry) for name in _names(CounterName)}
        self._gauges = {name: Gauge(name, *_spread(name), registry=registry) for name in _names(GaugeName)}
        self._histograms = {
            name: Histogram(name, *_spread(name), buckets=SECONDS, registry=registry) for name in _names(HistogramName)
        }

        self._written = WrittenChanges(
            self._histograms["pairstream_change_to_visible_seconds"],
            self._histograms["pairstream_change_to_visible_part_seconds"],
            self._durations,
        )

    def outcome(self, stage: str, integration: str, mapping: str | None, outcome: str, number: int = 1) -> None:
        """`mapping` is None, and `integration` empty, where a record ended before they were known."""
        self._counters["pairstream_outcomes_total"].labels(stage, integration, mapping or "", outcome).inc(number)
        self._ends[stage, integration, outcome] += number
        kind = LINKS.get(outcome)
        if stage == "pairs" and mapping and kind is not None:
            self._links[integration, mapping][kind] += number

    def webhook(self, system: str, result: str, number: int = 1) -> None:
        """`result` is a `connectors.receiver.WebhookResult`."""
        self._counters["pairstream_webhooks_total"].labels(system, result).inc(number)
        if result != STORED:
            self._refused[f"{system}/{result}"] = time.time_ns() // 1_000_000

    def api_call(self, system: str, purpose: str, status: int | None, seconds: float) -> None:
        """One request; `status` is None where no answer came."""
        shown = "none" if status is None else str(status)
        self._counters["pairstream_api_calls_total"].labels(system, purpose, shown).inc()
        self._histograms["pairstream_api_call_seconds"].labels(system, purpose).observe(seconds)
        part = "read" if "write" not in purpose else "write"
        self._durations.took(part, system, purpose.startswith("bulk"), seconds)
        figures = self._calls[system, purpose]
        figures[0] += 1
        figures[1] += status == TOO_MANY_REQUESTS

    def api_limited(self, system: str, limit: str) -> None:
        """`limit` is `burst`, `search`, `daily` or `unknown`."""
        self._counters["pairstream_api_limited_total"].labels(system, limit).inc()
        self._limits[system] = (limit, time.time_ns() // 1_000_000)

    def api_remaining(self, system: str, integration: str, requests: int) -> None:
        """The requests that the newest rate header leaves."""
        self._gauges["pairstream_api_remaining_requests"].labels(system, integration).set(requests)
        self._remaining[system, integration] = requests

    def dead_letter(self, stage: str, reason: str) -> None:
        """`reason` is a stable code; vendors word some, so those beyond the first MOST_REASONS count as `other`."""
        if reason not in self._reasons:
            if len(self._reasons) >= MOST_REASONS:
                reason = OTHER
            self._reasons.add(reason)
        self._counters["pairstream_dead_letters_total"].labels(stage, reason).inc()

    def api_waited(self, system: str, purpose: str, seconds: float) -> None:
        """A request had its place in the vendor's limits after so long."""
        self._histograms["pairstream_api_budget_wait_seconds"].labels(system, purpose).observe(seconds)
        self._durations.took("budget", system, purpose.startswith("bulk"), seconds)
        self._waited_s[system, purpose] += seconds

    def change_visible(self, system: str, bulk: bool, parts: Parts, integration: str = "") -> None:
        """A value was written to the system so long after its first cause was received, by the parts of its way."""
        self._written.count(system, bulk, parts, integration)

    def webhook_accepted(self, integration: str, system: str, at_ms: int) -> None:
        """A webhook of the integration, received then, was stored."""
        name: GaugeName = "pairstream_last_webhook_accepted_timestamp_seconds"
        self._gauges[name].labels(integration, system).set(at_ms / 1000)
        self._stored += 1
        self._accepted[f"{integration}/{system}"] = at_ms

    def running(self, version: str) -> None:
        """This process runs that release."""
        self._gauges["pairstream_build_info"].labels(version).set(1)

    def replace(self, name: GaugeName, samples: Mapping[tuple[str, ...], float]) -> None:
        """Let a gauge have these samples, by the values of its labels, and no others."""
        self._gauges[name].clear()
        for labels, value in samples.items():
            self._gauges[name].labels(*labels).set(value)

    def records_lost(self, topic: str, offsets: int) -> None:
        """A gap between what was to be read next and what the brokers still hold."""
        self._counters["pairstream_records_lost_total"].labels(topic).inc(offsets)

    def notice(self, result: str) -> None:
        """One try to tell of a change of state ended as `told` or `failed`, or all of them as `given_up`."""
        self._counters["pairstream_notices_total"].labels(result).inc()

    def step(self, stage: str, seconds: float) -> None:
        """One step of an agent."""
        self._histograms["pairstream_step_seconds"].labels(stage).observe(seconds)

    def restored(self, stage: str, partition: int, seconds: float) -> None:
        """The state of a partition is complete."""
        self._gauges["pairstream_restore_seconds"].labels(stage, str(partition)).set(seconds)

    def bulk_outstanding(self, system: str, records: int) -> None:
        """The connector of `system` measured so many downstream."""
        self._gauges["pairstream_bulk_outstanding_records"].labels(system).set(records)

    def integration_status(self, integration: str, system: str, status: ConnectorStatus) -> None:
        """The status the integration's system has from now on."""
        for each in get_args(ConnectorStatus):
            child = self._gauges["pairstream_integration_status"].labels(integration, system, each)
            child.set(1 if each == status else 0)

    def codec(self, kind: CodecKind) -> None:
        """The kind of codec that this process uses."""
        self._gauges["pairstream_codec_compiled"].set(1 if kind == "compiled" else 0)

    def forget_integration(self, integration: str) -> None:
        """Drop the integration's gauges, which this process no longer updates."""
        for name in ("pairstream_integration_status", "pairstream_api_remaining_requests"):
            self._gauges[name].remove_by_labels({"integration": integration})
        for key in [key for key in self._remaining if key[1] == integration]:
            del self._remaining[key]

    def calls(self) -> tuple[ApiVitals, ...]:
        """Requests by system and purpose, for the vital signs."""
        waited = dict(self._waited_s)
        return tuple(
            ApiVitals(*key, sent, limited, round(waited.get(key, 0.0) * 1000))
            for key, (sent, limited) in sorted(dict(self._calls).items())
        )

    def mappings(self) -> tuple[MappingVitals, ...]:
        """How the records of each mapping's pairs ended, for the vital signs."""
        return tuple(
            MappingVitals(name, ends["linked"], ends["not_linked"], ends["several"], ends["refused"], integration)
            for (integration, name), ends in sorted(dict(self._links).items())
        )

    def outcomes(self) -> tuple[OutcomeVitals, ...]:
        """How records ended, for the vital signs."""
        return tuple(OutcomeVitals(*key, number) for key, number in sorted(self._ends.copy().items()))

    def durations(self) -> tuple[DurationVitals, ...]:
        """How long changes and requests took, for the vital signs."""
        return self._durations.vitals()

    def webhooks(self) -> tuple[int, int | None, dict[str, int], dict[str, int]]:
        """For the vital signs: webhooks stored, when the last was, each integration's last, and the last refused."""
        accepted = dict(self._accepted)
        return self._stored, max(accepted.values(), default=None), accepted, dict(self._refused)

    def limits(self) -> tuple[LimitVitals, ...]:
        """What limits the requests: what each integration's newest answer leaves, and the limit met last."""
        left = tuple(LimitVitals(name, system, left) for (system, name), left in sorted(dict(self._remaining).items()))
        met = sorted(dict(self._limits).items())
        return left + tuple(LimitVitals("", system, None, limit, at_ms) for system, (limit, at_ms) in met)

    def exposition(self) -> bytes:
        """Everything in Prometheus' text format, of the type CONTENT_TYPE."""
        if not self._installation:
            return generate_latest(self._registry)
        marked = CollectorRegistry()
        marked.register(_Marked(self._registry, {"installation": self._installation}))
        return generate_latest(marked)


class _Marked(Collector):
    """Another registry's families with constant labels on every sample."""

    def __init__(self, registry: CollectorRegistry, labels: Mapping[str, str]) -> None:
        self._registry = registry
        self._labels = labels

    def collect(self) -> Iterator[Metric]:
        for family in self._registry.collect():
            family.samples = [one._replace(labels={**self._labels, **one.labels}) for one in family.samples]
            yield family


def _names(kind: object) -> tuple[MetricName, ...]:
    return get_args(kind)


def _spread(name: MetricName) -> tuple[str, tuple[str, ...]]:
    described = METRICS[name]
    return described.sentence, described.labels
