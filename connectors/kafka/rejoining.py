"""Whether another consumer joins a group in place of one that is of no use any more, or the process ends."""

from typing import Final

from confluent_kafka import KafkaError, KafkaException

from connectors.kafka.lifeline import Stranded
from connectors.kafka.settings import SESSION_TIMEOUT_MS

FATAL: Final = frozenset({KafkaError._FATAL, KafkaError.FENCED_INSTANCE_ID, KafkaError._FENCED})
"""Errors after which a consumer takes nothing more; `fatal()` is False for them (confluent-kafka 2.16)."""
OPENED_S: Final = SESSION_TIMEOUT_MS / 1000
"""How long a consumer must have lived: processes of one name are to end, not to take each other's place for ever."""


def is_fatal(error: KafkaError) -> bool:
    return error.fatal() or error.code() in FATAL


def may_join_anew(error: Stranded | KafkaException, *, held: bool, slept: bool, opened_s: float) -> bool:
    """Whether a new consumer goes on where this one cannot, so that brokers that stood still cost no restart.

    Its session passed while nobody answered, and of its own requests to join again the brokers take each for another
    process of its name. One that is fenced though it held partitions, or whose process slept, has a rival, and ends.
    """
    alone = isinstance(error, Stranded) or (is_fatal(error.args[0]) and not held and not slept)
    return alone and opened_s >= OPENED_S
