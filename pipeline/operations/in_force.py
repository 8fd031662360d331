"""Which settings are in force, by the rows of `sync.integrations`."""

from collections.abc import Mapping

from schemas.configuration import IntegrationPart, IntegrationSettings


def every(parts: Mapping[str, IntegrationPart]) -> Mapping[str, IntegrationSettings]:
    """What is in force for each integration, by name."""
    return {
        part.integration: part.settings
        for key, part in sorted(parts.items())
        if part.settings is not None and key.endswith("/settings")
    }


def settings_of(parts: Mapping[str, IntegrationPart], integration: str) -> IntegrationSettings | None:
    """What is in force for an integration."""
    part = parts.get(f"{integration}/settings")
    return part.settings if part is not None else None
