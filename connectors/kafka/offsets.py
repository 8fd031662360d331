"""Tracks which offset may be committed while records end out of order: that of the first unfinished one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from schemas.topics import TopicAndPartition

MOST_MARKERS: Final = 50
"""Offsets that transaction markers may fill between two records; a larger jump is taken for a loss until it is not."""


@dataclass(slots=True)
class _Partition:
    unfinished: dict[int, None] = field(default_factory=dict)  # in order of arrival, which is offset order
    next_offset: int | None = None


class OffsetTracker:
    """The unfinished offsets of each partition."""

    def __init__(self) -> None:
        self._partitions: dict[TopicAndPartition, _Partition] = {}
        self._committed: dict[TopicAndPartition, int] = {}
        self._suspects: dict[TopicAndPartition, int] = {}
        self._uncertain: set[TopicAndPartition] = set()  # a loss may be there that nobody was told of

    def begins(self, place: TopicAndPartition, offset: int) -> None:
        """A partition was given to us, to be read on from the offset that was committed; 0 where none was."""
        self._suspects[place] = offset
        self._uncertain.add(place)

    def certain(self, place: TopicAndPartition) -> None:
        """No record is missing that was not told of: the partition's offsets may be committed again."""
        if place not in self._suspects:
            self._uncertain.discard(place)

    def suspects(self) -> dict[TopicAndPartition, int]:
        """Offsets behind which records may be missing, each told once: where reading began, and where it jumped.

        One transaction marker may stand between two records; a larger jump is several of them, or a loss.
        """
        found, self._suspects = self._suspects, {}
        return found

    def taken(self, place: TopicAndPartition, offset: int) -> None:
        """A record came; offsets of one partition come in order."""
        partition = self._partitions.setdefault(place, _Partition())
        jump = 0 if partition.next_offset is None else offset - partition.next_offset
        if partition.next_offset is not None and jump > 1:
            self._suspects.setdefault(place, partition.next_offset)
        if jump > MOST_MARKERS:
            self._uncertain.add(place)
        partition.unfinished[offset] = None
        partition.next_offset = offset + 1

    def finished(self, place: TopicAndPartition, offset: int) -> None:
        """A record has an outcome; records of partitions that were given back are ignored."""
        partition = self._partitions.get(place)
        if partition is not None:
            partition.unfinished.pop(offset, None)

    def to_commit(self) -> dict[TopicAndPartition, int]:
        """The offsets to commit that were not committed yet.

        None of a partition whose loss is not told: after a restart the committed offset is all that shows the loss.
        """
        sure = ((place, one) for place, one in self._partitions.items() if place not in self._uncertain)
        found = {place: self._position(partition) for place, partition in sure}
        return {place: offset for place, offset in found.items() if offset > self._committed.get(place, -1)}

    def committed(self, offsets: Mapping[TopicAndPartition, int]) -> None:
        self._committed.update(offsets)

    def doubted(self, places: Iterable[TopicAndPartition]) -> None:
        """What the brokers hold of these partitions is not known: their offsets are to be committed again."""
        for place in places:
            self._committed.pop(place, None)

    def forget(self, places: set[TopicAndPartition]) -> None:
        """These partitions belong to another member now."""
        for place in places:
            self._partitions.pop(place, None)
            self._committed.pop(place, None)
            self._suspects.pop(place, None)
        self._uncertain -= places

    def crowded(self, most: int) -> set[TopicAndPartition]:
        """The partitions of which more records than that are unfinished."""
        return {place for place, partition in self._partitions.items() if len(partition.unfinished) > most}

    @property
    def unfinished(self) -> int:
        return sum(len(partition.unfinished) for partition in self._partitions.values())

    def _position(self, partition: _Partition) -> int:
        return next(iter(partition.unfinished), partition.next_offset or 0)
