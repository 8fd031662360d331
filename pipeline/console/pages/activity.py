"""Who did what, from here and from the command line, and what the roles did because of it."""

from pipeline.console.visit import Shown, Visit
from pipeline.console.words import clock

MOST = 200


async def activity(visit: Visit) -> Shown:
    """`/activity`: the newest first; `?of=<integration>`: of that one."""
    now_ms, of = visit.desk.now_ms(), visit.query("of")
    found = [entry for entry in reversed(await visit.desk.audit_look.get()) if of in ("", entry.integration)]
    rows = [(clock(entry.at_ms, now_ms), entry) for entry in found[:MOST]]
    return Shown("activity.html", {"rows": rows, "more": len(found) > MOST, "of": of})
