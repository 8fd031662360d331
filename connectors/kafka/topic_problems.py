"""Where a topic on the brokers differs from what it is to be: pure, and told to people."""

from dataclasses import dataclass
from typing import Final

LIMIT: Final = "max.message.bytes"


@dataclass(frozen=True, slots=True)
class TopicProblem:
    """Where a topic, by its name on the brokers, differs from the table, and what to do about it."""

    topic: str
    message: str
    missing: bool = False
    setting: str = ""  # the setting that differs, where it is one

    @property
    def mendable(self) -> bool:
        """Whether `apply_topics` mends it; partition and replica counts of what is there it leaves as they are."""
        return self.missing or bool(self.setting)


def too_few(there: int, wanted: int) -> str:
    """What is told of a topic with so many replicas."""
    return (
        f"has {there} of the {wanted} replicas that a topic is to have: "
        "add some with Kafka's kafka-reassign-partitions, or name the number with --replication"
    )


def serves(setting: str, present: str | None, wanted: str) -> bool:
    """Whether a setting will do: a topic that takes larger messages than ours is an operator's own choice."""
    try:
        if setting == LIMIT:
            return float(present or "") >= float(wanted)
        return float(present or "") == float(wanted)
    except ValueError:
        return present == wanted
