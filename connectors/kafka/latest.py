"""Reads a compacted topic: the newest committed value of every key, as bytes."""

from collections.abc import Callable, Collection

from connectors.kafka.backwards import newest_values
from connectors.kafka.cluster import Cluster
from connectors.kafka.partitioner import partition_of
from connectors.kafka.reading import Reading

Progress = Callable[[str, int, int], None]
"""(topic, partitions read, partitions there are)"""


def latest_rows(cluster: Cluster, topic: str, partitions: int, prefix: str, progress: Progress) -> dict[str, bytes]:
    """Key -> newest value, of the keys with a prefix. Blocks. Raises BrokersUnreachable where reading stalls.

    Bytes take a fraction of what decoded rows take: decode one at a time.
    """
    newest: dict[str, bytes] = {}
    with Reading(cluster, {(topic, number): 0 for number in range(partitions)}) as reading:
        for row in reading.to_end(lambda: progress(topic, partitions - len(reading.left), partitions)):
            key = row.key.decode()
            if not key.startswith(prefix):
                continue
            if row.value is None:
                newest.pop(key, None)
            else:
                newest[key] = row.value
    progress(topic, partitions, partitions)
    return newest


def latest_row(cluster: Cluster, topic: str, partitions: int, key: str) -> bytes | None:
    """The newest value of one key. Blocks. Raises BrokersUnreachable where reading stalls."""
    return rows_of(cluster, topic, partitions, (key,)).get(key)


def rows_of(cluster: Cluster, topic: str, partitions: int, keys: Collection[str]) -> dict[str, bytes]:
    """Key -> newest value, of these keys; reads their partitions from the end. Blocks. Raises BrokersUnreachable."""
    by_partition: dict[int, set[str]] = {}
    for key in keys:
        by_partition.setdefault(partition_of(key, partitions), set()).add(key)
    newest: dict[str, bytes] = {}
    for partition, wanted in sorted(by_partition.items()):
        found = newest_values(cluster, topic, partition, wanted)
        newest |= {key: value for key, value in found.items() if value is not None}
    return newest
