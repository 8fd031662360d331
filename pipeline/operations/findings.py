"""The result of one check of `pairstream doctor`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.operations.finding_kinds import FINDINGS, OK, FindingCode

FindingStatus = Literal["ok", "wrong", "unknown"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check, with its remedy where something is wrong."""

    what: str
    verdict: FindingStatus
    detail: str
    code: FindingCode = "ok"
    integration: str | None = None  # whose, where it is about one

    def __post_init__(self) -> None:
        if (self.verdict == OK) != (self.code == OK):
            raise ValueError(f"{self.what}: {self.verdict} with the code {self.code}")


def report(at_ms: int, findings: Sequence[Finding]) -> dict[str, Any]:
    """One object with stable keys: whether anything is wrong, and every finding in the order in which to mend it."""
    return {
        "at_ms": at_ms,
        "healthy": all(one.verdict != "wrong" for one in findings),
        "findings": [_told(one) for one in findings],
    }


def _told(finding: Finding) -> dict[str, Any]:
    kind = FINDINGS[finding.code]
    return {
        "code": finding.code,
        "verdict": finding.verdict,
        "what": finding.what,
        "integration": finding.integration,
        "detail": finding.detail,
        "meaning": kind.meaning,
        "fix": kind.fix,
        "command": kind.command_for(finding.integration) or None,
        "page": f"reference/findings/{finding.code}.html" if finding.code != OK else None,
    }


def line(finding: Finding) -> str:
    """The finding for a person, its code last."""
    code = "" if finding.code == OK else f" ({finding.code})"
    return f"{finding.verdict:<8} {finding.what}: {finding.detail}{code}"
