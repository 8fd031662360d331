"""What the rows of `sync.integrations` say of an integration: what is in force, what its connectors report."""

from collections.abc import Mapping

from schemas.configuration import ConnectorState, DescribedType, IntegrationPart, IntegrationSettings
from schemas.values import System


def every(parts: Mapping[str, IntegrationPart]) -> Mapping[str, IntegrationSettings]:
    """What is in force for each integration, by name."""
    return {
        part.integration: part.settings
        for key, part in sorted(parts.items())
        if part.settings is not None and key.endswith("/settings")
    }


def connected(parts: Mapping[str, IntegrationPart]) -> Mapping[str, IntegrationSettings]:
    """The same without integrations that are disconnected."""
    return {name: settings for name, settings in every(parts).items() if settings.state != "disconnected"}


def settings_of(parts: Mapping[str, IntegrationPart], integration: str) -> IntegrationSettings | None:
    """What is in force for an integration."""
    part = parts.get(f"{integration}/settings")
    return part.settings if part is not None else None


def connector_of(parts: Mapping[str, IntegrationPart], integration: str, system: System) -> ConnectorState | None:
    """The last report of a system's connector."""
    part = parts.get(f"{integration}/{system}")
    return part.connector if part is not None else None


def types_of(parts: Mapping[str, IntegrationPart], integration: str) -> tuple[DescribedType, ...]:
    """HubSpot's object types, custom ones too, as its connector described them; none where it has not reported."""
    state = connector_of(parts, integration, "hubspot")
    return state.types if state is not None else ()
