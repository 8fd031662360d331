"""The settings of this process, secrets masked, and who is signed in."""

from pipeline.console.visit import Shown, Visit
from pipeline.console.words import clock
from schemas.topics import CONSOLE


async def settings(visit: Visit) -> Shown:
    """`/settings`."""
    now_ms, rows = visit.desk.now_ms(), visit.desk.tables.table(CONSOLE)
    people = [
        (row.name, row.role, clock(row.made_at_ms, now_ms), clock(row.ends_at_ms, now_ms), key == visit.who.key)
        for key, row in sorted(rows.items(), key=lambda item: -item[1].made_at_ms)
        if row.kind == "session" and row.ends_at_ms > now_ms
    ]
    return Shown("settings.html", {"people": people})
