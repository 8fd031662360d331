"""What every page of one integration begins with: its name, accounts and state, and the tabs."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from pipeline.console.condition import Condition, condition
from pipeline.console.visit import NotHere, Visit
from pipeline.lag.judging import Lag
from pipeline.operations.full_sync import current
from pipeline.operations.refused_apply import refusal_of
from schemas.configuration import IntegrationSettings
from schemas.topics import MAPPINGS

REFUSED = "/refused"
TABS = (
    ("", "Health"),
    ("/mappings", "Mappings"),
    ("/full-sync", "Full sync"),
    (REFUSED, "Refused"),
    ("/explain", "Explain"),
    ("/replay", "Replay"),
    ("/connection", "Connection"),
)


@dataclass(frozen=True, slots=True)
class Head:
    """The top of the page."""

    name: str
    path: str
    hubspot: str
    userflow: str
    condition: Condition
    state: str
    counts: Mapping[str, int]  # by the end of a tab's path: how many there are, where there are any
    may_sync: bool  # whether a full sync may begin: something is mapped, and none is under way


def settings_in(visit: Visit) -> IntegrationSettings:
    """What is in force of the integration in the address. Raises NotHere, with the nearest name."""
    name, there = visit.integration, visit.desk.integrations
    if name in there:
        return there[name]
    nearest = next(iter(get_close_matches(name, there, 1)), "")
    raise NotHere(f"There is no integration {name}", nearest, f"/i/{nearest}" if nearest else "", meant=True)


def refused_apply(visit: Visit, settings: IntegrationSettings) -> str:
    """Why the last apply was refused, where another is in force."""
    refused = settings.apply_state == "failed" and settings.active_revision
    return refusal_of(visit.integration, settings, visit.desk.parts) if refused else ""


def head(visit: Visit, settings: IntegrationSettings, lag: Lag | None) -> Head:
    """The head of a page of this integration."""
    name, desk = visit.integration, visit.desk
    refused = desk.refused(name) or 0
    mapped = sum(row.integration == name for row in desk.tables.table(MAPPINGS).values())
    return Head(
        name,
        f"/i/{name}",
        settings.hubspot.account,
        f"{settings.userflow.account}, {settings.userflow.options.get('region', 'us')}",
        condition(name, settings, desk.parts, desk.runs_of(name), lag, refused, desk.since(name)),
        settings.state,
        {end: many for end, many in (("/mappings", mapped), (REFUSED, refused)) if many},
        settings.state == "active" and mapped > 0 and current(name, desk.runs_of(name)) is None,
    )
