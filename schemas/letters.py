"""Dead letters: one for a whole record, one for a refused field, each with an id that a repeat shares."""

import hashlib
from typing import Final, Protocol

from schemas.records import Cause, DeadLetter

ID_LENGTH: Final = 32
MOST_BYTES: Final = 500_000
"""Of a record's value that its letter repeats: the letter has to fit a message itself."""


class Located(Protocol):
    """A record as it stood on its topic."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> str: ...
    @property
    def value(self) -> bytes: ...


def letter_id(*what: object) -> str:
    """The id of a letter about `what`: the same refusal told twice is the same letter."""
    return hashlib.sha256(repr(what).encode()).hexdigest()[:ID_LENGTH]


def letter_about(
    record: Located, stage: str, reason: str, detail: str, at_ms: int, *, about: object = None
) -> DeadLetter:
    """The letter for a record that could not be handled; `about` is what it decodes to, where it does.

    `at_ms` is our clock; `detail` holds no field values. A value of more than MOST_BYTES is not repeated.
    """
    where = (record.topic, record.partition, record.offset)
    return DeadLetter(
        id=letter_id(*where, reason),
        integration=getattr(about, "integration", None),
        stage=stage,
        reason=reason,
        detail=detail,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=record.key,
        value=record.value if len(record.value) <= MOST_BYTES else b"",
        at_ms=at_ms,
        caused_by=getattr(about, "caused_by", None) or Cause(*where, at_ms),
    )


def letter_of_no_record(
    *,
    id: str,
    integration: str,
    stage: str,
    reason: str,
    detail: str,
    at_ms: int,
    key: str,
    topic: str = "",
    caused_by: Cause | None = None,
) -> DeadLetter:
    """The letter for what never became a record, or never may: an incident, or an object that no record holds."""
    return DeadLetter(
        id=id,
        integration=integration,
        stage=stage,
        reason=reason,
        detail=detail,
        topic=topic,
        partition=-1,
        offset=-1,
        key=key,
        value=b"",
        at_ms=at_ms,
        caused_by=caused_by,
    )
