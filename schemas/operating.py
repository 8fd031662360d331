"""The records of what operators did, and of what they were told; `schemas/avro/<name>.avsc` is their wire format.

Times are as in `schemas/records.py`.
"""

from dataclasses import dataclass
from typing import Literal

MarkState = Literal["open", "mended", "redriven", "discarded"]
Condition = Literal["ok", "needs_reconnect", "failed", "unavailable", "stopped", "behind", "over"]
NoticeState = Literal["waiting", "told", "given_up"]


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
