"""The writers of the agents' metrics, as a step needs them; `pipeline/observability/metrics.py` has them."""

from typing import Protocol

from pipeline.core.outcome import Outcome


class StepMetrics(Protocol):
    """Called after a step's commit."""

    def outcome(self, stage: str, integration: str, mapping: str | None, outcome: Outcome, number: int) -> None:
        """So many records ended so; `integration` is empty where it was not known."""

    def dead_letter(self, stage: str, reason: str) -> None:
        """A dead letter was committed."""

    def step(self, stage: str, seconds: float) -> None:
        """A step was committed, after so long."""

    def restored(self, stage: str, partition: int, seconds: float) -> None:
        """The state of a partition is complete, after so long."""
