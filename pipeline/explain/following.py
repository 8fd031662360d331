"""Follows what concerns an object from now on, record by record, until somebody stops it."""

from collections.abc import Iterator, Sequence
from typing import Final

from pipeline.explain.answer import Explanation, Happening
from pipeline.explain.by_key import coming
from pipeline.explain.history import happenings
from pipeline.explain.reading import decoded
from pipeline.explain.retained import Retained
from pipeline.explain.sources import Sources
from schemas.topics import RECEIPTS, changes_topic, object_key, pair_key

LOOK_S: Final = 0.2


def follow(sources: Sources, told: Sequence[Explanation]) -> Iterator[Happening]:
    """Each record about these objects, their partners and pairs, as it comes; blocks."""
    with coming(sources, {place for one in told for place in _keys(one)}) as take:
        while True:
            for found in take(LOOK_S):
                record = decoded(sources.codec, found.topic, found.value)
                if record is not None:
                    place = (found.topic, found.partition, found.offset)
                    yield from happenings([Retained(place, found.at_ms, record)], complete=False)


def _keys(told: Explanation) -> Iterator[tuple[str, str]]:
    if told.named is not None:
        yield changes_topic(told.named.system), told.key
    for pair in told.pairs:
        if pair.match_value is not None:
            yield RECEIPTS, pair_key(told.integration, told.connection, pair.mapping, pair.match_value)
        for system, ids in pair.objects.items():
            for object_id in ids:
                object_type = pair.object_types[system]
                yield (
                    changes_topic(system),
                    object_key(told.integration, told.connection, system, object_type, object_id),
                )
