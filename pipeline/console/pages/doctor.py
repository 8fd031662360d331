"""What is wrong with the installation, in the order in which to mend it: what `pairstream doctor` says."""

import time

from pipeline.console.visit import Gone, Shown, Visit


async def doctor(visit: Visit) -> Shown:
    """`/doctor`."""
    began = time.monotonic()
    findings = await visit.desk.doctor_look.get()
    by_verdict = {
        verdict: [one for one in findings if one.verdict == verdict] for verdict in ("wrong", "unknown", "ok")
    }
    return Shown("doctor.html", {**by_verdict, "took": time.monotonic() - began})


async def look_again(visit: Visit) -> Gone:
    """The button: what was seen is forgotten."""
    visit.desk.doctor_look.forget()
    return Gone("/doctor")
