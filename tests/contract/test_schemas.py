"""The contract: schemas and records are the same shape, old bytes still decode, and no bytes are guessed at."""

import collections.abc
import contextlib
import dataclasses
import io
import json
import re
import types
import typing
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import HEADER, Codec, MalformedRecord
from schemas.records import avro_name
from schemas.registry import LocalRegistry, UnknownSchema, packaged_history, record_schema
from schemas.topics import TOPICS
from schemas.values import FieldValue
from tests.contract.avro_samples import FOLDER, sample_path, schemas_without_sample, shown, topic_of
from tests.contract.sample_records import SAMPLES
from tests.examples import share
from tests.unit.schemas.strategies import records

RECORDS: dict[str, type[Any]] = {avro_name(topic.record): topic.record for topic in TOPICS.values()}
NAMES = sorted(RECORDS)
STORED = sorted(FOLDER.glob("*.bin"))
FIELD_VALUE = [
    "null",
    "string",
    "boolean",
    "long",
    "double",
    {"type": "int", "logicalType": "date"},
    "pairstream.Instant",
    {"type": "array", "items": "string"},
]
PLAIN = {str: "string", int: "long", bool: "boolean", bytes: "bytes"}
SENTENCE = re.compile(r"\S.*\S")


def avro_of(record: str) -> Path:
    return Path(str(files("schemas"))) / "avro" / f"{record}.avsc"


def check_record(schema: Any, record: type[Any], known: set[str]) -> None:
    """The schema of a record says what its dataclass says: names, order, types, defaults, and a sentence each."""
    if avro_name(record) in known:
        assert schema == f"pairstream.{avro_name(record)}"
        return
    known.add(avro_name(record))
    assert (schema["name"], schema["namespace"]) == (avro_name(record), "pairstream")
    assert SENTENCE.fullmatch(schema["doc"])
    fields, hints = dataclasses.fields(record), typing.get_type_hints(record)
    assert [field["name"] for field in schema["fields"]] == [field.name for field in fields]
    for written, field in zip(schema["fields"], fields, strict=True):
        assert SENTENCE.fullmatch(written["doc"]), f"{avro_name(record)}.{field.name} has no doc"
        assert written.get("default", "none") == default_of(field), f"{avro_name(record)}.{field.name}"
        check_type(written["type"], hints[field.name], known)


def default_of(field: "dataclasses.Field[Any]") -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    if field.default is dataclasses.MISSING:
        return "none"
    return list(field.default) if isinstance(field.default, tuple) else field.default


def check_field_value(schema: list[Any], known: set[str]) -> None:
    """Avro takes one branch of a type, and timestamp-millis is a long: so an instant is a record of its own."""
    kinds = [kind["name"] if isinstance(kind, dict) and "name" in kind else kind for kind in schema]
    assert kinds == [*FIELD_VALUE[:-2], "pairstream.Instant" if "Instant" in known else "Instant", FIELD_VALUE[-1]]
    known.add("Instant")


def check_type(schema: Any, hint: Any, known: set[str]) -> None:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint == FieldValue:
        check_field_value(schema, known)
    elif dataclasses.is_dataclass(hint):
        check_record(schema, typing.cast(type[Any], hint), known)
    elif origin is typing.Literal:
        assert schema == "string"
    elif origin is tuple:
        assert schema["type"] == "array"
        check_type(schema["items"], arguments[0], known)
    elif origin is collections.abc.Mapping:
        assert schema["type"] == "map"
        check_type(schema["values"], arguments[1], known)
    elif origin in (types.UnionType, typing.Union):
        assert schema[0] == "null"
        check_type(schema[1], next(inner for inner in arguments if inner is not type(None)), known)
    else:
        assert schema == PLAIN[hint]


@pytest.mark.parametrize("record", NAMES)
def test_the_schema_is_the_dataclass(record: str) -> None:
    check_record(json.loads(avro_of(record).read_text("utf-8")), RECORDS[record], set())


def unions(schema: Any) -> Iterator[list[Any]]:
    """Every union anywhere in a schema."""
    if isinstance(schema, list):
        yield schema
    inner = schema if isinstance(schema, list) else []
    if isinstance(schema, dict):
        inner = [schema.get("type"), schema.get("items"), schema.get("values")]
        inner += [field["type"] for field in schema.get("fields", ())]
    for part in inner:
        yield from unions(part)


def plain_type(kind: Any) -> str:
    """Records are told apart by their names, everything else by its type alone, whatever it means."""
    if isinstance(kind, dict):
        return str(kind["name"] if kind["type"] == "record" else kind["type"])
    return str(kind)


@pytest.mark.parametrize("record", NAMES)
def test_no_union_takes_a_type_twice(record: str) -> None:
    """fastavro lets it pass, every other reader and the registry refuse the whole schema."""
    for union in unions(json.loads(avro_of(record).read_text("utf-8"))):
        plain = [plain_type(kind) for kind in union]
        assert len(set(plain)) == len(plain)


def test_a_type_taken_twice_is_found() -> None:
    twice = ["null", "long", {"type": "long", "logicalType": "timestamp-millis"}]
    (found,) = unions({"type": "record", "name": "X", "fields": [{"name": "a", "type": twice}]})
    assert [plain_type(kind) for kind in found] == ["null", "long", "long"]


@pytest.mark.parametrize("record", NAMES)
def test_the_newest_in_the_history_is_the_schema_that_is_written(record: str) -> None:
    newest = max(schema_id for schema_id, (name, _) in packaged_history().items() if name == record)
    assert text_of(newest, record) == avro_of(record).read_text("utf-8")


def test_the_history_counts_without_a_gap_and_knows_every_record() -> None:
    assert sorted(packaged_history()) == list(range(1, len(packaged_history()) + 1))
    assert {record for record, _ in packaged_history().values()} == set(RECORDS)
    assert {path.stem for path in avro_of("x").parent.glob("*.avsc")} == set(RECORDS)


@pytest.mark.properties
@pytest.mark.parametrize("record", NAMES)
def test_every_record_round_trips(record: str) -> None:
    codec, topic = Codec(LocalRegistry()), topic_of(record)

    @settings(max_examples=share(0.3))
    @given(records(RECORDS[record]))
    def round_trip(value: Any) -> None:
        assert codec.decode(topic, codec.encode(topic, value)) == value

    round_trip()


class TestStoredSamples:
    def test_every_schema_ever_released_has_one(self) -> None:
        assert schemas_without_sample() == [], "run `python -m tests.contract.avro_samples` before the release"

    @pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
    def test_it_still_decodes_to_what_was_written(self, path: Path) -> None:
        record = path.stem.partition("-")[2]
        decoded = Codec(LocalRegistry()).decode(topic_of(record), path.read_bytes())
        assert shown(decoded) == path.with_suffix(".txt").read_text("utf-8")


HISTORY = packaged_history()
EACH_OTHER = [
    (written, read)
    for written, (record, _) in sorted(HISTORY.items())
    for read, (other, _) in sorted(HISTORY.items())
    if record == other and written != read
]


@pytest.mark.parametrize(("written", "read"), EACH_OTHER)
def test_every_schema_of_a_record_reads_the_bytes_of_every_other(written: int, read: int) -> None:
    """What a registry calls FULL_TRANSITIVE: old and new processes read each other's while a release rolls out."""
    record, schema = HISTORY[written]
    body = io.BytesIO(sample_path(written, record).read_bytes()[HEADER.size :])
    plain = fastavro.schemaless_reader(body, schema, HISTORY[read][1])
    assert isinstance(plain, dict)
    assert set(plain) == {field["name"] for field in json.loads(text_of(read, record))["fields"]}
    assert body.read() == b""


def text_of(schema_id: int, record: str) -> str:
    return (avro_of(record).parent / "history" / f"{schema_id:04d}-{record}.avsc").read_text("utf-8")


class TestBytesThatAreNoRecord:
    """A receipt, bent."""

    TOPIC = "sync.receipts"

    def good(self) -> bytes:
        return Codec(LocalRegistry()).encode(self.TOPIC, SAMPLES["Receipt"])

    def refused(self, data: bytes) -> str:
        with pytest.raises(MalformedRecord) as found:
            Codec(LocalRegistry()).decode(self.TOPIC, data)
        return str(found.value)

    def test_cut_at_every_length(self) -> None:
        good = self.good()
        for length in range(len(good)):
            assert self.refused(good[:length])

    def test_a_foreign_magic_byte(self) -> None:
        for magic in range(1, 256):
            assert "magic byte" in self.refused(bytes([magic]) + self.good()[1:])

    def test_bytes_behind_the_record(self) -> None:
        assert "bytes are left" in self.refused(self.good() + b"\x00")

    def test_the_record_of_another_topic(self) -> None:
        assert "not Receipt" in self.refused(Codec(LocalRegistry()).encode("sync.runs", SAMPLES["RunProgress"]))

    def test_an_id_that_was_never_given_out(self) -> None:
        assert "never" in self.refused(HEADER.pack(0, 0) + self.good()[5:])

    def test_the_message_holds_no_value(self) -> None:
        assert "Zo" not in self.refused(self.good() + b"\x00")

    @given(st.binary(max_size=60))
    def test_any_body_decodes_or_is_malformed(self, body: bytes) -> None:
        header = self.good()[: HEADER.size]
        with contextlib.suppress(MalformedRecord):
            decoded = Codec(LocalRegistry()).decode(self.TOPIC, header + body)
            assert isinstance(decoded, RECORDS["Receipt"])

    def test_a_newer_schema_stops_the_process_and_says_what_to_do(self) -> None:
        newer = max(packaged_history()) + 1
        with pytest.raises(UnknownSchema, match="upgrade"):
            Codec(LocalRegistry()).decode(self.TOPIC, HEADER.pack(0, newer) + self.good()[5:])


class TestEvolution:
    """Yesterday's schema lacked a field that has a default today."""

    def without(self, record: str, names: set[str]) -> Any:
        schema = json.loads(avro_of(record).read_text("utf-8"))
        schema["fields"] = [field for field in schema["fields"] if field["name"] not in names]
        return fastavro.parse_schema(schema)

    def test_bytes_written_before_a_field_was_added_decode_to_its_default(self) -> None:
        old = self.without("RunProgress", {"mappings", "cursor"})
        registry = LocalRegistry({1: ("RunProgress", old), 2: ("RunProgress", record_schema("RunProgress"))})
        today = Codec(registry)
        bytes_of_old = HEADER.pack(0, 1) + body_of(old, dataclasses.asdict(SAMPLES["RunProgress"]))
        expected = dataclasses.replace(SAMPLES["RunProgress"], mappings=(), cursor=None)
        assert today.decode("sync.runs", bytes_of_old) == expected
        assert HEADER.unpack_from(today.encode("sync.runs", expected))[1] == 2

    def test_bytes_written_before_a_nested_record_grew_decode_too(self) -> None:
        schema = json.loads(avro_of("ObjectState").read_text("utf-8"))
        stamped = next(field for field in schema["fields"] if field["name"] == "fields")["type"]["values"]
        stamped["fields"] = [field for field in stamped["fields"] if field["name"] != "ours"]
        old: Any = fastavro.parse_schema(schema)
        registry = LocalRegistry({1: ("ObjectState", old), 2: ("ObjectState", record_schema("ObjectState"))})
        plain = {
            **dataclasses.asdict(SAMPLES["ObjectState"]),
            "fields": {"a": {"value": 1, "at_ms": 2, "spread_ms": 3}},
            "held": [],
        }
        decoded = Codec(registry).decode("sync.objects-state", HEADER.pack(0, 1) + body_of(old, plain))
        assert decoded.fields["a"].ours is False


def body_of(schema: Any, plain: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, plain)
    return out.getvalue()
