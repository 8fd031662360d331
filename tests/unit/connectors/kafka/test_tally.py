"""A copy is told from what it was made of: by a record less, more or other, and by another order of one sequence."""

import random

import pytest

from connectors.kafka.tally import Tally

RECORDS = [(number % 3, number % 2, b"record %d" % number) for number in range(60)]
"""New partition, former partition, and what stands for the record's digest."""


def tallied(records: list[tuple[int, int, bytes]], strays: set[bytes] | None = None) -> Tally:
    tally = Tally(strays=strays or set())
    for partition, sequence, digest in records:
        tally.add(partition, sequence, digest)
    return tally


def test_sequences_may_be_mixed_among_each_other() -> None:
    chance = random.Random(1)
    sequences = {place: [one for one in RECORDS if one[:2] == place] for place in {one[:2] for one in RECORDS}}
    mixed = []
    while any(sequences.values()):
        mixed.append(chance.choice([left for left in sequences.values() if left]).pop(0))
    assert mixed != RECORDS
    assert tallied(mixed).same_as(tallied(RECORDS))
    assert tallied(mixed).records == len(RECORDS)


@pytest.mark.parametrize(
    "changed",
    [
        RECORDS[1:],
        [*RECORDS, RECORDS[0]],
        [*RECORDS[:-1], (*RECORDS[-1][:2], b"another")],
        [*RECORDS[:-1], (1, RECORDS[-1][1], RECORDS[-1][2])],
        [RECORDS[6], *RECORDS[1:6], RECORDS[0], *RECORDS[7:]],  # two of one sequence changed places
    ],
    ids=["one less", "one twice", "another one", "elsewhere", "another order"],
)
def test_anything_else_is_seen(changed: list[tuple[int, int, bytes]]) -> None:
    assert not tallied(changed).same_as(tallied(RECORDS))


def test_a_record_that_stood_where_its_key_does_not_place_it_is_counted_and_belongs_to_no_sequence() -> None:
    source = tallied(RECORDS[:30])
    source.add(0, 1, b"stray", stray=True)
    for one in RECORDS[30:]:
        source.add(*one)
    copy = [*RECORDS, (0, 1, b"stray")]
    assert tallied(copy, source.strays).same_as(source)
    assert not tallied(RECORDS, source.strays).same_as(source)
