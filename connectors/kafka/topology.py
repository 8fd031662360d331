"""What a connector is to Kafka: a consumer group of its own, and the topics it takes together."""

from schemas.topics import HUBSPOT_TIMELINE_EVENTS, field_patches_topic, requests_topic
from schemas.values import System


def connector_group(system: str) -> str:
    """The consumer group of a system's connector."""
    return f"pairstream-{system}"


def connector_topics(system: System) -> tuple[str, ...]:
    """The topics a connector takes, all keyed by integration and equally partitioned."""
    common = (f"{system}.notifications", requests_topic(system), field_patches_topic(system))
    return (*common, HUBSPOT_TIMELINE_EVENTS) if system == "hubspot" else common
