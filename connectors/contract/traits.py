"""A system's traits, known before any of its accounts is opened: the differences that the general modules ask for."""

from dataclasses import dataclass

from schemas.values import System


@dataclass(frozen=True, slots=True)
class SystemTraits:
    """One system's traits; they stand beside its `open_account` and are found through `connectors/registry.py`."""

    system: System
    webhook_path: str  # below /webhooks/; `{integration}` where each integration has an address of its own
    timeline_topic: str | None = None  # events for its timelines; None: it has no timelines
    activity_topic: str | None = None  # what its users do; None: it reports no activity
    creates_fields: bool = False  # provisioning makes missing fields and event types in it

    def webhook_path_of(self, integration: str) -> str:
        """The path at which the receiver takes that integration's webhooks."""
        return f"webhooks/{self.webhook_path.format(integration=integration)}"
