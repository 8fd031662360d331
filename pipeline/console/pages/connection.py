"""Which accounts are connected, what was granted, and the file that says so; no secret is ever shown."""

from pipeline.console.head import head, settings_in
from pipeline.console.pages.integration import systems
from pipeline.console.visit import Shown, Visit
from pipeline.console.words import clock


async def connection(visit: Visit) -> Shown:
    """`/i/<integration>/connection`."""
    settings, parts, now_ms = settings_in(visit), visit.desk.parts, visit.desk.now_ms()
    part = parts.get(f"{visit.integration}/hubspot/grant")
    kept = part.grant if part is not None else None
    by_oauth = "client_id" in settings.hubspot.options
    return Shown(
        "connection.html",
        {
            "head": head(visit, settings, await visit.desk.lag()),
            "settings": settings,
            "by_oauth": by_oauth,
            "grant": kept,
            "granted": clock(kept.granted_at_ms, now_ms) if kept is not None and kept.granted_at_ms else "",
            "systems": systems(visit.integration, settings, parts),
            "webhooks": f"{visit.desk.about.receiver_url}/webhooks/hubspot",
            "source": settings.hubspot.options.get("source", "webhooks"),
        },
    )
