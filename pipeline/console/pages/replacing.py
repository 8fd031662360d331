"""Replacing keys: tried beside those in force, which stay where the new ones are refused."""

import asyncio
import re
from collections.abc import Mapping
from typing import Final

from pipeline.console.files import file_of
from pipeline.console.head import head, settings_in
from pipeline.console.visit import Gone, Shown, Visit
from pipeline.integration_file.variables import SENDABLE
from pipeline.operations import apply
from pipeline.provisioning.state_machine import DISCONNECTED
from schemas.configuration import IntegrationSettings
from schemas.values import SYSTEMS, System

IN_FORCE_S: Final = 60.0
LABELS: Final[Mapping[str, str]] = {
    "api_key": "Userflow API key",
    "token": "HubSpot private-app token",
    "client_secret": "HubSpot client secret",
    "app_secret": "What signs HubSpot's webhooks",
}


async def replace(visit: Visit, problems: Mapping[str, str] | None = None) -> Shown:
    """`GET connection/keys`: an input for each secret that is set; an empty one keeps what is there."""
    settings = settings_in(visit)
    facts = {"head": head(visit, settings, await visit.desk.lag()), "inputs": _inputs(settings)}
    return Shown("keys.html", {**facts, "problems": problems or {}}, 422 if problems else 200)


async def do_replace(visit: Visit) -> Shown | Gone:
    """`POST connection/keys`."""
    settings, desk, name = settings_in(visit), visit.desk, visit.integration
    if settings.state == "disconnected":
        raise apply.NotApplied(f"{name}: {DISCONNECTED}")
    given: dict[System, dict[str, str]] = {}
    for system, key, _ in _inputs(settings):
        text = visit.form.one(key).strip()
        if text and not re.fullmatch(SENDABLE, text):
            return await replace(visit, {key: "It holds a character that no header can hold: copy it again."})
        if text:
            given.setdefault(system, {})[key] = text
    if not given:
        return await replace(visit, {"": "Paste the key that is to be replaced."})
    request = apply.with_secrets(settings, given, desk.planner.seal, desk.now_ms(), name)
    file = await asyncio.to_thread(file_of, settings.document)
    try:
        await apply.put_in_force(desk.publisher, desk.tables, file, request, IN_FORCE_S)
    except apply.NotApplied as refusal:
        return await replace(visit, {"": str(refusal)})
    return Gone(f"/i/{name}/connection")


def _inputs(settings: IntegrationSettings) -> list[tuple[System, str, str]]:
    """System, name and label of each secret that is set and that a person has."""
    return [
        (system, name, LABELS[name])
        for system in SYSTEMS
        for name in settings.section(system).secrets
        if name in LABELS
    ]
