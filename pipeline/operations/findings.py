"""The result of one check of `pairstream doctor`."""

from dataclasses import dataclass
from typing import Literal

FindingStatus = Literal["ok", "wrong", "unknown"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check, with its remedy where something is wrong."""

    what: str
    verdict: FindingStatus
    detail: str
