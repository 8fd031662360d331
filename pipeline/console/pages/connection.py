"""Which accounts are connected, what was granted, and the file that says so; no secret is ever shown."""

from pipeline.console.head import head, settings_in
from pipeline.console.pages.integration import systems
from pipeline.console.visit import Shown, Visit
from pipeline.console.words import clock
from pipeline.operations.webhooks import last_accepted_ms
from schemas.integrations import to_connect
from schemas.values import SYSTEMS


async def connection(visit: Visit) -> Shown:
    """`/i/<integration>/connection`."""
    settings, parts, now_ms = settings_in(visit), visit.desk.parts, visit.desk.now_ms()
    part = parts.get(f"{visit.integration}/hubspot/grant")
    kept = part.grant if part is not None else None
    lag = await visit.desk.lag()
    rows = lag.processes if lag is not None else ()
    arrived = {system: last_accepted_ms(rows, system, visit.integration) for system in SYSTEMS}
    by_oauth = "client_id" in settings.hubspot.options
    tried = to_connect(parts, visit.integration, settings)
    return Shown(
        "connection.html",
        {
            "head": head(visit, settings, lag),
            "arrived": {system: clock(at_ms, now_ms) if at_ms else "" for system, at_ms in arrived.items()},
            "settings": settings,
            "by_oauth": by_oauth,
            "awaited": tried.hubspot.account if tried is not settings else "",
            "grant": kept,
            "granted": clock(kept.granted_at_ms, now_ms) if kept is not None and kept.granted_at_ms else "",
            "systems": systems(visit.integration, settings, parts),
            "webhooks": f"{visit.desk.about.receiver_url}/webhooks/hubspot",
            "source": settings.hubspot.options.get("source", "webhooks"),
        },
    )
