"""The mappings in force, as a person reads them."""

from pipeline.console.drafts import MOST_RULES, WAYS
from pipeline.console.head import head, settings_in
from pipeline.console.pages.integration import mappings_of
from pipeline.console.visit import NotHere, Shown, Visit


async def mappings(visit: Visit) -> Shown:
    """`/i/<integration>/mappings`."""
    settings = settings_in(visit)
    facts = {"head": head(visit, settings, await visit.desk.lag()), "mappings": mappings_of(visit)}
    return Shown("mappings.html", {**facts, "revision": settings.active_revision})


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
