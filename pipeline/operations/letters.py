"""The dead letters there are: read once, each told as often as it was written, and chosen by what a person asks for."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from connectors.kafka.reading import Found
from pipeline.operations import OperationRefused
from schemas.codec import Codec, MalformedRecord
from schemas.records import DeadLetter
from schemas.registry import UnknownSchema
from schemas.topics import DEAD_LETTERS, TOPICS, TopicAndPartition

SHORT: Final = 8
"""So many characters of an id are shown; any beginning that only one letter has names it."""


class NoSuchLetter(OperationRefused):
    """No dead letter, or more than one, is meant; the message says which there are."""


@dataclass(frozen=True, slots=True)
class About:
    """What stands in the record that a letter repeats, without any value."""

    system: str = ""
    object_type: str = ""
    object_id: str = ""
    run_id: str | None = None
    kind: str = ""  # the record's own name; empty where its bytes cannot be read

    @property
    def object(self) -> str:
        return f"{self.system} {self.object_type} {self.object_id}".strip() if self.object_id else "-"


@dataclass(frozen=True, slots=True)
class Letter:
    """The newest writing of a letter, its record's bytes left on the topic, and how often it was written."""

    letter: DeadLetter  # without its value
    place: TopicAndPartition  # where on the topic of dead letters it stands
    offset: int
    size: int  # bytes of the record that it repeats; 0 where it repeats none
    about: About
    first_ms: int  # our clock: when it was written first
    times: int = 1

    @property
    def id(self) -> str:
        return self.letter.id

    @property
    def of_field(self) -> bool:
        """Whether a value was refused, and not a record."""
        return self.letter.field is not None and self.letter.mapping is not None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person asks for; what is empty asks for all."""

    ids: tuple[str, ...] = ()  # beginnings of ids
    integration: str | None = None
    stage: str | None = None
    reason: str | None = None
    run: str | None = None
    since_ms: int = 0

    def takes(self, letter: Letter) -> bool:
        told = letter.letter
        return (
            (not self.ids or any(told.id.startswith(one) for one in self.ids))
            and self.integration in (None, told.integration)
            and self.stage in (None, told.stage)
            and self.reason in (None, told.reason)
            and self.run in (None, letter.about.run_id)
            and told.at_ms >= self.since_ms
        )


def collect(messages: Iterable[Found], codec: Codec) -> list[Letter]:
    """Every letter, the oldest first, each as it was written last. What cannot be read is left out."""
    found: dict[str, Letter] = {}
    for message in messages:
        letter = read(message, codec)
        if letter is None:
            continue
        found[letter.id] = newer(found.get(letter.id), letter)
    return sorted(found.values(), key=lambda one: (one.letter.at_ms, one.id))


def newer(before: Letter | None, letter: Letter) -> Letter:
    """A letter that was written before, and is written again: what it says now, and how often it was."""
    if before is None:
        return letter
    if (letter.letter.redrives, letter.letter.at_ms) >= (before.letter.redrives, before.letter.at_ms):
        return replace(letter, first_ms=before.first_ms, times=before.times + 1)
    return replace(before, times=before.times + 1)


def read(message: Found, codec: Codec) -> Letter | None:
    """The letter of a message; None where its bytes are none."""
    letter = whole(message, codec)
    if letter is None:
        return None
    place = _place(message.topic, message.partition)
    return Letter(_kept(letter), place, message.offset, len(letter.value), about(letter, codec), letter.at_ms)


@cache
def _place(topic: str, partition: int) -> TopicAndPartition:
    """The very same for all letters of a partition."""
    return topic, partition


def _kept(letter: DeadLetter) -> DeadLetter:
    """The same without the record that it repeats; texts that thousands of letters have in common are held once."""
    cause = letter.caused_by
    return replace(
        letter,
        value=b"",
        stage=sys.intern(letter.stage),
        reason=sys.intern(letter.reason),
        detail=sys.intern(letter.detail),
        topic=sys.intern(letter.topic),
        integration=_interned(letter.integration),
        mapping=_interned(letter.mapping),
        field=_interned(letter.field),
        caused_by=None if cause is None else replace(cause, topic=sys.intern(cause.topic)),
    )


def _interned(text: str | None) -> str | None:
    return None if text is None else sys.intern(text)


def whole(message: Found, codec: Codec) -> DeadLetter | None:
    """The letter with the record that it repeats."""
    try:
        letter = codec.decode(DEAD_LETTERS, message.value or b"")
    except (MalformedRecord, UnknownSchema):
        return None
    return letter if isinstance(letter, DeadLetter) else None


def about(letter: DeadLetter, codec: Codec) -> About:
    """What the record that a letter repeats is about."""
    if letter.topic not in TOPICS or not letter.value:
        return About()
    try:
        record = codec.decode(letter.topic, letter.value)
    except (MalformedRecord, UnknownSchema):
        return About()
    system, object_type, object_id = (
        sys.intern(getattr(record, name, None) or "") for name in ("system", "object_type", "object_id")
    )
    if object_id and not system:  # an event: its topic's system
        system = letter.topic.partition(".")[0]
    run_id: str | None = getattr(record, "run_id", None)
    return About(system, object_type, object_id, _interned(run_id), type(record).__name__)


def chosen(letters: Sequence[Letter], wanted: Wanted) -> list[Letter]:
    """The letters that are asked for. Raises NoSuchLetter for an id that none has, or several."""
    for beginning in wanted.ids:
        named(letters, beginning)
    return [letter for letter in letters if wanted.takes(letter)]


def named(letters: Sequence[Letter], beginning: str) -> Letter:
    """The one letter whose id begins so. Raises NoSuchLetter."""
    if not beginning:
        raise NoSuchLetter("an empty id names no letter. Fix: write the beginning of one")
    found = [letter for letter in letters if letter.id.startswith(beginning)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise NoSuchLetter(f"no dead letter {beginning}: `pairstream dead-letters list --all` shows those there are")
    ids = ", ".join(sorted(letter.id for letter in found)[:5])
    raise NoSuchLetter(f"{len(found)} dead letters begin with {beginning} ({ids}). Fix: write more of the id")


def bodies(
    messages: Callable[[TopicAndPartition, int], Iterator[Found]], letters: Iterable[Letter], codec: Codec
) -> Iterator[tuple[Letter, DeadLetter]]:
    """Each letter with the record that it repeats, read again in the order of its topic, so that memory stays small.

    `messages` gives those of a partition from an offset on.
    """
    by_place: dict[TopicAndPartition, dict[int, Letter]] = {}
    for letter in letters:
        by_place.setdefault(letter.place, {})[letter.offset] = letter
    for place, wanted in by_place.items():
        left = dict(wanted)
        for message in messages(place, min(left)):
            letter_there = left.pop(message.offset, None)
            told = whole(message, codec) if letter_there is not None else None
            if letter_there is not None and told is not None:
                yield letter_there, told
            if not left:
                break
