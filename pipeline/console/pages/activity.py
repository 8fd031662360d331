"""Who did what, from here and from the command line, and what the roles did because of it."""

from pipeline.console.visit import Shown, Visit
from pipeline.console.words import clock, instant

MOST = 200


async def activity(visit: Visit) -> Shown:
    """`/activity`: the newest first; `?of=<integration>`, `by=<person>`, `action=<what>`: of those alone."""
    now_ms, (of, by, action) = visit.desk.now_ms(), map(visit.query, ("of", "by", "action"))
    everything = await visit.desk.audit_look.get()
    found = [
        entry
        for entry in reversed(everything)
        if of in ("", entry.integration) and by in ("", entry.by) and action in ("", entry.action)
    ]
    rows = [(clock(entry.at_ms, now_ms), instant(entry.at_ms), entry) for entry in found[:MOST]]
    choices = {
        "of": sorted({entry.integration for entry in everything if entry.integration}),
        "by": sorted({entry.by for entry in everything}),
        "action": sorted({entry.action for entry in everything}),
    }
    chosen = {"of": of, "by": by, "action": action}
    return Shown("activity.html", {"rows": rows, "more": len(found) > MOST, "choices": choices, "chosen": chosen})
