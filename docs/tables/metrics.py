"""The metrics: the table of `pipeline/observability/metrics.py`."""

from typing import get_args

from docs.tables.markdown import code, table
from pipeline.observability.metrics import METRICS, CounterName, GaugeName, MetricName


def page() -> str:
    """Name, kind, labels and meaning of every metric."""
    return table(
        ("Metric", "Kind", "Labels", "Meaning"),
        [(code(name), _kind(name), ", ".join(map(code, one.labels)), one.sentence) for name, one in METRICS.items()],
    )


def _kind(name: MetricName) -> str:
    if name in get_args(CounterName):
        return "counter"
    return "gauge" if name in get_args(GaugeName) else "histogram"
