"""The words for a place on a topic, as Kafka's own tools take them: an instant, `-24h`, `offset:N`, `earliest`."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

from schemas.topics import TopicAndPartition

UNITS_MS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000}
WORDS: Final = "an instant (2026-11-25T10:00Z), -24h, offset:N, earliest or latest"

_NUMBER: Final = r"([0-9]{1,9})"  # more would fit into no time of Kafka's, and thousands are no number to Python
_DURATION: Final = re.compile(rf"-?{_NUMBER}(ms|[smhdw])")
_ISO_DURATION: Final = re.compile(rf"-?P(?:{_NUMBER}D)?(?:T(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:{_NUMBER}S)?)?")
_MOST_DIGITS: Final = 18
_ISO_UNITS: Final = ("d", "h", "m", "s")


class NoPosition(ValueError):
    """The text is none of these words."""


@dataclass(frozen=True, slots=True)
class Position:
    """Exactly one of them is set, or `end` tells which end of the topic is meant."""

    at_ms: int | None = None  # the first record that is as young
    offset: int | None = None  # that offset in every partition
    end: bool = False  # behind the last record; else before the first one that is retained


class Offsets(Protocol):
    """What the brokers tell of offsets."""

    def begin_offsets(self, topics: Iterable[str]) -> Mapping[TopicAndPartition, int]: ...
    def end_offsets(self, topics: Iterable[str]) -> Mapping[TopicAndPartition, int]: ...
    def offsets_at(self, topics: Iterable[str], at_ms: int) -> Mapping[TopicAndPartition, int]: ...


def position(text: str, now_ms: int) -> Position:
    """The place that a word names. Raises NoPosition. An instant without a zone is one in UTC."""
    word = text.strip()
    if word in ("earliest", "latest"):
        return Position(end=word == "latest")
    name, _, number = word.partition(":")
    if name == "offset" and number.isascii() and number.isdigit() and len(number) <= _MOST_DIGITS:
        return Position(offset=int(number))
    passed_ms = duration_ms(word)
    at_ms = now_ms - passed_ms if passed_ms is not None else _instant_ms(word)
    return Position(at_ms=max(at_ms, 0))  # to Kafka, a negative one is an end of the topic


def duration_ms(word: str) -> int | None:
    """`24h`, `-90m`, `P1DT2H` in milliseconds; None for anything else."""
    plain = _DURATION.fullmatch(word)
    if plain:
        return int(plain[1]) * UNITS_MS[plain[2]]
    iso = _ISO_DURATION.fullmatch(word)
    if iso is None or not any(iso.groups()):
        return None
    return sum(int(number or 0) * UNITS_MS[unit] for number, unit in zip(iso.groups(), _ISO_UNITS, strict=True))


def _instant_ms(word: str) -> int:
    try:
        at = datetime.fromisoformat(word)
    except ValueError:
        raise NoPosition(f"{word!r} is no place on a topic. Fix: write {WORDS}") from None
    return round((at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp() * 1000)


def offsets(where: Position, topics: Iterable[str], brokers: Offsets) -> dict[TopicAndPartition, int]:
    """The offset in every partition of these topics; none before what is retained, none behind the end. Blocks."""
    wanted = tuple(topics)
    begins = brokers.begin_offsets(wanted)
    if where == Position():
        return dict(begins)
    ends = brokers.end_offsets(wanted)
    if where.offset is not None:
        return {place: min(max(where.offset, begins[place]), end) for place, end in ends.items()}
    if where.at_ms is None:
        return dict(ends)
    return {**ends, **brokers.offsets_at(wanted, where.at_ms)}
