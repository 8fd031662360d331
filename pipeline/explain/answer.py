"""What `explain` answers, as plain values: the command prints them, the console draws them. Times are milliseconds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from schemas.configuration import ConnectorStatus
from schemas.records import Cause, Operation, Origin
from schemas.spent import Parts
from schemas.state import Written
from schemas.values import FieldValue, System

ObjectWord = Literal["known", "gone", "erased", "never_seen"]
PairWord = Literal["paired", "unmatched", "no_match_value", "ambiguous", "crowded", "never_seen"]
FieldWord = Literal[
    "written",
    "equal",
    "settled",
    "refused",
    "contested",
    "on_its_way",
    "parked",
    "waiting",
    "source_unknown",
    "kept_empty",
]
HopWord = Literal["edited", "received", "read", "matched", "derived", "written"]
EventWord = Literal["sent", "on_its_way", "held", "parked", "refused", "gone", "unsent", "off"]
OutcomeWord = Literal["written", "equal", "refused", "parked", "superseded", "missed", "gone", "nothing", "unknown"]

OBJECT_WORDS: Final[Mapping[ObjectWord, str]] = {
    "known": "it is there, and what mappings read of it is known",
    "gone": "it was deleted, or merged into another one",
    "erased": "it was erased: nothing is known of it, and nothing is written to it",
    "never_seen": "nothing was ever heard of it under this connection",
}
PAIR_WORDS: Final[Mapping[PairWord, str]] = {
    "paired": "exactly one object on each side",
    "unmatched": "nobody on the other side is known to hold its match value",
    "no_match_value": "it has no value in the field by which the mapping matches",
    "ambiguous": "several objects on a side: nothing is written",
    "crowded": "more than 25 objects on a side: nothing is written",
    "never_seen": "no row of this pair is kept",
}
FIELD_WORDS: Final[Mapping[FieldWord, str]] = {
    "written": "in step: it holds what Pairstream wrote last",
    "equal": "in step: it held the value already",
    "settled": "in step: the system keeps another form of what was sent",
    "refused": "the system, or the conversion, refused the value; it is not sent again until something changes",
    "contested": "somebody else keeps rewriting it; the next full sync tries again",
    "on_its_way": "it differs, and is written next",
    "parked": "it differs, and is written once its system is back",
    "waiting": "it differs, and is written once who else holds the match value was told",
    "source_unknown": "what it is filled from is not known, or not readable any more: the target keeps its value",
    "kept_empty": "the source is empty, and the rule says `on_empty: keep`",
}
EVENT_WORDS: Final[Mapping[EventWord, str]] = {
    "sent": "it was given to HubSpot for that timeline, and nothing was told against it",
    "on_its_way": "it is on its way to the timeline",
    "held": "it waits for its pair, at most as long as `PAIRSTREAM_EVENT_HOLD_S`",
    "parked": "it is sent once its pair is derived again: HubSpot was away, or the integration paused",
    "refused": "HubSpot refused it, or its answer was lost: it is not sent again by itself",
    "gone": "the record whose timeline it was for was not there",
    "unsent": "it was not sent: it had no pair in time, or its mapping did not stream it then",
    "off": "the mapping does not stream this event",
}
HOP_WORDS: Final[Mapping[HopWord, str]] = {
    "edited": "edited, by the clock of its system",
    "received": "heard of: the receiver stored the webhook, or the connector saw the change",
    "read": "translated into a change; where the webhook did not tell all, the object was read before",
    "matched": "OBJECTS: newer than what was known, so that its pair hears of it",
    "derived": "PAIRS: what has to be written follows",
    "written": "the answer to the write came back as a change",
}
OUTCOME_WORDS: Final[Mapping[OutcomeWord, str]] = {
    "written": "it led to a write",
    "equal": "the target held the value already",
    "refused": "the value was refused",
    "parked": "its patch was parked while the system was away",
    "superseded": "a later value took its place before it was written",
    "missed": "a lookup found nobody",
    "gone": "the target was not there",
    "nothing": "it led to no write",
    "unknown": "what became of it is not retained, or lies before what was searched",
}


@dataclass(frozen=True, slots=True)
class Named:
    """The object that is asked about."""

    system: System
    object_type: str
    object_id: str


def may_be_address(object_id: str) -> bool:
    """Whether an id may be a person's address: it is hidden like a value then."""
    return "@" in object_id


@dataclass(frozen=True, slots=True)
class NamedPair:
    """The pair that is asked about."""

    integration: str
    mapping: str
    match_value: str


@dataclass(frozen=True, slots=True)
class KnownFields:
    """Fields of the object that were last observed at one time."""

    names: tuple[str, ...]
    at_ms: int  # the vendor's clock
    spread_ms: int
    origin: Origin | None = None  # the road by which that observation came, where it is still retained
    cause: Cause | None = None  # its first cause


@dataclass(frozen=True, slots=True)
class FieldStanding:
    """How one target field of a pair stands."""

    system: System  # the system that holds the target
    target: str
    source: str
    word: FieldWord
    since_ms: int | None = None  # the target system's clock: since when the value is known, or when it was refused
    write: Written | None = None  # our last write of it, where it still holds what that left
    took_ms: int | None = None  # our clock: from the first cause of that write to its answer, where still retained
    reason: str | None = None  # why it was refused
    letter: str | None = None  # the refusal's dead letter
    rewrites_ms: tuple[int, ...] = ()  # the system's clock: when somebody rewrote it
    value: FieldValue = field(default=None, repr=False)  # what the target is known to hold
    wanted: FieldValue = field(default=None, repr=False)  # what the source is known to hold


@dataclass(frozen=True, slots=True)
class StillThere:
    """What Pairstream wrote to an object of a pair that is none now, and that is still there."""

    system: System
    object_id: str
    fields: tuple[str, ...]
    write: Written | None = None  # None: it was written before causes were kept, or by an equal value


@dataclass(frozen=True, slots=True)
class PairAnswer:
    """How one mapping's pair stands."""

    mapping: str
    word: PairWord
    match_fields: Mapping[System, str]
    object_types: Mapping[System, str]
    objects: Mapping[System, tuple[str, ...]] = field(default_factory=dict)  # the ids kept of each side
    counted: Mapping[System, int] = field(default_factory=dict)  # how many there are, where not all are kept
    on_several: str = "refuse"  # what the mapping says of several HubSpot objects
    looked_up_ms: int | None = None  # when the missing side, or rivals, were last asked for
    again_ms: int | None = None  # the first moment at which a change asks again
    asking: tuple[System, ...] = ()  # systems that have not told who else holds the match value
    asked_ms: int | None = None  # when they were asked
    read_whole: bool = False  # every object of the other side's type is known
    fields: tuple[FieldStanding, ...] = ()
    still_there: tuple[StillThere, ...] = ()
    match_value: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Away:
    """A system that is not written to now."""

    system: System
    status: ConnectorStatus
    reason: str | None
    parked: bool
    since_ms: int | None = None  # our clock: when something of it was parked first, where that is still retained


@dataclass(frozen=True, slots=True)
class Happening:
    """One record about the object or its partner, and what it led to."""

    at_ms: int  # our clock: when the record was published
    system: System
    origin: str  # webhook, journal, poll, lookup, crawl; receipt: an answer whose change is not in sight
    operation: Operation
    fields: tuple[str, ...]
    place: tuple[str, int, int]  # topic, partition, offset
    outcome: OutcomeWord
    reason: str | None = None
    run_id: str | None = None
    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class History:
    """What is retained of it, newest first, as far back as was searched."""

    happenings: tuple[Happening, ...] = ()
    searched_since_ms: int | None = None  # None: nothing was found to search
    complete: bool = True  # false: older records are retained and were not searched


@dataclass(frozen=True, slots=True)
class OnTimeline:
    """What one mapping made of an event."""

    mapping: str
    word: EventWord
    object_type: str  # whose timeline: the HubSpot record's type
    object_id: str | None = None  # and its id; None: it has no pair
    reason: str | None = None  # why it was refused
    letter: str | None = None  # the refusal's dead letter


@dataclass(frozen=True, slots=True)
class EventTold:
    """One event of the object, or of its partner: what happened in Userflow, and on which timelines it is."""

    name: str
    occurred_at_ms: int  # Userflow's clock
    at_ms: int  # our clock: when it was published
    place: tuple[str, int, int]  # topic, partition, offset
    object_type: str  # whose event it is
    object_id: str
    timelines: tuple[OnTimeline, ...] = ()


@dataclass(frozen=True, slots=True)
class Events:
    """What is retained of its events, newest first, as far back as was searched."""

    happened: tuple[EventTold, ...] = ()
    searched_since_ms: int | None = None  # None: nothing was found to search
    complete: bool = True  # false: older ones are retained and were not searched


@dataclass(frozen=True, slots=True)
class Hop:
    """One step of a change on its way, as a record of it says."""

    word: HopWord
    at_ms: int  # our clock; of an edit the system's
    place: tuple[str, int, int] | None  # the record: topic, partition, offset


@dataclass(frozen=True, slots=True)
class Trace:
    """The way of the live change that was written last, of those that are in sight."""

    system: System  # where it was edited
    to: System  # where it was written
    fields: tuple[str, ...]  # what was told of it
    written: tuple[str, ...]  # the target's fields that were written for it
    hops: tuple[Hop, ...]  # in their order; hops of which nothing is retained are left out
    took_ms: int  # our clock: from its receipt to the answer of its write
    parts: Parts  # where that time went


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer for one integration."""

    at_ms: int
    integration: str
    connection: int
    named: Named | None  # None: a pair was asked for
    word: ObjectWord
    key: str
    partition: int
    since_ms: int | None = None  # gone, erased: when
    merged_into: str | None = None
    known: tuple[KnownFields, ...] = ()
    unknown: tuple[str, ...] = ()  # fields that were known, and are not readable any more
    pairs: tuple[PairAnswer, ...] = ()
    away: tuple[Away, ...] = ()
    paused: bool = False
    history: History = History()
    trace: Trace | None = None  # None: no live change and its write are both in sight
    events: Events = Events()
