"""The records of what operators did; `schemas/avro/<name>.avsc` is their wire format.

Times are as in `schemas/records.py`.
"""

from dataclasses import dataclass
from typing import Literal

MarkState = Literal["open", "mended", "redriven", "discarded"]


@dataclass(frozen=True, slots=True)
class LetterMark:
    """What was done about a dead letter. Key: the letter."""

    letter: str  # the letter's id
    state: MarkState  # redriven: tried once more; mended: seen to be written, or handled; discarded; open: given back
    at_ms: int  # our clock: when it was marked
    by: str  # who marked it: user@machine
    redrives: int = 0  # how often it was redriven
    note: str = ""  # why, in the words of whoever marked it
