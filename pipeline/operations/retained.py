"""What is retained of one connection: its objects and pairs, for counts and lists."""

from collections.abc import Callable, Iterator

from connectors.kafka.cluster import Cluster
from connectors.kafka.latest import Progress, latest_rows
from schemas.codec import Codec
from schemas.records import ObjectMapping
from schemas.state import ObjectState, PairState
from schemas.topics import OBJECTS_STATE, PAIRS_STATE, object_key, pair_key
from schemas.values import System


class Retained:
    """The state rows of one connection, kept as bytes and decoded one at a time."""

    def __init__(
        self, cluster: Cluster, codec: Codec, partitions: int, progress: Progress, prefix: str, only: str = ""
    ) -> None:
        """`only`: the objects of that system alone, `userflow:`. Blocks. Raises BrokersUnreachable."""
        self._codec = codec
        self._objects = latest_rows(cluster, OBJECTS_STATE, partitions, prefix + only, progress)
        self._pairs = latest_rows(cluster, PAIRS_STATE, partitions, prefix, progress)

    def objects_of(self, mapping: ObjectMapping) -> Callable[[System], Iterator[tuple[str, ObjectState]]]:
        def rows(system: System) -> Iterator[tuple[str, ObjectState]]:
            object_type = mapping.hubspot_type if system == "hubspot" else mapping.userflow_type
            prefix = object_key(mapping.integration, mapping.connection, system, object_type, "")
            for key, value in self._objects.items():
                if key.startswith(prefix):
                    yield key.removeprefix(prefix), self._codec.decode(OBJECTS_STATE, value)

        return rows

    def pair_of(self, mapping: ObjectMapping) -> Callable[[str], PairState | None]:
        def row(match_value: str) -> PairState | None:
            key = pair_key(mapping.integration, mapping.connection, mapping.name, match_value)
            value = self._pairs.get(key)
            return None if value is None else self._codec.decode(PAIRS_STATE, value)

        return row
