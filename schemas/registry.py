"""Gives out schema ids: from the packaged history, equal on every machine, or from a Confluent-compatible registry."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Protocol

import fastavro

from schemas.records import avro_name
from schemas.topics import TOPICS

COMPATIBILITY = "FULL_TRANSITIVE"
NOT_FOUND = 404

AvroSchema = dict[str, Any]  # a parsed Avro schema: plain JSON


class UnknownSchema(RuntimeError):
    """A record was written with a schema that this build does not know: upgrade this worker, then start it again."""


@dataclass(frozen=True, slots=True)
class WrittenSchema:
    """The schema that some bytes were written with. `current`: this build writes the same one."""

    record: str
    schema: AvroSchema
    current: bool


class SchemaRegistry(Protocol):
    """Gives every record's schema an id, and every id its schema."""

    def id_of(self, topic: str, record: str) -> int: ...

    def has(self, topic: str, record: str) -> bool:
        """Whether there is an id already; asks only, registers nothing."""

    def older(self, record: str) -> AvroSchema | None:
        """The schema that `id_of` is of, where it is not this build's own but one that an earlier release reads."""

    def schema(self, topic: str, schema_id: int) -> WrittenSchema | None:
        """None: the id was never given out. Raises UnknownSchema for an id that a newer build may know."""


@cache
def record_schema(record: str) -> AvroSchema:
    """The parsed schema that this build writes for a record."""
    return _parse(_avro_text(f"{record}.avsc"))


@cache
def packaged_history() -> dict[int, tuple[str, AvroSchema]]:
    """Every schema ever released, by id: `schemas/avro/history/<id>-<record>.avsc`, never edited, only added to."""
    history = {}
    for path in (files("schemas") / "avro" / "history").iterdir():
        number, _, record = path.name.removesuffix(".avsc").partition("-")
        history[int(number)] = (record, _parse(path.read_text("utf-8")))
    return history


def _avro_text(name: str) -> str:
    return (files("schemas") / "avro" / name).read_text("utf-8")


def _parse(text: str) -> AvroSchema:
    parsed = fastavro.parse_schema(json.loads(text))
    assert isinstance(parsed, dict)
    return parsed


class LocalRegistry:
    """Ids from the packaged history: no service, the same ids on every machine."""

    def __init__(
        self, history: dict[int, tuple[str, AvroSchema]] | None = None, *, written_up_to: int | None = None
    ) -> None:
        """`written_up_to` is the newest id that an earlier release reads: records are written as it writes them."""
        self._history = packaged_history() if history is None else history
        self._newest = {record: schema_id for schema_id, (record, _) in sorted(self._history.items())}
        known = {schema_id for schema_id in self._history if written_up_to is None or schema_id <= written_up_to}
        written = {record: schema_id for schema_id, (record, _) in sorted(self._history.items()) if schema_id in known}
        self._written = {**self._newest, **written}  # a record that is new since then has no older reader

    def id_of(self, topic: str, record: str) -> int:
        return self._written[record]

    def older(self, record: str) -> AvroSchema | None:
        schema_id = self._written[record]
        return None if schema_id == self._newest[record] else self._history[schema_id][1]

    def has(self, topic: str, record: str) -> bool:
        return record in self._newest

    def schema(self, topic: str, schema_id: int) -> WrittenSchema | None:
        if schema_id > max(self._history):
            raise UnknownSchema(
                f"{topic} holds a record of schema {schema_id}, newer than this build's {max(self._history)}: "
                "upgrade this process, then start it again; nothing was acknowledged"
            )
        if schema_id not in self._history:
            return None
        record, schema = self._history[schema_id]
        return WrittenSchema(record, schema, self._newest[record] == schema_id)


class RemoteRegistry:
    """Ids from a Confluent-compatible schema registry; subject `<topic>-value`, compatibility FULL_TRANSITIVE.

    `physical` turns a topic's name into the one it has on the brokers, as other people's tools see it.
    """

    def __init__(self, url: str, physical: Callable[[str], str] = str, *, proxy_url: str | None = None) -> None:
        """`proxy_url` is the only proxy there is, whatever the environment says."""
        # its imports are a fifth of a process's start: only who has a registry pays for them
        from confluent_kafka.schema_registry import SchemaRegistryClient

        with _no_proxies():
            self._client = SchemaRegistryClient({"url": url} | ({"proxy": proxy_url} if proxy_url else {}))
        self._physical = physical
        self._ids: dict[str, int] = {}
        self._written: dict[int, WrittenSchema] = {}

    def id_of(self, topic: str, record: str) -> int:
        from confluent_kafka.schema_registry import Schema

        if topic not in self._ids:
            subject = f"{self._physical(topic)}-value"
            self._client.set_compatibility(subject, COMPATIBILITY)
            self._ids[topic] = self._client.register_schema(subject, Schema(_avro_text(f"{record}.avsc"), "AVRO"))
        return self._ids[topic]

    def has(self, topic: str, record: str) -> bool:
        from confluent_kafka.schema_registry import Schema
        from confluent_kafka.schema_registry.error import SchemaRegistryError

        try:
            self._client.lookup_schema(
                f"{self._physical(topic)}-value", Schema(_avro_text(f"{record}.avsc"), "AVRO"), normalize_schemas=False
            )
        except SchemaRegistryError as error:
            if error.http_status_code == NOT_FOUND:
                return False
            raise
        return True

    def older(self, record: str) -> AvroSchema | None:
        return None  # every release reads what the registry knows

    def schema(self, topic: str, schema_id: int) -> WrittenSchema:
        if schema_id not in self._written:
            self._written[schema_id] = self._fetch(topic, schema_id)
        return self._written[schema_id]

    def _fetch(self, topic: str, schema_id: int) -> WrittenSchema:
        from confluent_kafka.schema_registry.error import SchemaRegistryError

        try:
            text = self._client.get_schema(schema_id).schema_str
        except SchemaRegistryError as error:
            if error.http_status_code != NOT_FOUND:
                raise  # the registry is in trouble: whether it knows the schema is not known
            raise UnknownSchema(
                f"{topic} holds a record of schema {schema_id}, which the registry does not give ({error.error_code}): "
                "check SCHEMA_REGISTRY_URL, or start this process without it if the topic was written without one"
            ) from error
        parsed = _parse(text or "")
        name = str(parsed["name"]).removeprefix("pairstream.")
        known = name in {avro_name(topic.record) for topic in TOPICS.values()}
        return WrittenSchema(name, parsed, known and _canonical(parsed) == _canonical(record_schema(name)))


@contextmanager
def _no_proxies() -> Iterator[None]:
    """The registry's client has no setting by which it leaves HTTP_PROXY alone; the environment is read here only."""
    before = {name: os.environ.get(name) for name in ("NO_PROXY", "no_proxy")}
    os.environ.update(dict.fromkeys(before, "*"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _canonical(schema: AvroSchema) -> str:
    return fastavro.schema.to_parsing_canonical_form(schema)
