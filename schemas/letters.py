"""Dead letters: one for a whole record, one for a refused field, each with an id that a repeat shares."""

import hashlib
from dataclasses import replace
from typing import Final, Protocol

from schemas.records import Cause, DeadLetter
from schemas.redrives import Redriven
from schemas.values import SYSTEMS

STAGES: Final = (
    "objects",
    "pairs",
    *(f"{system}.{half}" for system in SYSTEMS for half in ("source", "sink")),
    "hubspot.timeline",
)
"""Who writes letters of what could not be handled; the stage of records that were lost is their topic."""
ID_LENGTH: Final = 32
LONGEST_KEY: Final = 1_000
MOST_BYTES: Final = 500_000
"""The largest value that a letter repeats, so that the letter itself fits a message."""


class Located(Protocol):
    """A record with its place on its topic."""

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
    @property
    def redriven(self) -> Redriven | None: ...


def letter_id(*what: object) -> str:
    """The id of a letter about `what`. Equal refusals get equal ids, so a repeated letter is recognised."""
    return hashlib.sha256(repr(what).encode()).hexdigest()[:ID_LENGTH]


def letter_about(
    record: Located, stage: str, reason: str, detail: str, at_ms: int, *, about: object = None
) -> DeadLetter:
    """The letter for a record that could not be handled. `about` is the decoded record, if it could be decoded.

    A record that was published again from its letter gets that letter again. `at_ms` is our clock. `detail` holds no
    field values. A value above MOST_BYTES is left out.
    """
    where = (record.topic, record.partition, record.offset)
    again = record.redriven
    return DeadLetter(
        id=letter_id(*where, reason) if again is None else again.of,
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
        redrives=0 if again is None else again.count,
    )


def without_value(letter: DeadLetter) -> DeadLetter:
    """The letter without the record it repeats, where no message holds both: with a key that every message holds."""
    key = letter.key.encode(errors="backslashreplace").decode()[:LONGEST_KEY]
    return replace(letter, key=key, value=b"", detail=f"{letter.detail}; its value fits no letter")


def place_of(error: BaseException) -> str:
    """The function and line that raised; the error's own text may hold values."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    place = f"{frame.tb_frame.f_code.co_name}:{frame.tb_lineno}" if frame else "unknown"
    return f"{type(error).__name__} in {place}"


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
    """The letter for something without a record: an incident, or an object too large for any record."""
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
