"""Takes what has come: only the first message is waited for."""

from confluent_kafka import Consumer, Message


def arrived(consumer: Consumer, most: int, within_s: float) -> tuple[Message, ...]:
    """What is there, at most so many, once there is something; nothing where nothing comes in time. Blocks.

    `consume` alone waits for as many as it is asked for, or to the end of its time, though the end of the partition
    was told at once: each partition that a worker restored took 0.2 s more.
    """
    first = consumer.poll(within_s)
    return () if first is None else (first, *consumer.consume(most - 1, 0))
