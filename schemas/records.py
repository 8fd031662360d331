"""Every record on Kafka as a frozen dataclass; `schemas/avro/<name>.avsc` is its wire format.

Times are milliseconds since 1970 in UTC. Fields marked "vendor clock" use the vendor's clock, since ours may be wrong.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

from schemas.making import made_quickly
from schemas.values import FieldDefinition, FieldType, FieldValue, System

Origin = Literal["webhook", "crawl", "lookup", "journal", "poll", "receipt"]
Operation = Literal["upserted", "deleted", "erased"]
Presence = Literal["joined", "left", "erased"]
RequestKind = Literal["lookup", "reread", "crawl", "count", "whole", "consent", "erase"]
ReceiptKind = Literal["refused", "parked", "superseded", "missed"]
CommandKind = Literal["rederive", "resend", "reread", "sweep", "stream", "ask", "compare", "forget", "erase"]
CommandStep = Literal["", "ask", "count", "write", "confirm", "sweep"]
Stage = Literal["objects", "pairs"]
Direction = Literal["to_hubspot", "to_userflow"]
OnEmpty = Literal["clear", "keep"]
OnSeveral = Literal["refuse", "newest"]


def avro_name(record: type[Any]) -> str:
    """The schema name of a record type: the class name, unless `AVRO_NAME` keeps an older one."""
    name: str = getattr(record, "AVRO_NAME", record.__name__)
    return name


@made_quickly
@dataclass(frozen=True, slots=True)
class StampedValue:
    """One field's value and when its system is known to have held it: some time in [at_ms, at_ms + spread_ms]."""

    value: FieldValue  # what the field holds; null: the system says "no value"
    at_ms: int  # vendor clock: the earliest time the value can have been observed
    spread_ms: int = 0  # how much later than at_ms it may have been; 0 where the vendor gives milliseconds
    ours: bool = False  # true: the answer to our own write


@dataclass(frozen=True, slots=True)
class Cause:
    """The first record that led to this one; latency, `explain` and lag in seconds are computed from it."""

    topic: str  # topic of the first cause
    partition: int  # its partition
    offset: int  # its offset; -1 where the cause is no record
    at_ms: int  # our clock: when the receiver or connector first held it
    # what was spent since then tells no cause from another: equal ones differ in it
    read_ms: int = field(default=0, compare=False)  # how long since then the systems took to answer reads for it
    budget_ms: int = field(
        default=0, compare=False
    )  # how long since then its reads and writes waited for places in the systems' limits
    write_ms: int = field(default=0, compare=False)  # how long since then the systems took to answer writes of it


@dataclass(frozen=True, slots=True)
class Notification:
    """One webhook request as it arrived. Key: integration."""

    integration: str  # whose webhook it is
    system: System  # who sent it
    body: bytes  # the raw request body, its signature already verified
    headers: Mapping[str, str]  # the request's headers that translation needs, lower case
    received_at_ms: int  # our clock: when the receiver had the whole body


@dataclass(frozen=True, slots=True)
class Consent:
    """What came back from a system's page at which somebody was asked for access."""

    link: str  # the link that led there: SHA-256 of its token
    code: bytes | None = None  # sealed: what the system's code is exchanged with
    refusal: str | None = None  # stable code: why there is no code


@dataclass(frozen=True, slots=True)
class ConnectorRequest:
    """Work for a connector: read what is named, or take what somebody granted. Key: integration."""

    AVRO_NAME: ClassVar[str] = "Request"

    integration: str  # whose objects
    connection: int  # the connection it was asked under
    kind: RequestKind  # reread: by id; lookup: by match value; crawl, count: a type; whole: it arrived; consent: a code
    object_type: str  # the system's object type
    values: tuple[str, ...] = ()  # ids (reread) or match values (lookup)
    match_field: str | None = None  # the field the match values belong to (lookup)
    mapping: str | None = None  # the mapping that asked (lookup)
    delay_ms: int = 0  # wait this long before the read
    run_id: str | None = None  # the full sync it belongs to
    caused_by: Cause | None = None  # the first cause
    by_email: bool = False  # the match values are compared trimmed and in lower case (lookup)
    bulk: bool = False  # true: read after what is live, and published as bulk
    tell_missing: bool = False  # true: a match value that nobody holds is told by a receipt (lookup)
    consent: Consent | None = None  # what somebody granted or refused (consent)
    later_than: Mapping[str, StampedValue] = field(default_factory=dict)  # field -> what was known as it was asked


@dataclass(frozen=True, slots=True)
class Found:
    """How many objects a lookup found for one match value."""

    mapping: str  # the mapping that asked
    match_value: str  # the value asked for
    count: int  # how many of the system's objects hold it; 26: as many or more


@dataclass(frozen=True, slots=True)
class ChangeEvent:
    """What a system was seen to hold for one object. Key: object."""

    integration: str  # whose object
    connection: int  # the connection it was observed under
    revision: int  # the revision of the mappings that chose the fields
    system: System  # the object's system
    object_type: str  # the system's object type
    object_id: str  # the system's id of the object
    operation: Operation  # upserted: the object is there; deleted: it is gone
    at_ms: int  # vendor clock: earliest time of the observation
    spread_ms: int  # how much later it may have been
    origin: Origin  # the road it came by
    fields: Mapping[str, StampedValue] = field(default_factory=dict)  # fields seen; an absent one is not known
    sent: Mapping[str, FieldValue] = field(default_factory=dict)  # receipt: what our write asked for
    run_id: str | None = None  # the full sync it belongs to
    merged_into: str | None = None  # deleted by a merge: the id of the surviving object
    bulk: bool = False  # true: published under the credit for bulk, written after live patches
    caused_by: Cause | None = None  # the first cause
    given: Mapping[str, FieldValue] = field(default_factory=dict)  # it holds only while these fields are known to be so
    found: Found | None = None  # the lookup that showed it, where it was one
    unknown: tuple[str, ...] = ()  # fields asked for that a full answer did not hold: archived, or not readable now
    later_than: Mapping[str, StampedValue] = field(default_factory=dict)  # field -> what was known before the read
    equal: bool = False  # receipt: the target held this before, and nothing was written
    causes: Mapping[str, Cause] = field(
        default_factory=dict
    )  # receipt: field -> the first cause of its write, where that is another one than the record's


@dataclass(frozen=True, slots=True)
class ActivityEvent:
    """Something a person did in Userflow. Key: the user, or the company where there is no user.

    What a person did for a company is told twice: as the user's activity, and as the company's.
    """

    integration: str  # whose environment
    connection: int  # the connection it was observed under
    event_id: str  # the system's id of the event
    name: str  # the event's name, e.g. flow_started
    user_id: str | None  # who did it
    company_id: str | None  # for which company
    occurred_at_ms: int  # vendor clock
    attributes: Mapping[str, FieldValue] = field(default_factory=dict)  # the event's attributes
    caused_by: Cause | None = None  # the first cause

    @property
    def object_type(self) -> str:
        """The type of the object that did it."""
        return "companies" if self.user_id is None else "users"

    @property
    def object_id(self) -> str:
        return (self.user_id if self.user_id is not None else self.company_id) or ""


@dataclass(frozen=True, slots=True)
class HeldEvent:
    """An event that came before its pair was known."""

    activity: ActivityEvent  # the event
    since_ms: int  # our clock: when it was first held


@dataclass(frozen=True, slots=True)
class FieldAnswer:
    """What the target answered to one written field."""

    AVRO_NAME: ClassVar[str] = "Answer"

    sent: FieldValue  # what we wrote
    stored: FieldValue  # what the answer says the target holds
    at_ms: int  # vendor clock: earliest time of the answer
    spread_ms: int  # how much later it may have been
    equal: bool = False  # the target held it before, and nothing was written
    caused_by: Cause | None = None  # the first cause of the write, where that is another one than the record's


@made_quickly
@dataclass(frozen=True, slots=True)
class MatchedChange:
    """One object's fields as one pair sees them. Key: pair."""

    integration: str  # whose pair
    connection: int  # the connection it was observed under
    revision: int  # the revision of the mapping it was matched with
    mapping: str  # the mapping's name
    match_value: str  # the normalised value both sides share
    system: System  # the side the object is on
    object_type: str  # the system's object type
    object_id: str  # the system's id of the object
    presence: Presence  # joined: it is on this side of the pair; left: it is no more
    at_ms: int  # vendor clock: earliest time of the newest of its own fields
    spread_ms: int  # how much later it may have been
    origin: Origin  # the road it came by
    fields: Mapping[str, StampedValue] = field(default_factory=dict)  # every known field the mapping uses
    answered: Mapping[str, FieldAnswer] = field(default_factory=dict)  # receipt: what our write asked for and got
    run_id: str | None = None  # the full sync it belongs to
    bulk: bool = False  # true: what it derives is written after live patches
    caused_by: Cause | None = None  # the first cause
    activity: ActivityEvent | None = None  # what the object did, where that is the news
    found: int = 0  # how many objects of its system a lookup found for the match value; 0: no lookup
    settled: tuple[str, ...] = ()  # fields newer than what was known, whatever their stamps say: a later read told


@made_quickly
@dataclass(frozen=True, slots=True)
class FieldPatch:
    """The smallest write that brings one object in step. Key: integration."""

    integration: str  # whose object
    connection: int  # the connection it was derived under
    revision: int  # the revision of the mapping
    mapping: str  # the mapping's name
    match_value: str  # the pair it was derived for
    system: System  # the target's system
    object_type: str  # the target's type
    object_id: str  # the target's id
    fields: Mapping[str, FieldValue]  # target field -> converted value; null clears
    run_id: str | None = None  # the full sync it belongs to
    bulk: bool = False  # true: written after live patches
    caused_by: Cause | None = None  # the first cause
    known_until_ms: Mapping[str, int] = field(
        default_factory=dict
    )  # target field -> until when its known value was seen; missing: not known


def timeline_event_id(activity_id: str, object_type: str, object_id: str) -> str:
    """One id for one Userflow event on one HubSpot record's timeline."""
    return hashlib.sha256(repr((activity_id, object_type, object_id)).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """One dated happening for one object's timeline. Key: integration."""

    integration: str  # whose object
    connection: int  # the connection it was derived under
    revision: int  # the revision of the mapping
    mapping: str  # the mapping's name
    match_value: str  # the pair it was derived for
    object_type: str  # the target's type
    object_id: str  # the target's id
    event_id: str  # hash(Userflow event id, object type, target id): the same whatever mapping streams or replays it
    name: str  # the event's name
    occurred_at_ms: int  # vendor clock
    attributes: Mapping[str, FieldValue] = field(default_factory=dict)  # the event's attributes
    run_id: str | None = None  # the replay or full sync it belongs to
    caused_by: Cause | None = None  # the first cause
    activity_id: str = ""  # the system's id of the event it tells of; empty before ids hashed the target

    def on(self, object_id: str) -> "TimelineEvent":
        """The same event on another record's timeline, that of a merge's survivor say."""
        known = bool(self.activity_id)
        event_id = timeline_event_id(self.activity_id, self.object_type, object_id) if known else self.event_id
        return replace(self, object_id=object_id, event_id=event_id)


@dataclass(frozen=True, slots=True)
class StateCommand:
    """Work on the state of one partition of one stage. Key: the object (resend), else `partition-<n>`."""

    integration: str  # whose state
    connection: int  # the connection it was asked under
    stage: Stage  # the agent it is for
    kind: CommandKind  # rederive, ask for, compare pairs; resend, reread, sweep objects; stream an event; forget all
    mapping: str | None = None  # only this mapping
    object_key: str | None = None  # resend, stream: the object; rederive: the pair; sweep: how keys of a type begin
    cursor: str | None = None  # go on after this state key
    run_id: str | None = None  # the full sync it belongs to
    retry_refused: bool = False  # rederive: also what was refused or contested
    caused_by: Cause | None = None  # the first cause
    where: Mapping[str, FieldValue] = field(
        default_factory=dict
    )  # reread: HubSpot objects known to hold one of these values
    bulk: bool = False  # true: what it leads to goes on as bulk
    event: TimelineEvent | None = None  # stream: the event, for the timeline of the object
    step: CommandStep = ""  # the step of a full sync; empty where it belongs to none
    attempt: int = 0  # how often the run has asked for this step
    counts: Mapping[str, int] = field(default_factory=dict)  # what the slices before this one counted
    samples: tuple[str, ...] = ()  # what the slices before this one found worth showing: ids and field names
    system: System | None = None  # ask: the system that is asked for the match values
    whole: tuple[str, ...] = ()  # compare: `<system>.<object type>`s of which the run read every object
    most: int = 0  # compare: after so many fields to write it rests, until the run asks it to go on; 0: it never does
    fields: tuple[str, ...] = ()  # rederive: only these `<system>.<field>`s of what was refused; none named: all


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a patch or a timeline event where nothing was observed. Key: pair."""

    integration: str  # whose pair
    connection: int  # the connection of the patch
    revision: int  # the mapping revision of the patch
    mapping: str  # the mapping's name
    match_value: str  # the pair
    system: System  # the target's system
    object_type: str  # the target's type
    object_id: str  # the target's id
    kind: ReceiptKind  # refused; parked while away; superseded by a later patch; missed: nobody holds the match value
    fields: Mapping[str, FieldValue]  # the target fields concerned and what was sent
    reason: str | None = None  # stable code of a refusal
    run_id: str | None = None  # the full sync it belongs to
    caused_by: Cause | None = None  # the first cause
    event: TimelineEvent | None = None  # the timeline event it is about, where it is no patch


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record or a field that could not be handled, with the reason. Key: the original key."""

    id: str  # hash of what was refused: the same letter written twice has one id
    integration: str | None  # whose record; null where it could not be read
    stage: str  # where it was refused: objects, pairs, hubspot.source, hubspot.sink, ...
    reason: str  # stable code
    detail: str  # a sentence without field values
    topic: str  # topic of the record that was being handled
    partition: int  # its partition
    offset: int  # its offset
    key: str  # its key
    value: bytes  # its value as it stood on the topic
    at_ms: int  # our clock: when it was refused
    mapping: str | None = None  # the mapping concerned
    field: str | None = None  # the target field concerned
    caused_by: Cause | None = None  # the first cause
    redrives: int = 0  # how often its record had been published again from this letter


@dataclass(frozen=True, slots=True)
class FieldRule:
    """One field's road within a mapping, its types resolved."""

    direction: Direction  # which side is written
    source: str  # the owner's field
    source_type: FieldType  # its type
    target: str  # the field that is written
    target_type: FieldType  # its type
    target_options: tuple[str, ...] = ()  # what an enumeration or multi-select target accepts
    on_empty: OnEmpty = "clear"  # what an empty value does
    target_external: bool = (
        False  # true: the target's options are kept elsewhere; where none are known it judges itself
    )

    @property
    def written(self) -> System:
        """The system that holds the target."""
        return "hubspot" if self.direction == "to_hubspot" else "userflow"


@dataclass(frozen=True, slots=True)
class ObjectMapping:
    """One object mapping of an active integration. Key: integration and mapping."""

    integration: str  # whose mapping
    connection: int  # the connection it belongs to
    revision: int  # raised by every apply
    name: str  # the mapping's name
    hubspot_type: str  # HubSpot object type
    userflow_type: str  # Userflow object type
    match_hubspot: str  # the HubSpot ID field
    match_userflow: str  # the Userflow ID field; `id` is the object's own id
    on_several: OnSeveral  # what several HubSpot candidates mean
    rules: tuple[FieldRule, ...]  # its field rules
    stream_events: bool = False  # whether events go to the timeline
    event_names: tuple[str, ...] = ()  # only these events; none named: all
    match_hubspot_type: FieldType = "string"  # the type of the HubSpot ID field
    match_hubspot_unique: bool = False  # true: HubSpot lets no two objects share its value
    read_since: Mapping[str, int] = field(default_factory=dict)  # `<system>.<field>` -> revision, not read just before

    def object_type(self, system: System) -> str:
        """Its object type in that system."""
        return self.hubspot_type if system == "hubspot" else self.userflow_type

    def match_field(self, system: System) -> FieldDefinition:
        """The field of that system that it matches by."""
        if system == "hubspot":
            return FieldDefinition(self.match_hubspot, self.match_hubspot_type, unique=self.match_hubspot_unique)
        return FieldDefinition(self.match_userflow, "string")


@dataclass(frozen=True, slots=True)
class SourcePosition:
    """How far one feed of a system was pulled. Key: integration, system and feed."""

    integration: str  # whose feed
    connection: int  # the connection it was pulled under
    system: System  # the system that is asked
    feed: str  # `journal`, `contacts/modified`, ...
    position: str  # everything up to here was published; in the feed's own words
    at_ms: int  # our clock: when it was kept
