"""The Kafka headers about dead letters: on records that are published again, and on the letters themselves.

A letter carries Kafka Connect's names and those of Kafka Streams (KIP-1034), so that any Kafka tool shows its reason
and place without decoding it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from schemas.copies import Headers, each
from schemas.records import DeadLetter

OF: Final = "pairstream.redrive.of"
COUNT: Final = "pairstream.redrive.count"
CONNECT: Final = "__connect.errors."
STREAMS: Final = "__streams.errors."

Sent = tuple[str, bytes]
"""A header as it is sent."""


@dataclass(frozen=True, slots=True)
class Redriven:
    """A record that was published again from its dead letter."""

    of: str  # the letter's id
    count: int  # how often, this time counted

    def headers(self) -> tuple[Sent, ...]:
        """What the record is sent with."""
        return (OF, self.of.encode()), (COUNT, str(self.count).encode())


def redriven(headers: Headers | None) -> Redriven | None:
    """What a message's headers say of it; None for a record that comes for the first time."""
    found = {name: value for name, value in each(headers) if name in (OF, COUNT)}
    if OF not in found:
        return None
    count = _text(found.get(COUNT))
    return Redriven(_text(found[OF]), int(count) if count.isascii() and count.isdigit() else 1)


def letter_headers(letter: DeadLetter, physical: Callable[[str], str]) -> tuple[Sent, ...]:
    """The headers of a letter; `physical` gives a topic's name on the brokers. None of them holds a value or a key."""
    return tuple((name, value.encode(errors="backslashreplace")) for name, value in _told(letter, physical))


def _told(letter: DeadLetter, physical: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    topic = physical(letter.topic) if letter.topic else ""
    message = f"{letter.reason}: {letter.detail}"
    for names, reason in ((CONNECT, "exception.class.name"), (STREAMS, "exception")):
        yield f"{names}topic", topic
        yield f"{names}partition", str(letter.partition)
        yield f"{names}offset", str(letter.offset)
        yield f"{names}{reason}", letter.reason
    yield f"{CONNECT}stage", letter.stage
    yield f"{CONNECT}exception.message", message
    yield f"{STREAMS}message", message
    if letter.redrives:
        yield COUNT, str(letter.redrives)


def _text(value: str | bytes | None) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value or ""
