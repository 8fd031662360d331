"""The records of what operators did, and of what they were told; `schemas/avro/<name>.avsc` is their wire format.

Times are as in `schemas/records.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

REPLAY: Final = "pairstream.replay.id"
"""The header of a record that a replay published again: what names the replay, and leaves it out of a later one."""

ReplayState = Literal["running", "completed", "cancelled"]
MarkState = Literal["open", "mended", "redriven", "discarded"]
Condition = Literal["ok", "needs_reconnect", "failed", "unavailable", "stopped", "behind", "over"]
NoticeState = Literal["waiting", "told", "given_up"]
AccessKind = Literal["link", "session", "token"]
ConsoleRole = Literal["viewer", "operator", "admin"]


@dataclass(frozen=True, slots=True)
class LetterMark:
    """What was done about a dead letter. Key: the letter."""

    letter: str  # the letter's id
    state: MarkState  # redriven: tried once more; mended: seen to be written, or handled; discarded; open: given back
    at_ms: int  # our clock: when it was marked
    by: str  # who marked it: user@machine
    redrives: int = 0  # how often it was redriven
    note: str = ""  # why, in the words of whoever marked it


@dataclass(frozen=True, slots=True)
class Notice:
    """The newest change of state that is told to PAIRSTREAM_NOTIFY_URL. Key: what changed."""

    integration: str  # whose state; empty for a stage of the installation
    subject: str  # what has the state: a system, `full-sync`, or the stage
    condition: Condition  # how it is; over: the integration is disconnected or forgotten
    before: str  # the condition that was told of last; `ok` where none was
    number: int  # how many changes there were of this subject, this one included
    notice_id: str  # the same however often it is sent
    at_ms: int  # our clock: when the change was decided
    state: NoticeState  # waiting: to be sent; told: the URL took it; given_up: it did not, for too long
    reason: str = ""  # stable code, or a sentence without values: why it is so

    @property
    def key(self) -> str:
        """The key of its row."""
        return f"{self.integration}/{self.subject}"


@dataclass(frozen=True, slots=True)
class Replay:
    """One replay: what is published again, and how far that has come. Key: the replay.

    Its row is written in the transaction of the records that it tells of. Places are `<topic>[<partition>]`.
    """

    replay_id: str  # the replay
    integration: str  # whose records
    connection: int  # the connection whose records are published again
    state: ReplayState  # where it stands
    by: str  # who began it: user@machine
    started_at_ms: int  # our clock
    updated_at_ms: int  # our clock: heartbeat
    topics: tuple[str, ...]  # what is read
    begins: Mapping[str, int]  # place -> the first offset
    ends: Mapping[str, int]  # place -> the offset behind the last
    reached: Mapping[str, int]  # place -> where it goes on
    before: Mapping[str, int]  # place -> where the topics of patches ended when it began
    mapping: str | None = None  # only objects of this mapping's types
    object_key: str | None = None  # only this object
    records: int = 0  # how many are to be published
    published: int = 0  # how many were
    planned: int = 0  # the objects that its plan says are written
    written: int = 0  # the objects that patches were made for
    refused: int = 0  # the values that were refused


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what. Key: integration."""

    at_ms: int  # our clock
    integration: str  # to which it was done; empty: to the installation
    action: str  # apply, pause, full-sync start, revision in force, dead-letters redrive, ...
    by: str  # a user, or a role and its ordinal
    place: str  # from where: the machine, and the command where it was one
    detail: str = ""  # what exactly; no values, no secrets
    revision: int = 0  # the revision that it brought into force; 0: none
    document: str | None = None  # the integration file of that revision, secrets as ${NAME}


@dataclass(frozen=True, slots=True)
class ConsoleAccess:
    """A way into the console. Key: its kind, and the SHA-256 of its secret, which stands nowhere on the brokers."""

    kind: AccessKind  # link: good once, to sign in; session: what it began; token: for scripts, which only read
    role: ConsoleRole  # what it permits
    name: str  # whose it is: user@machine
    made_at_ms: int  # our clock
    ends_at_ms: int  # our clock: from then on it opens nothing
    claimed_by: str = ""  # link: the try to sign in that uses it; of several the first on the topic counts
