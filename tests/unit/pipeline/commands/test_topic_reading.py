"""How a record of a topic is shown: its place, its headers without anybody's values, what it holds."""

from types import SimpleNamespace
from typing import Final

import pytest

from connectors.kafka.reading import Found
from pipeline.commands import topic_reading
from pipeline.commands.topic_reading import told
from schemas.codec import Codec
from schemas.registry import LocalRegistry
from schemas.topics import HUBSPOT_CHANGES
from tests.unit.pipeline.core.given import contact

CODEC: Final = Codec(LocalRegistry())


def found(value: bytes | None, headers: tuple[tuple[str, bytes | None], ...] = ()) -> Found:
    return Found(HUBSPOT_CHANGES, 2, 88213, b"acme:1:hubspot:contacts:101", value, headers, 7)


def test_the_keys_of_a_line() -> None:
    line = told(found(CODEC.encode(HUBSPOT_CHANGES, contact(7, {"jobtitle": "Countess"}))), CODEC, values=False)
    assert list(line) == ["topic", "partition", "offset", "at_ms", "key", "headers", "value"]
    assert line["value"]["fields"]["jobtitle"]["value"] == "hidden"


def test_a_deleted_key_and_bytes_that_are_no_record() -> None:
    assert told(found(None), CODEC, values=True)["value"] is None
    broken = told(found(b"garbage"), CODEC, values=True)["value"]
    assert broken["bytes"] == 7 and "wire format" in broken["unreadable"]


def test_headers_of_strangers_are_named_and_hidden() -> None:
    headers = (("pairstream.redrive.of", b"0f"), ("authorization", b"Bearer x"), ("empty", None))
    assert told(found(None, headers), CODEC, values=True)["headers"] == {
        "pairstream.redrive.of": "0f",
        "authorization": "hidden",
        "empty": None,
    }


def test_where_no_record_is_so_that_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(topic_reading, "open_process", lambda: SimpleNamespace(codec=None))
    monkeypatch.setattr(topic_reading, "_found", lambda *_: iter(()))

    topic_reading.read_topic(topic_reading.Asked("sync.runs", "mistyped", None, None, (), False, None, False), "jsonl")

    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "no such record on sync.runs\n")
