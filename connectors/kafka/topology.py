"""A connector's consumer group, and the topics it takes together."""

from collections.abc import Mapping
from typing import Final

from schemas.topics import (
    HUBSPOT_CHANGES,
    MATCHES,
    RECEIPTS,
    STATE_COMMANDS,
    USERFLOW_ACTIVITY,
    USERFLOW_CHANGES,
    WORKER_GROUP,
    field_patches_topic,
    notifications_topic,
    requests_topic,
)
from schemas.values import SYSTEMS, System

STAGE_TOPICS: Final[Mapping[str, tuple[str, ...]]] = {
    "objects": (HUBSPOT_CHANGES, USERFLOW_CHANGES, USERFLOW_ACTIVITY, STATE_COMMANDS),
    "pairs": (MATCHES, RECEIPTS, STATE_COMMANDS),
}
"""What each stage of the worker takes."""
SCHEDULER_GROUP: Final = "pairstream-scheduler"


def connector_group(system: str) -> str:
    """The consumer group of a system's connector."""
    return f"pairstream-{system}"


def handled_group(stage: str) -> str:
    """The group for which a stage's steps commit how far they have handled their topics (decision 0010)."""
    return f"pairstream-{stage}-handled"


def transactional_ids(stage: str) -> str:
    """How the transactional ids of a stage begin; the partition's number follows."""
    return f"pairstream-{stage}-"


def connector_topics(system: System, timeline_topic: str | None) -> tuple[str, ...]:
    """The topics a connector takes, all keyed by integration and equally partitioned."""
    common = (notifications_topic(system), requests_topic(system), field_patches_topic(system))
    return common if timeline_topic is None else (*common, timeline_topic)


def groups_of(topic: str) -> tuple[str, ...]:
    """The groups that handle a topic's records; none for one that is only looked at."""
    if topic in (HUBSPOT_CHANGES, USERFLOW_CHANGES, USERFLOW_ACTIVITY, MATCHES, RECEIPTS, STATE_COMMANDS):
        return (WORKER_GROUP,)
    system, _, _ = topic.partition(".")
    return (connector_group(system),) if system in SYSTEMS else ()
