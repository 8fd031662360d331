"""The mappings in force, as a person reads them, and the revisions that there were."""

import asyncio
from collections.abc import Sequence
from typing import Any

from connectors.kafka.groups import BrokersUnreachable
from pipeline.console.desk import LOOKED_S
from pipeline.console.drafts import MOST_RULES, WAYS
from pipeline.console.head import head, refused_apply, settings_in
from pipeline.console.pages.integration import mappings_of
from pipeline.console.revisions import Revision, revisions, what
from pipeline.console.visit import NotHere, Shown, Visit
from pipeline.console.words import clock


async def mappings(visit: Visit) -> Shown:
    """`/i/<integration>/mappings`."""
    settings, now_ms = settings_in(visit), visit.desk.now_ms()
    found = await _revisions(visit, settings.document)
    facts: dict[str, Any] = {  # Any: what a template takes
        "head": head(visit, settings, await visit.desk.lag()),
        "mappings": mappings_of(visit),
        "revision": settings.active_revision,
        "revisions": [(one, clock(one.at_ms, now_ms), what(one.changes)) for one in found],
        "refused_apply": refused_apply(visit, settings),
    }
    return Shown("mappings.html", facts)


async def _revisions(visit: Visit, document: str) -> Sequence[Revision]:
    """None of them where the brokers do not answer."""
    try:
        entries = await visit.desk.audit_look.within(LOOKED_S)
    except (BrokersUnreachable, TimeoutError):
        return ()
    return await asyncio.to_thread(revisions, entries, visit.integration, document)


async def mapping(visit: Visit) -> Shown:
    """`/i/<integration>/mappings/<mapping>`."""
    settings, name = settings_in(visit), visit.request.path_params["mapping"]
    found = next((one for one in mappings_of(visit) if one.name == name), None)
    if found is None:
        path = f"/i/{visit.integration}/mappings"
        raise NotHere(f"{visit.integration} has no mapping {name}", "the mappings in force", path)
    shown = found.rules[:MOST_RULES]
    rules = {way: [rule for rule in shown if rule.direction == way] for way in WAYS}
    facts = {"head": head(visit, settings, await visit.desk.lag()), "mapping": found, "rules": rules}
    return Shown("mapping.html", {**facts, "more": len(found.rules) - len(shown)}, large=True)
