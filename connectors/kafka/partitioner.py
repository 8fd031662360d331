"""Computes the partition of a key, as both of our clients do."""


def partition_of(key: str, partitions: int) -> int:
    """The partition number of a key; the same as librdkafka's `murmur2_random` and Faust's."""
    return placed(key.encode(), partitions)


def placed(key: bytes | None, partitions: int) -> int:
    """The same for a key's bytes, which may be no text; 0 for a record without a key, which none of ours is."""
    from aiokafka.partitioner import murmur2  # type: ignore[import-untyped] # takes 0.1 s, and most processes never ask

    return 0 if key is None else int((murmur2(key) & 0x7FFFFFFF) % partitions)
