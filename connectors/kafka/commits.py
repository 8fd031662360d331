"""Offsets on their way to the brokers: one commit under way at a time, whose answer may be late or never come."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from connectors.kafka.offsets import OffsetTracker
from schemas.topics import TopicAndPartition

ANSWERED_WITHIN_S: Final = 5.0
"""After which a commit is made again: an answer that was lost must not be the end of commits."""


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit; its number tells its answer from those of others."""

    number: int
    offsets: Mapping[TopicAndPartition, int]
    made_at: float  # by a monotonic clock


class Commits:
    """What to commit next of a tracker's offsets, and what the brokers are known to have.

    An answer counts for the commit under way only, and for those of its partitions that were held ever since. Any other
    says merely that the brokers hold what was committed once: the offset is committed again.
    """

    def __init__(self, tracker: OffsetTracker) -> None:
        self._tracker = tracker
        self._number = 0
        self._under_way: Commit | None = None
        self._counts: set[TopicAndPartition] = set()  # the partitions for which its answer counts

    def next(self, now: float) -> Commit | None:
        """The commit to make now; None where nothing is to be committed, or an answer is awaited."""
        if self._under_way is not None and now - self._under_way.made_at < ANSWERED_WITHIN_S:
            return None
        self._under_way = None
        offsets = self._tracker.to_commit()
        if not offsets:
            return None
        self._number += 1
        self._counts = set(offsets)
        self._under_way = Commit(self._number, offsets, now)
        return self._under_way

    def answered(self, number: int, taken: Mapping[TopicAndPartition, int]) -> None:
        """The brokers answered the commit of that number, and took these offsets of it, or none."""
        under_way = self._under_way
        if under_way is None or under_way.number != number:
            self._tracker.doubted(taken)
            return
        self._under_way = None
        self._tracker.committed({place: offset for place, offset in taken.items() if place in self._counts})

    def forget(self, places: Collection[TopicAndPartition]) -> None:
        """These partitions were given away: what is under way says nothing about them, come they back or not."""
        self._counts.difference_update(places)
