"""Records through a real schema registry: other people's tools can read what we write, and we read it back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.schema_registry.schema_registry_client import Schema
from confluent_kafka.serialization import MessageField, SerializationContext

from schemas.codec import HEADER, Codec, MalformedRecord
from schemas.records import avro_name
from schemas.registry import COMPATIBILITY, LocalRegistry, RemoteRegistry, UnknownSchema
from schemas.topics import RECEIPTS, TOPICS
from tests.contract.sample_records import SAMPLES

BREAKING = '{"type": "record", "name": "Receipt", "namespace": "pairstream", "fields": [{"name": "x", "type": "long"}]}'


@contextmanager
def connected(url: str, physical: Callable[[str], str] = str) -> Iterator[RemoteRegistry]:
    """A registry whose connections end with the block; a process has one and keeps it."""
    remote = RemoteRegistry(url, physical)
    with remote._client:
        yield remote


@pytest.fixture(scope="module")
def registry(schema_registry_url: str) -> Iterator[RemoteRegistry]:
    with connected(schema_registry_url) as remote:
        for topic in TOPICS.values():
            remote.id_of(topic.name, avro_name(topic.record))
        yield remote


@pytest.fixture(scope="module")
def client(schema_registry_url: str) -> Iterator[SchemaRegistryClient]:
    with SchemaRegistryClient({"url": schema_registry_url}) as client:
        yield client


def test_every_topic_has_its_subject_and_is_fully_compatible(
    registry: RemoteRegistry, client: SchemaRegistryClient
) -> None:
    subjects = {f"{topic}-value" for topic in TOPICS}
    assert subjects <= set(client.get_subjects())
    assert {client.get_compatibility(subject) for subject in subjects} == {COMPATIBILITY}


def test_asking_whether_a_schema_is_there_registers_nothing(
    registry: RemoteRegistry, client: SchemaRegistryClient, schema_registry_url: str
) -> None:
    assert registry.has(RECEIPTS, "Receipt")
    with connected(schema_registry_url, lambda topic: f"elsewhere.{topic}") as elsewhere:
        assert not elsewhere.has(RECEIPTS, "Receipt")
    assert f"elsewhere.{RECEIPTS}-value" not in client.get_subjects()


def test_registering_again_gives_the_same_id(registry: RemoteRegistry, schema_registry_url: str) -> None:
    with connected(schema_registry_url) as again:
        assert again.id_of(RECEIPTS, "Receipt") == registry.id_of(RECEIPTS, "Receipt")


def test_the_registry_keeps_a_breaking_schema_out(registry: RemoteRegistry, client: SchemaRegistryClient) -> None:
    with pytest.raises(SchemaRegistryError):
        client.register_schema(f"{RECEIPTS}-value", Schema(BREAKING, "AVRO"))


@pytest.mark.parametrize("topic", sorted(TOPICS))
def test_a_record_comes_back(registry: RemoteRegistry, topic: str) -> None:
    sample = SAMPLES[avro_name(TOPICS[topic].record)]
    codec = Codec(registry)
    assert codec.decode(topic, codec.encode(topic, sample)) == sample


@pytest.mark.parametrize("topic", sorted(TOPICS))
def test_only_the_id_differs_from_the_bytes_written_without_a_registry(registry: RemoteRegistry, topic: str) -> None:
    sample = SAMPLES[avro_name(TOPICS[topic].record)]
    remote, local = (Codec(kind).encode(topic, sample) for kind in (registry, LocalRegistry()))
    assert remote[HEADER.size :] == local[HEADER.size :]
    assert HEADER.unpack_from(remote) == (0, registry.id_of(topic, avro_name(type(sample))))


@pytest.mark.parametrize("topic", sorted(TOPICS))
def test_confluents_own_deserializer_reads_it(
    registry: RemoteRegistry, client: SchemaRegistryClient, topic: str
) -> None:
    sample = SAMPLES[avro_name(TOPICS[topic].record)]
    read = AvroDeserializer(client)
    plain = read(Codec(registry).encode(topic, sample), SerializationContext(topic, MessageField.VALUE))
    assert isinstance(plain, dict)
    names = [name for name in plain if isinstance(plain[name], str | int | bytes)]
    assert {name: plain[name] for name in names} == {name: getattr(sample, name) for name in names}
    assert set(plain) == {field.name for field in fields(sample)}


def test_an_id_the_registry_does_not_know_stops_the_process(registry: RemoteRegistry) -> None:
    with pytest.raises(UnknownSchema, match="SCHEMA_REGISTRY_URL"):
        Codec(registry).decode(RECEIPTS, HEADER.pack(0, 999_999_999) + b"\x00")


def test_a_foreign_record_is_malformed(registry: RemoteRegistry, client: SchemaRegistryClient) -> None:
    foreign = client.register_schema("foreign-value", Schema(BREAKING.replace("Receipt", "Foreign"), "AVRO"))
    with pytest.raises(MalformedRecord, match="is Foreign"):
        Codec(registry).decode(RECEIPTS, HEADER.pack(0, foreign) + b"\x02")
