"""What is wrong with the installation, in the order in which to mend it: what `pairstream doctor` says."""

import time
from dataclasses import dataclass

from pipeline.console.visit import Gone, Shown, Visit
from pipeline.operations.finding_kinds import FINDINGS
from pipeline.operations.findings import Finding


@dataclass(frozen=True, slots=True)
class Told:
    """A finding, and what mends it."""

    finding: Finding
    fix: str
    command: str


async def doctor(visit: Visit) -> Shown:
    """`/doctor`."""
    began = time.monotonic()
    findings = await visit.desk.doctor_look.get()
    told = [
        Told(one, FINDINGS[one.code].fix, FINDINGS[one.code].command_for(one.integration) or "") for one in findings
    ]
    by_verdict = {
        verdict: [one for one in told if one.finding.verdict == verdict] for verdict in ("wrong", "unknown", "ok")
    }
    return Shown("doctor.html", {**by_verdict, "took": time.monotonic() - began})


async def look_again(visit: Visit) -> Gone:
    """The button: what was seen is forgotten."""
    visit.desk.doctor_look.forget()
    return Gone("/doctor")
