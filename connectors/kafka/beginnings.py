"""Where a member begins to read the partitions that it is given.

librdkafka asks for committed offsets by itself, but once: where the coordinator is on its way back it takes "not
coordinator" for the answer, holds its partitions and reads nothing of them, and only a line of its log tells.
"""

import logging
import threading
import time
from collections.abc import Sequence
from typing import Any, Final

from confluent_kafka import OFFSET_BEGINNING, KafkaException, TopicPartition

from connectors.kafka.settings import TIMEOUT_S

log = logging.getLogger(__name__)

ASK_S: Final = 4.0
AGAIN_S: Final = 0.1


def beginnings(
    consumer: Any, places: Sequence[TopicPartition], stopped: threading.Event
) -> list[TopicPartition] | None:
    """The places with the group's offsets, or their beginnings; None where it does not tell within TIMEOUT_S.

    None of them once `stopped` is set. Blocks, from then on for ASK_S at most. `consumer` is untyped by confluent-kafka
    in a callback.
    """
    deadline = time.monotonic() + TIMEOUT_S
    while (left_s := deadline - time.monotonic()) > 0:
        if stopped.is_set():
            return []
        try:
            committed: list[TopicPartition] = consumer.committed(list(places), min(left_s, ASK_S))
            why = next((place.error for place in committed if place.error is not None), None)
        except KafkaException as error:
            why = error.args[0]
        if why is None:
            for place in committed:
                if place.offset < 0:  # nothing was committed
                    place.offset = OFFSET_BEGINNING
            return committed
        log.info("where the group was is asked again: %s", why.str())
        stopped.wait(AGAIN_S)
    log.warning("where the group was is not told: whether records were lost before they were read is not known")
    return None
