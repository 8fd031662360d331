"""The rows of the agents' state topics; `schemas/avro/<name>.avsc` is their wire format.

Times are as in `schemas/records.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from schemas.making import made_quickly
from schemas.records import Cause, HeldEvent, StampedValue, TimelineEvent
from schemas.values import FieldValue


@made_quickly
@dataclass(frozen=True, slots=True)
class ObjectState:
    """OBJECTS' row for one object. Key: object."""

    revision: int  # the revision its matches were computed with
    present: bool  # false: seen to be gone
    at_ms: int  # vendor clock: earliest time of the newest observation of its presence
    spread_ms: int  # how much later it may have been
    fields: Mapping[str, StampedValue]  # known fields
    matches: Mapping[str, str]  # mapping -> the match value it joined
    merged_into: str | None = None  # the id of the object it was merged into
    run_id: str | None = None  # the last full sync that read it
    held: tuple[HeldEvent, ...] = ()  # events that wait until it is known which pair it belongs to
    unknown: tuple[str, ...] = ()  # known fields that the newest full answer did not hold: no rule reads them
    streamed: Mapping[str, int] = field(
        default_factory=dict
    )  # HubSpot: the newest events on its timeline: Userflow event id -> when it occurred
    erased_ms: int = 0  # our clock: when it was erased; 0: it was not
    left: Mapping[str, str] = field(
        default_factory=dict
    )  # mapping -> the match value that it had before, or last where it is gone, so that its pairs can be erased


@dataclass(frozen=True, slots=True)
class Written:
    """One write of ours to an object: the fields whose last write of ours it was, and the change that led to it."""

    fields: tuple[str, ...]  # the object's fields
    at_ms: int  # vendor clock: earliest time of the target's answer
    spread_ms: int  # how much later it may have been
    run_id: str | None = None  # the full sync or replay that wrote
    caused_by: Cause | None = None  # the first cause of the write


@made_quickly
@dataclass(frozen=True, slots=True)
class Candidate:
    """One object on one side of a pair."""

    at_ms: int  # vendor clock: earliest time of the newest of its own fields
    spread_ms: int  # how much later it may have been
    fields: Mapping[str, StampedValue]  # known fields; none where only its existence is kept
    written: tuple[Written, ...] = ()  # our last write of each field, oldest first


@dataclass(frozen=True, slots=True)
class Settled:
    """A target that keeps another form of what it was sent."""

    sent: FieldValue  # what we wrote
    stored: FieldValue  # what the target holds instead


@dataclass(frozen=True, slots=True)
class RefusedValue:
    """A value the target, or conversion, refused."""

    AVRO_NAME: ClassVar[str] = "Refused"

    value: FieldValue  # the value that was refused
    reason: str  # stable code


@dataclass(frozen=True, slots=True)
class RunMark:
    """What a full sync wrote to a pair. Target fields are named `<system>.<field>`."""

    run_id: str  # the full sync
    fields: tuple[str, ...]  # target fields that it wrote
    emptied: tuple[str, ...] = ()  # those of them that held a value and were emptied


@dataclass(frozen=True, slots=True)
class PairState:
    """PAIRS' row for one pair. Key: pair. Target fields are named `<system>.<field>`."""

    revision: int  # the revision its refusals and settlements belong to
    hubspot: Mapping[str, Candidate]  # object id -> candidate
    userflow: Mapping[str, Candidate]  # object id -> candidate
    settled: Mapping[str, Settled] = field(default_factory=dict)  # target field -> sent and stored
    refused: Mapping[str, RefusedValue] = field(default_factory=dict)  # target field -> refused value
    rewrites: Mapping[str, tuple[int, ...]] = field(
        default_factory=dict
    )  # target field -> times somebody rewrote it; a negative one: within the second of our write, perhaps before it
    contested: tuple[str, ...] = ()  # target fields left alone until the next full sync
    rivals_read: tuple[str, ...] = ()  # `<system>.<id>` of candidates read once more
    parked: bool = False  # true: a patch was parked since the pair was last derived
    run_id: str | None = None  # the last full sync that read its rivals again, or counted a crowd anew
    looked_up_ms: int = 0  # our clock: when its missing side, or its rivals, were last asked for
    counted: Mapping[str, int] = field(default_factory=dict)  # system -> how many objects, where not all are kept
    held: tuple[HeldEvent, ...] = ()  # events that wait for the pair's other side
    parked_events: tuple[TimelineEvent, ...] = ()  # events that were parked since the pair was last derived
    streamed: Mapping[str, int] = field(default_factory=dict)  # its newest timeline events: id -> when it occurred
    streamed_until_ms: int = 0  # vendor clock: events not later than this were sent, though their ids are forgotten
    known: tuple[str, ...] = ()  # systems that were asked who holds the match value, and whose answer is in here
    missed: tuple[str, ...] = ()  # systems that answered "nobody" though candidates are kept, which are read again
    asked: Mapping[str, int] = field(default_factory=dict)  # system -> our clock: when it was asked; not once known
    mark: RunMark | None = None  # what the last full sync that wrote to it wrote
