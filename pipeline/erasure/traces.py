"""Which records of a topic are about something that was erased, and what is left of those that are about more: pure."""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any, Final

from pipeline.erasure.schedule import key_of
from schemas.codec import Codec, MalformedRecord, Unencodable
from schemas.erasures import Erasure
from schemas.letters import without_value
from schemas.records import (
    ActivityEvent,
    ChangeEvent,
    ConnectorRequest,
    DeadLetter,
    FieldPatch,
    MatchedChange,
    Notification,
    Receipt,
    StateCommand,
    TimelineEvent,
)
from schemas.topics import DEAD_LETTERS, STATE_COMMANDS, TOPICS, pair_key, requests_topic
from schemas.values import SYSTEMS, System

Redact = Callable[[bytes, str, str], bytes | None]
"""(a webhook's body, object type, id) -> the body without what is about the object; None where nothing is left."""

NO_TIME: Final = 0
WITHOUT_IDS: Final = frozenset({*map(requests_topic, SYSTEMS), STATE_COMMANDS, DEAD_LETTERS})
"""Topics whose records may name a pair alone, by its match value."""


class Traces:
    """What was erased, and is looked for."""

    def __init__(self, codec: Codec, redact: Mapping[System, Redact], erasures: Collection[Erasure]) -> None:
        self._codec = codec
        self._redact = redact
        self._erasures = tuple(erasures)
        self._keys = frozenset(map(key_of, self._erasures))
        self._ids = tuple({form for erasure in erasures for form in spellings(erasure.object_id)})

    def without(self, topic: str, key: str, value: bytes) -> bytes | None:
        """The record without what was erased, the very bytes where that is nothing; None: it is to go.

        Raises UnknownSchema for a record that a newer build wrote.
        """
        if topic not in WITHOUT_IDS and not self._named(key, value):
            return value  # most records end here: decoding would take ten times as long
        try:
            record = self._codec.decode(topic, value)
        except MalformedRecord:
            record = None
        left = record
        for erasure in self._erasures:
            if _is_key_of(erasure, key) and _is_before(erasure, record):
                return None
            if left is not None:
                left = self._left(erasure, left)
                if left is None:
                    return None
        return value if left is record else self._codec.encode(topic, left)

    def _named(self, key: str, value: bytes) -> bool:
        """Whether the record can be about any of what was erased: its bytes hold an id, or its key is one's."""
        if key in self._keys or any(form in value for form in self._ids):
            return True
        return any(erasure.is_of_pair(key) for erasure in self._erasures)

    def _left(self, erasure: Erasure, record: Any) -> Any:
        """The record, less than it, or None."""
        if getattr(record, "integration", erasure.integration) not in (erasure.integration, None):
            return record
        match record:
            case Notification():
                return self._notification(erasure, record)
            case DeadLetter():
                return self._letter(erasure, record)
        return None if concerns(erasure, record) and _is_before(erasure, record) else record

    def _notification(self, erasure: Erasure, record: Notification) -> Notification | None:
        if record.system != erasure.system or not _is_before(erasure, record):
            return record
        body = self._redact[erasure.system](record.body, erasure.object_type, erasure.object_id)
        if body is None:
            return None
        return record if body == record.body else replace(record, body=body)

    def _letter(self, erasure: Erasure, letter: DeadLetter) -> DeadLetter | None:
        if _is_key_of(erasure, letter.key) and _is_before(erasure, letter):
            return None
        if letter.topic not in TOPICS or not letter.value:
            return letter
        one = Traces(self._codec, self._redact, (erasure,))
        try:
            value = one.without(letter.topic, letter.key, letter.value)
        except Unencodable:
            return without_value(letter)
        if value is None:
            return None
        return letter if value == letter.value else replace(letter, value=value)


def concerns(erasure: Erasure, record: Any) -> bool:
    """Whether the record names the object, or one of its pairs."""
    match record:
        case ChangeEvent() | ActivityEvent():
            system: System = record.system if isinstance(record, ChangeEvent) else "userflow"
            return _is_object(erasure, record.connection, system, record.object_type, record.object_id)
        case MatchedChange() | FieldPatch() | Receipt():
            named = _is_object(erasure, record.connection, record.system, record.object_type, record.object_id)
            return named or _is_pair(erasure, record.connection, record.mapping, record.match_value)
        case TimelineEvent():
            named = _is_object(erasure, record.connection, "hubspot", record.object_type, record.object_id)
            return named or _is_pair(erasure, record.connection, record.mapping, record.match_value)
        case StateCommand():
            keys = (key for key in (record.object_key, record.cursor) if key)
            return any(_is_key_of(erasure, key) for key in keys) or (
                record.event is not None and concerns(erasure, record.event)
            )
        case ConnectorRequest():
            return _asks(erasure, record)
    return False


def _asks(erasure: Erasure, request: ConnectorRequest) -> bool:
    if request.kind == "lookup":
        return any(_is_pair(erasure, request.connection, request.mapping or "", value) for value in request.values)
    return False  # ids alone


def _is_object(erasure: Erasure, connection: int, system: System, object_type: str, object_id: str) -> bool:
    ours = (erasure.connection, erasure.system, erasure.object_type, erasure.object_id)
    return (connection, system, object_type, object_id) == ours


def _is_pair(erasure: Erasure, connection: int, mapping: str, match_value: str) -> bool:
    if connection != erasure.connection:
        return False
    return erasure.is_of_pair(pair_key(erasure.integration, connection, mapping, match_value))


def _is_key_of(erasure: Erasure, key: str) -> bool:
    return key == key_of(erasure) or erasure.is_of_pair(key)


def _is_before(erasure: Erasure, record: Any) -> bool:
    """Whether the record began before the erasure: its first cause, by our clock. What tells no time did."""
    if erasure.for_ever and isinstance(record, ChangeEvent | Notification):
        return True
    if isinstance(record, Notification):
        return record.received_at_ms <= erasure.erased_ms
    cause = getattr(record, "caused_by", None)
    return (NO_TIME if cause is None else cause.at_ms) <= erasure.erased_ms


def spellings(object_id: str) -> tuple[bytes, ...]:
    """An id as it stands in records, and as the usual writers of JSON escape it: slashes, and what HTML reserves."""
    plain = json.dumps(object_id, ensure_ascii=False)[1:-1]
    escaped = json.dumps(object_id)[1:-1]
    forms = [object_id]
    for text in (plain, escaped):
        forms += [text, text.replace("/", "\\/"), _of_html(text)]
    return tuple(dict.fromkeys(form.encode(errors="replace") for form in forms))


def _of_html(text: str) -> str:
    """As Rails and Go write it."""
    return "".join(f"\\u{ord(letter):04x}" if letter in "<>&" else letter for letter in text)
