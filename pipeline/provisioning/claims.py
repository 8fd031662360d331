"""Claims on accounts and environments: each belongs to one integration, a second claim is refused."""

from collections.abc import Mapping
from typing import Final

from pipeline.integration_file.model import IntegrationFile
from pipeline.integration_file.problems import Problem
from schemas.configuration import DesiredIntegration, IntegrationPart, IntegrationSettings, Sections
from schemas.values import System

_PLACES: Final[Mapping[System, tuple[str, str]]] = {
    "hubspot": ("hubspot.account", "this HubSpot account"),
    "userflow": ("userflow.api_key", "this Userflow environment"),
}

Parts = Mapping[str, IntegrationPart]


def claim_keys(request: DesiredIntegration | IntegrationSettings | Sections) -> dict[System, str]:
    """The keys of `sync.integrations` by which a request claims its account and its environment."""
    return {
        "hubspot": f"claim/hubspot/{request.hubspot.account}",
        "userflow": f"claim/userflow/{request.userflow.options.get('claim', request.userflow.account)}",
    }


def same_accounts(one: DesiredIntegration | IntegrationSettings, other: IntegrationSettings) -> bool:
    """Whether both mean the same account and environment. An environment is another if both name and key are new."""
    same_key = claim_keys(one)["userflow"] == claim_keys(other)["userflow"]
    return one.hubspot.account == other.hubspot.account and (same_key or _environment(one) == _environment(other))


def _environment(one: DesiredIntegration | IntegrationSettings) -> tuple[str, str | None]:
    return one.userflow.account, one.userflow.options.get("region")


def rightful(settings: IntegrationSettings) -> set[str]:
    """The claims that an integration may hold: for the accounts in force, and for those it falls back to."""
    if settings.state == "disconnected":
        return set()
    fallback = claim_keys(settings.fallback).values() if settings.fallback is not None else ()
    return {*claim_keys(settings).values(), *fallback}


def other_holders(name: str, request: DesiredIntegration, parts: Parts) -> dict[System, str]:
    """Other integrations that hold a claim the request needs, by system."""
    holders = {}
    for system, key in claim_keys(request).items():
        part = parts.get(key)
        if part is not None and part.claim is not None and part.claim.integration != name:
            holders[system] = part.claim.integration
    return holders


def check_claims(file: IntegrationFile, request: DesiredIntegration, parts: Parts) -> tuple[Problem, ...]:
    """A problem, with its line, for each claim of the file that another integration holds."""
    problems = []
    for system, holder in other_holders(file.integration, request, parts).items():
        path, what = _PLACES[system]
        fix = f"use another one, or run `pairstream integration disconnect {holder}` first"
        problems.append(file.positions.problem(path, f"{what} is already claimed by integration {holder}", fix))
    return tuple(problems)
