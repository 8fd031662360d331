"""Every topic in one table: key, record, how long it is kept and whether it is compacted."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from schemas import configuration, erasures, operating, records, runs, state, vitals
from schemas.values import System

HOUR_MS = 60 * 60 * 1000
DAY_MS = 24 * HOUR_MS
MAX_MESSAGE_BYTES = 1_048_588
"""What every topic is set to take at once: a batch of one message, its key and Kafka's own frame; Kafka's default."""
MAX_RECORD_BYTES = 1_000_000 - 4_096
"""What a record's own bytes may be; the rest is for the longest of keys."""

TopicAndPartition = tuple[str, int]
"""A topic and a partition number."""

KeyKind = Literal[
    "integration",
    "object",
    "pair",
    "partition",
    "configuration",
    "feed",
    "run",
    "erasure",
    "letter",
    "replay",
    "original",
    "process",
    "subject",
    "access",
]

KEYS: Mapping[KeyKind, str] = {
    "integration": "the integration's name",
    "object": "`<integration>:<connection>:<system>:<type>:<id>`",
    "pair": "`<integration>:<connection>:<mapping>:<match value>`",
    "partition": "the object, or `partition-<number>`",
    "configuration": "what it configures, with one writer for each key: see `schemas/configuration.py`",
    "feed": "`<integration>/<system>/<feed>`",
    "run": "the full sync, with stage and partition where it is a part of one",
    "erasure": "the object, or what is done about it: see `schemas/erasures.py`",
    "letter": "the dead letter's id",
    "replay": "the replay's id",
    "original": "the key of the record that was refused",
    "process": "the process: its role and ordinal",
    "subject": "`<integration>/<what changed>`; a stage stands behind no name: `/pairs`",
    "access": "`<kind>/<SHA-256 of its secret>`",
}
"""The form of each kind of key."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. `retention_days` is None for a compacted topic, which keeps the newest record of each key.

    With `compacted` it does so for that many days.
    """

    name: str
    key: KeyKind
    record: type[Any]
    retention_days: int | None
    compacted: bool = False

    def broker_settings(self, changes_retention_days: int | None = None) -> dict[str, str]:
        """The topic settings that `topics apply` asks of the broker. `changes_retention_days` replaces the table's."""
        limit = {"max.message.bytes": str(MAX_MESSAGE_BYTES)}
        if self.retention_days is None:
            # rows that were replaced, or erased, are gone a day later however little is written
            lag = {"segment.ms": str(DAY_MS), "max.compaction.lag.ms": str(DAY_MS), "delete.retention.ms": str(DAY_MS)}
            return {**limit, **lag, "cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.2"}
        days = self.retention_days
        if changes_retention_days is not None and self.name in REPLAYABLE:
            days = changes_retention_days
        policy = "compact,delete" if self.compacted else "delete"
        kept = {**limit, "cleanup.policy": policy, "retention.ms": str(days * DAY_MS)}
        # what is written all day though nothing happens: the segment being written is never deleted
        return {**kept, "segment.ms": str(HOUR_MS)} if self.key == "process" else kept


HUBSPOT_NOTIFICATIONS = "hubspot.notifications"
USERFLOW_NOTIFICATIONS = "userflow.notifications"
HUBSPOT_REQUESTS = "hubspot.requests"
USERFLOW_REQUESTS = "userflow.requests"
HUBSPOT_CHANGES = "hubspot.changes"
USERFLOW_CHANGES = "userflow.changes"
USERFLOW_ACTIVITY = "userflow.activity"
MATCHES = "sync.matches"
STATE_COMMANDS = "sync.state-commands"
HUBSPOT_FIELD_PATCHES = "hubspot.field-patches"
USERFLOW_FIELD_PATCHES = "userflow.field-patches"
HUBSPOT_TIMELINE_EVENTS = "hubspot.timeline-events"
RECEIPTS = "sync.receipts"
DEAD_LETTERS = "sync.dead-letters"
LETTER_MARKS = "sync.dead-letter-marks"
REPLAYS = "sync.replays"
AUDIT = "sync.audit"
OBJECTS_STATE = "sync.objects-state"
PAIRS_STATE = "sync.pairs-state"
INTEGRATIONS = "sync.integrations"
MAPPINGS = "sync.mappings"
RUNS = "sync.runs"
ERASURES = "sync.erasures"
POSITIONS = "sync.positions"
VITALS = "sync.vitals"
NOTICES = "sync.notices"
CONSOLE = "sync.console"

WORKER_GROUP = "pairstream-worker"
"""The consumer group of the agents, whose lag the rim measures too."""

REPLAYABLE = (HUBSPOT_CHANGES, USERFLOW_CHANGES)

TOPICS: dict[str, Topic] = {
    topic.name: topic
    for topic in (
        Topic(HUBSPOT_NOTIFICATIONS, "integration", records.Notification, 7),
        Topic(USERFLOW_NOTIFICATIONS, "integration", records.Notification, 7),
        Topic(HUBSPOT_REQUESTS, "integration", records.ConnectorRequest, 1),
        Topic(USERFLOW_REQUESTS, "integration", records.ConnectorRequest, 1),
        Topic(HUBSPOT_CHANGES, "object", records.ChangeEvent, 7),
        Topic(USERFLOW_CHANGES, "object", records.ChangeEvent, 7),
        Topic(USERFLOW_ACTIVITY, "object", records.ActivityEvent, 7),
        Topic(MATCHES, "pair", records.MatchedChange, 1),
        Topic(STATE_COMMANDS, "partition", records.StateCommand, 1),
        Topic(HUBSPOT_FIELD_PATCHES, "integration", records.FieldPatch, 3),
        Topic(USERFLOW_FIELD_PATCHES, "integration", records.FieldPatch, 3),
        Topic(HUBSPOT_TIMELINE_EVENTS, "integration", records.TimelineEvent, 3),
        Topic(RECEIPTS, "pair", records.Receipt, 7),
        Topic(DEAD_LETTERS, "original", records.DeadLetter, 30),
        Topic(LETTER_MARKS, "letter", operating.LetterMark, 30, compacted=True),
        Topic(AUDIT, "integration", operating.AuditEntry, 400),
        Topic(REPLAYS, "replay", operating.Replay, 30, compacted=True),
        Topic(OBJECTS_STATE, "object", state.ObjectState, None),
        Topic(PAIRS_STATE, "pair", state.PairState, None),
        Topic(INTEGRATIONS, "configuration", configuration.IntegrationPart, None),
        Topic(MAPPINGS, "configuration", records.ObjectMapping, None),
        Topic(RUNS, "run", runs.RunProgress, None),
        Topic(ERASURES, "erasure", erasures.ErasurePart, None),
        Topic(POSITIONS, "feed", records.SourcePosition, None),
        Topic(VITALS, "process", vitals.Vitals, 1),
        Topic(NOTICES, "subject", operating.Notice, None),
        Topic(CONSOLE, "access", operating.ConsoleAccess, None),
    )
}


def changes_topic(system: str) -> str:
    return f"{system}.changes"


def notifications_topic(system: str) -> str:
    return f"{system}.notifications"


def requests_topic(system: str) -> str:
    return f"{system}.requests"


def field_patches_topic(system: str) -> str:
    return f"{system}.field-patches"


def object_key(integration: str, connection: int, system: str, object_type: str, object_id: str) -> str:
    """The key of one object's records; ids may hold colons, so the id comes last."""
    return f"{integration}:{connection}:{system}:{object_type}:{object_id}"


def object_of(key: str) -> tuple[System, str, str]:
    """System, object type and id in an object's key."""
    _, _, system, object_type, object_id = key.split(":", 4)
    return "hubspot" if system == "hubspot" else "userflow", object_type, object_id


def pair_key(integration: str, connection: int, mapping: str, match_value: str) -> str:
    """The key of one pair's records; match values may hold colons, so the value comes last."""
    return f"{integration}:{connection}:{mapping}:{match_value}"
