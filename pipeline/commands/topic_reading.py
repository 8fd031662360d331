"""What `pairstream topics read` does: records of a topic as JSON, a line each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import click

from connectors.kafka.partitioner import partition_of
from connectors.kafka.reading import Found, Reading, read_to_end
from pipeline.commands.output import say_object
from pipeline.commands.session import open_process, plain_errors
from pipeline.operations import OperationRefused
from pipeline.operations.positions import Position, offsets
from pipeline.operations.shown_record import HIDDEN, shown
from pipeline.process import Process, now_ms
from schemas.codec import Codec, MalformedRecord
from schemas.copies import COPIED, each
from schemas.redrives import CONNECT, STREAMS
from schemas.registry import UnknownSchema
from schemas.topics import TOPICS, TopicAndPartition

LOOK_S: Final = 0.5
TELLING: Final = (COPIED, "pairstream.", CONNECT, STREAMS)
"""How the headers begin whose values hold nothing of anybody's."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be read."""

    topic: str
    key: str | None
    begin: Position | None
    end: Position | None
    partitions: tuple[int, ...]
    follow: bool
    most: int | None
    values: bool


def read_topic(asked: Asked, shape: str) -> None:
    """Print the records, in the order in which they come; of one partition that is theirs."""
    with plain_errors():
        process = open_process()
        topic = _topic(process, asked.topic)
        lines = (told(found, process.codec, values=asked.values) for found in _found(process, topic, asked))
        wanted = islice(lines, asked.most)
        if shape == "json":
            told_all = {"at_ms": now_ms(), "topic": topic, "records": list(wanted)}
            say_object(told_all)
            return
        any_there = False
        for line in wanted:
            any_there = True
            say_object(line)
        if not any_there:
            click.echo(f"no such record on {topic}", err=True)


def told(found: Found, codec: Codec, *, values: bool) -> Mapping[str, Any]:
    """One record as an object, with its place; what is wrong with its bytes where they cannot be read."""
    return {
        "topic": found.topic,
        "partition": found.partition,
        "offset": found.offset,
        "at_ms": found.at_ms,
        "key": found.key.decode(errors="backslashreplace"),
        "headers": {name: _header(name, value) for name, value in each(found.headers)},
        "value": _value(found, codec, values=values),
    }


def _value(found: Found, codec: Codec, *, values: bool) -> Any:
    if found.value is None:
        return None
    try:
        return shown(codec.decode(found.topic, found.value), codec, values=values)
    except (MalformedRecord, UnknownSchema) as error:
        return {"bytes": len(found.value), "unreadable": str(error)}


def _header(name: str, value: str | bytes | None) -> str | None:
    if value is None or not name.startswith(TELLING):
        return None if value is None else HIDDEN
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else value


def _topic(process: Process, name: str) -> str:
    """The topic by its name here or on the brokers. Raises OperationRefused."""
    logical = name if name in TOPICS else process.cluster.logical(name)
    if logical not in TOPICS:
        raise OperationRefused(f"no topic {name}; there are: {', '.join(sorted(TOPICS))}")
    return logical


def _found(process: Process, topic: str, asked: Asked) -> Iterator[Found]:
    begins, ends = _places(process, topic, asked)
    found = _following(process, begins, ends) if asked.follow else read_to_end(process.cluster, begins, ends)
    key = None if asked.key is None else asked.key.encode()
    return (one for one in found if key in (None, one.key))


def _following(
    process: Process, begins: Mapping[TopicAndPartition, int], ends: Mapping[TopicAndPartition, int]
) -> Iterator[Found]:
    with Reading(process.cluster, begins, ends, follows=True) as reading:
        while True:
            yield from reading.take(LOOK_S)


def _places(
    process: Process, topic: str, asked: Asked
) -> tuple[dict[TopicAndPartition, int], dict[TopicAndPartition, int]]:
    """Where reading begins and ends in each partition that may hold what is asked for."""
    admin = process.admin()
    count = admin.partitions().get(topic)
    if count is None:
        raise OperationRefused(f"{process.cluster.physical(topic)} does not exist: run `pairstream topics apply`")
    numbers = asked.partitions or ((partition_of(asked.key, count),) if asked.key is not None else tuple(range(count)))
    beyond = [number for number in numbers if number >= count]
    if beyond:
        raise OperationRefused(f"{topic} has the partitions 0 to {count - 1}")
    wanted = {(topic, number) for number in numbers}
    begin = asked.begin or Position(end=asked.follow)
    begins = {place: at for place, at in offsets(begin, [topic], admin).items() if place in wanted}
    ends = {} if asked.end is None else offsets(asked.end, [topic], admin)
    return begins, {place: at for place, at in ends.items() if place in wanted}
