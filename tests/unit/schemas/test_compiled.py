"""The compiled codec writes fastavro's bytes, reads what fastavro reads, and refuses everything else unharmed."""

import datetime as dt
import random
import resource
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings

from schemas import reference
from schemas.codec import CODEC, HEADER, Codec, MalformedRecord
from schemas.records import Receipt, avro_name
from schemas.registry import LocalRegistry, packaged_history, record_schema
from schemas.topics import RECEIPTS, TOPICS
from tests.contract.avro_samples import topic_of
from tests.examples import share
from tests.unit.schemas.hostile import bent, number, samples
from tests.unit.schemas.strategies import records

pytestmark = pytest.mark.skipif(CODEC != "compiled", reason="nothing was compiled: README.md names what to install")

RECORDS: dict[str, type[Any]] = {avro_name(topic.record): topic.record for topic in TOPICS.values()}
ONE_MEGABYTE = 1_000_000
KILOBYTES_IN_A_MEGABYTE = 1_024
TRIES = 300
MANY_TRIES = 30_000


def by_reference(data: bytes, record: type[Any]) -> Any:
    schema = record_schema(avro_name(record))
    return reference.decode(record, data, HEADER.size, schema, current=True)


@pytest.mark.properties
@pytest.mark.parametrize("name", sorted(RECORDS))
def test_its_bytes_are_those_of_the_reference_and_come_back(name: str) -> None:
    codec, topic = Codec(LocalRegistry()), topic_of(name)

    @settings(max_examples=share(0.6))
    @given(records(RECORDS[name]))
    def same(record: Any) -> None:
        data = codec.encode(topic, record)
        assert data == reference.encode(data[: HEADER.size], record)
        assert repr(codec.decode(topic, data)) == repr(by_reference(data, RECORDS[name])) == repr(record)

    same()


@pytest.mark.parametrize(("schema_id", "name"), [(number, name) for number, (name, _) in packaged_history().items()])
def test_an_older_schema_is_written_as_the_reference_writes_it(schema_id: int, name: str) -> None:
    codec, topic = Codec(LocalRegistry(written_up_to=schema_id)), topic_of(name)

    @settings(max_examples=share(0.1))
    @given(records(RECORDS[name]))
    def same(record: Any) -> None:
        data = codec.encode(topic, record)
        assert HEADER.unpack_from(data)[1] == schema_id
        assert data == reference.encode(data[: HEADER.size], record, packaged_history()[schema_id][1])

    same()


def bend(name: str, record: Any, tries: int, seed: int) -> int:
    """Decodes bent bytes; what is accepted must be what fastavro makes of it. Returns how many were refused."""
    codec, topic, chance, refused = Codec(LocalRegistry()), topic_of(name), random.Random(seed), 0
    good = codec.encode(topic, record)
    for _ in range(tries):
        data = bent(good, HEADER.size, chance)
        try:
            found = codec.decode(topic, data)
        except MalformedRecord:
            refused += 1
        else:
            assert repr(found) == repr(by_reference(data, RECORDS[name])), data.hex()
    return refused


@pytest.mark.parametrize(("name", "record"), samples(), ids=[name for name, _ in samples()])
def test_bent_bytes_are_malformed_or_what_fastavro_reads(name: str, record: Any) -> None:
    assert bend(name, record, TRIES, seed=11) > TRIES // 10


@pytest.mark.long
@pytest.mark.parametrize(("name", "record"), samples(), ids=[name for name, _ in samples()])
def test_many_bent_bytes_harm_nothing(name: str, record: Any) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert bend(name, record, MANY_TRIES, seed=12) > MANY_TRIES // 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * KILOBYTES_IN_A_MEGABYTE


def receipt(fields: bytes, kind: bytes = b"\x0erefused") -> bytes:
    """A receipt whose map of fields is these bytes."""
    head = b"".join(number(len(text)) + text for text in (b"acme",)) + number(1) + number(1)
    head += b"".join(number(len(text)) + text for text in (b"people", b"ada", b"hubspot", b"contacts", b"101"))
    good = Codec(LocalRegistry()).encode(RECEIPTS, Receipt("a", 1, 1, "p", "m", "hubspot", "c", "1", "refused", {}))
    return good[: HEADER.size] + head + kind + fields + bytes(4)


def value(body: bytes) -> bytes:
    """A map of one field of that value."""
    return number(1) + b"\x02x" + body + b"\x00"


HOSTILE = {
    "a map of 2^62 items": number(2**62),
    "a map of -2^63 items": number(-(2**63)) + number(1),
    "a map of a thousand items in a few bytes": number(1000) + b"\x00" * 20,
    "a text of 2^62 bytes": number(1) + number(2**62) + b"x",
    "a text of -1 bytes": number(1) + number(-1) + b"x",
    "an unknown branch": value(number(8)),
    "a negative branch": value(number(-1)),
    "a branch of 2^40": value(number(2**40)),
    "a list of 2^62 items": value(number(7) + number(2**62)),
    "a list whose blocks never end": value(number(7) + (number(1) + b"\x02a") * 50),
    "a text that is no UTF-8": value(number(1) + b"\x04\xc3\x28"),
    "half of a surrogate pair": value(number(1) + b"\x06\xed\xa0\x80"),
    "a day beyond the calendar": value(number(5) + number(2**40)),
    "an instant beyond the calendar": value(number(6) + number(2**62)),
    "a number of eleven bytes": value(number(3) + b"\xff" * 10 + b"\x01"),
    "a number of 65 bits": value(number(3) + b"\xff" * 9 + b"\x03"),
    "a number without an end": value(number(3) + b"\x80" * 30),
}


@pytest.mark.parametrize("fields", HOSTILE.values(), ids=list(HOSTILE))
def test_hostile_bytes_are_malformed_and_take_no_memory(fields: bytes) -> None:
    codec, data = Codec(LocalRegistry()), receipt(fields)
    assert codec.decode(RECEIPTS, receipt(value(number(0)))).fields == {"x": None}, "but for the fields it is a receipt"
    tracemalloc.start()
    try:
        with pytest.raises(MalformedRecord):
            codec.decode(RECEIPTS, data)
        assert tracemalloc.get_traced_memory()[1] < ONE_MEGABYTE
    finally:
        tracemalloc.stop()


def test_blocks_and_their_sizes_are_read_as_other_writers_write_them() -> None:
    """Avro lets a map come in several blocks, each with a negative count and then its size in bytes."""
    block = number(-1) + number(4) + b"\x02x" + number(3) + number(5)
    data = receipt(block + number(1) + b"\x02y" + number(0) + b"\x00")
    assert Codec(LocalRegistry()).decode(RECEIPTS, data).fields == {"x": 5, "y": None}
    assert by_reference(data, Receipt).fields == {"x": 5, "y": None}


BEYOND = [
    2**63,
    -(2**63) - 1,
    2**80,
    dt.datetime(2024, 1, 1, 12, 30, 0, 1999, tzinfo=dt.timezone(dt.timedelta(0, 3600))),
]


@pytest.mark.parametrize("kept", BEYOND, ids=repr)
def test_what_no_long_holds_and_other_zones_are_written_as_the_reference_does(kept: Any) -> None:
    record = Receipt("acme", 1, 1, "people", "ada", "hubspot", "contacts", "101", "refused", {"field": kept})
    data = Codec(LocalRegistry()).encode(RECEIPTS, record)
    assert data == reference.encode(data[: HEADER.size], record)
