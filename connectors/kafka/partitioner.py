"""Computes the partition of a key, as both of our clients do."""


def partition_of(key: str, partitions: int) -> int:
    """The partition number of a key; the same as librdkafka's `murmur2_random` and Faust's."""
    from aiokafka.partitioner import murmur2  # type: ignore[import-untyped] # takes 0.1 s, and most processes never ask

    return int((murmur2(key.encode()) & 0x7FFFFFFF) % partitions)
