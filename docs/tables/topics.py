"""The topics: the table of `schemas/topics.py`."""

from docs.tables.markdown import code, table
from docs.tables.records import link
from schemas.records import avro_name
from schemas.topics import KEYS, REPLAYABLE, TOPICS, Topic


def page() -> str:
    """Name, key, record and retention of every topic."""
    return table(
        ("Topic", "Key", "Record", "Kept"),
        [(code(topic.name), topic.key, link(avro_name(topic.record)), _kept(topic)) for topic in TOPICS.values()],
    )


def keys() -> str:
    """The form of each kind of key."""
    return table(("Key", "Form"), KEYS.items())


def _kept(topic: Topic) -> str:
    if topic.retention_days is None:
        return "the newest record of each key"
    if topic.name in REPLAYABLE:
        return f"`PAIRSTREAM_CHANGES_RETENTION_DAYS` ({topic.retention_days} days)"
    newest = "the newest record of each key, " if topic.compacted else ""
    return f"{newest}{topic.retention_days} day{'s' if topic.retention_days > 1 else ''}"
