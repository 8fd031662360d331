"""The stored byte samples of every record: `python -m tests.contract.avro_samples` adds those of a new schema.

A sample is written once and never again: that today's bytes still decode tomorrow is what it is for.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from schemas.codec import Codec
from schemas.records import avro_name
from schemas.registry import LocalRegistry, packaged_history
from schemas.topics import TOPICS
from tests.contract.sample_records import SAMPLES

FOLDER = Path(__file__).parents[1] / "samples" / "avro"


def topic_of(record: str) -> str:
    """Any topic that carries the record."""
    return next(name for name, topic in TOPICS.items() if avro_name(topic.record) == record)


def sample_path(schema_id: int, record: str) -> Path:
    return FOLDER / f"{schema_id:04d}-{record}.bin"


def shown(record: Any) -> str:
    """A record as readable text, one field a line, for the file beside the bytes.

    Fields at their default are left out: those that a record gets later change nothing.
    """
    fields = "".join(f"  {name}={_shown(value)},\n" for name, value in _told(record))
    return f"{avro_name(type(record))}(\n{fields})\n"


def _told(record: Any) -> Iterator[tuple[str, Any]]:
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        factory = field.default_factory
        default = field.default if factory is dataclasses.MISSING else factory()
        if default is dataclasses.MISSING or value != default:
            yield field.name, value


def _shown(value: Any) -> str:
    if dataclasses.is_dataclass(value):
        return f"{avro_name(type(value))}({', '.join(f'{name}={_shown(inner)}' for name, inner in _told(value))})"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key!r}: {_shown(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, tuple):
        inside = ", ".join(map(_shown, value))
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    return repr(value)


def write_missing() -> list[Path]:
    """Write the samples of the newest schemas that have none yet; returns the new files."""
    codec, registry = Codec(LocalRegistry()), LocalRegistry()
    made = []
    for record, sample in SAMPLES.items():
        topic = topic_of(record)
        path = sample_path(registry.id_of(topic, record), record)
        if not path.exists():
            FOLDER.mkdir(parents=True, exist_ok=True)
            path.write_bytes(codec.encode(topic, sample))
            path.with_suffix(".txt").write_text(shown(sample), "utf-8")
            made.append(path)
    return made


def schemas_without_sample() -> list[str]:
    return [
        f"{schema_id:04d}-{record}"
        for schema_id, (record, _) in sorted(packaged_history().items())
        if not sample_path(schema_id, record).exists()
    ]


if __name__ == "__main__":
    write_missing()
