"""Records to bytes and back, in Confluent's wire format: magic byte 0, a 4-byte schema id, the Avro body."""

import struct
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Literal

from schemas import reference
from schemas.misfit import misfit
from schemas.records import avro_name
from schemas.registry import SchemaRegistry
from schemas.topics import MAX_RECORD_BYTES, TOPICS

CodecKind = Literal["compiled", "python"]

try:
    from schemas import compiled
except ImportError:  # no compiler was there when it was installed: README.md names what to install
    CODEC: CodecKind = "python"
else:
    from schemas.plan import older_plan_of, plan_of

    CODEC = "compiled"
"""What encodes and decodes: the compiled extension, or fastavro with steps in Python, the same bytes slower."""

MAGIC = 0
HEADER = struct.Struct(">bI")
SLOWER: Final = (
    "records are encoded by fastavro, as the extension schemas.compiled is not built: a worker takes several times the "
    "CPU. Fix: install a C compiler and Python's headers (Debian: apt-get install gcc python3-dev), then "
    "`touch schemas/compiled.pyx` and `make setup`, or a wheel that `make wheel` built for this Python"
)


class MalformedRecord(ValueError):
    """The bytes are not a record of this topic: not in the wire format, cut short, or another record."""


class Unencodable(ValueError):
    """The record does not fit its schema, so it cannot be published. The message holds no field values."""

    reason = "unencodable"


class RecordTooLarge(Unencodable):
    """The record is larger than a topic takes in one message."""

    reason = "too_large"


Encode = Callable[[Any], bytes]
Decode = Callable[[bytes], Any]


class Codec:
    """Encodes and decodes the records of every topic against one schema registry."""

    def __init__(self, registry: SchemaRegistry) -> None:
        self._registry = registry
        self._encoders: dict[str, Encode] = {}
        self._decoders: dict[str, dict[bytes, Decode]] = {topic: {} for topic in TOPICS}

    def encode(self, topic: str, record: Any) -> bytes:
        """The wire bytes of a record of that topic. Raises Unencodable, or ValueError for another topic's record."""
        expected = TOPICS[topic].record
        if type(record) is not expected:
            raise ValueError(f"{topic} carries {expected.__name__}, not {type(record).__name__}")
        encoder = self._encoders.get(topic)
        if encoder is None:
            encoder = self._encoders[topic] = self._encoder(topic, expected)
        try:
            data = encoder(record)
        except Exception as error:  # fastavro raises many types: OverflowError, TypeError, struct.error
            where = misfit(record)
            raise Unencodable(
                f"{topic}: a {expected.__name__} that does not fit its schema"
                f"{f' in its field {where}' if where else ''} ({type(error).__name__})"
            ) from error
        if len(data) > MAX_RECORD_BYTES:
            raise RecordTooLarge(
                f"{topic}: a {expected.__name__} of {len(data):,} bytes, of which {MAX_RECORD_BYTES:,} fit"
            )
        return data

    def decode(self, topic: str, data: bytes) -> Any:
        """The record that wire bytes hold.

        Raises MalformedRecord (a dead letter) or UnknownSchema (this build is too old: stop, before acknowledging).
        """
        decoder = self._decoders[topic].get(data[: HEADER.size]) or self._decoder(topic, data)
        try:
            return decoder(data)
        except reference.BytesLeft as error:
            schema_id = HEADER.unpack_from(data)[1]
            raise MalformedRecord(f"{topic}: bytes are left after a record of schema {schema_id}") from error
        except Exception as error:  # fastavro raises many types: EOFError, IndexError, ValueError
            schema_id = HEADER.unpack_from(data)[1]
            raise MalformedRecord(f"{topic}: the body does not fit schema {schema_id}") from error

    def _encoder(self, topic: str, record: type[Any]) -> Encode:
        name = avro_name(record)
        header, older = HEADER.pack(MAGIC, self._registry.id_of(topic, name)), self._registry.older(name)
        node = None
        if CODEC == "compiled":
            node = plan_of(record) if older is None else older_plan_of(record, older)
        if node is not None:
            return partial(compiled.encode, node, header)
        return partial(reference.encode, header, older=older)

    def _decoder(self, topic: str, data: bytes) -> Decode:
        """What reads bytes that begin as these do; each header of a topic is looked up once."""
        record = TOPICS[topic].record
        if len(data) < HEADER.size or data[0] != MAGIC:
            raise MalformedRecord(f"{topic}: not in the wire format (magic byte 0 and a 4-byte schema id)")
        _, schema_id = HEADER.unpack_from(data)
        written = self._registry.schema(topic, schema_id)
        if written is None:
            raise MalformedRecord(f"{topic}: schema {schema_id} was never given out")
        if written.record != avro_name(record):
            raise MalformedRecord(f"{topic}: schema {schema_id} is {written.record}, not {avro_name(record)}")
        decoder: Decode
        if CODEC == "compiled" and written.current:
            node = plan_of(record)
            decoder = lambda body: compiled.decode(node, body, HEADER.size)  # noqa: E731 - one of two, chosen here
        else:
            decoder = lambda body: reference.decode(  # noqa: E731 - the other
                record, body, HEADER.size, written.schema, current=written.current
            )
        self._decoders[topic][data[: HEADER.size]] = decoder
        return decoder
