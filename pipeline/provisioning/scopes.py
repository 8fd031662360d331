"""The HubSpot scopes that an integration file needs, and those of them that a grant lacks."""

from collections.abc import Mapping
from typing import Final

from pipeline.integration_file.model import IntegrationFile
from pipeline.integration_file.names import HUBSPOT_TYPES
from pipeline.provisioning.resolve import fields_of
from schemas.configuration import IntegrationPart, KeptGrant

USUAL: Final = ("contacts", "companies")
"""The types that access is asked for where nothing is mapped yet."""


def needed_scopes(file: IntegrationFile) -> list[str]:
    """What the mappings need and no more, in a fixed order; where there is none yet, what mappings usually need."""
    if not file.mappings:
        return sorted({*_usual(), *_of_connection(file), *_of_events(file)})
    written = {mapping.hubspot_type for mapping in file.mappings if mapping.to_hubspot}
    made = {
        mapping.hubspot_type
        for mapping in file.mappings
        if any(not rule.explicit_target for rule in mapping.to_hubspot)
    }
    scopes = _of_connection(file)
    for object_type in fields_of(file, "hubspot"):
        group = object_type if object_type in HUBSPOT_TYPES else "custom"
        scopes |= {f"crm.objects.{group}.read", f"crm.schemas.{group}.read"}
        scopes |= {f"crm.objects.{group}.write"} if object_type in written else set()
        scopes |= {f"crm.schemas.{group}.write"} if object_type in made else set()
    return sorted(scopes | _of_events(file) if streams(file) else scopes)


def _usual() -> set[str]:
    kinds = ("objects", "schemas")
    return {f"crm.{kind}.{one}.{verb}" for kind in kinds for one in USUAL for verb in ("read", "write")}


def _of_connection(file: IntegrationFile) -> set[str]:
    return {"oauth"} if file.hubspot.oauth is not None else set()


def _of_events(file: IntegrationFile) -> set[str]:
    if file.hubspot.timeline == "app_events":
        return {"timeline"}
    return {"analytics.behavioral_events.send", "behavioral_events.event_definitions.read_write"}


def streams(file: IntegrationFile) -> bool:
    """Whether a mapping streams events to timelines."""
    return any(mapping.stream_events for mapping in file.mappings)


def lacking_scopes(file: IntegrationFile, parts: Mapping[str, IntegrationPart]) -> tuple[str, ...]:
    """What the file needs and the grant that is kept has not; none where nobody told what was granted."""
    if not file.mappings:
        return ()
    grant = grant_of(file.integration, parts)
    if file.hubspot.oauth is None or grant is None or not grant.scopes or grant.account != str(file.hubspot.account):
        return ()
    return tuple(scope for scope in needed_scopes(file) if scope not in grant.scopes)


def lacking_sentence(integration: str, scopes: tuple[str, ...]) -> str:
    """What is lacking and what mends it."""
    return (
        f"HubSpot has not granted {', '.join(scopes)}. Fix: give the app these scopes (`pairstream hubspot-project` "
        f"writes its files), then run `pairstream connect {integration}`, whose link asks for them"
    )


def grant_of(integration: str, parts: Mapping[str, IntegrationPart]) -> KeptGrant | None:
    """The access to HubSpot that is kept."""
    part = parts.get(f"{integration}/hubspot/grant")
    return part.grant if part is not None else None
