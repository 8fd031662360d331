"""What the rows of `sync.integrations` say of an integration: what is in force, what its connectors report."""

from collections.abc import Mapping

from schemas.configuration import (
    NOT_GRANTED,
    UNDER_WAY,
    ConnectorState,
    DescribedType,
    Description,
    IntegrationPart,
    IntegrationSettings,
    Sections,
)
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


def trial_answer(
    parts: Mapping[str, IntegrationPart], integration: str, system: System, settings: IntegrationSettings
) -> Description | None:
    """What a system has answered to the step of the trial that is under way; None: nothing yet."""
    part = parts.get(f"{integration}/{system}/trial")
    answer = part.description if part is not None else None
    return answer if answer is not None and answer.inquiry_id == settings.tried else None


def awaits_grant(parts: Mapping[str, IntegrationPart], integration: str, settings: IntegrationSettings) -> bool:
    """Whether the newest request waits for somebody to grant access in a browser, on trial or with nothing in force."""
    if settings.apply_state not in UNDER_WAY:
        return False
    if settings.trial is not None:
        answer = trial_answer(parts, integration, "hubspot", settings)
        return answer is not None and answer.reason == NOT_GRANTED
    state = connector_of(parts, integration, "hubspot")
    return (
        state is not None
        and (state.connection, state.checked_revision) == (settings.connection, settings.revision)
        and (state.status, state.reason) == ("needs_reconnect", NOT_GRANTED)
    )


def to_connect(
    parts: Mapping[str, IntegrationPart], integration: str, settings: IntegrationSettings
) -> IntegrationSettings | Sections:
    """What somebody who connects the integration grants access for: what is on trial, or what is in force."""
    trial = settings.trial
    return trial if trial is not None and awaits_grant(parts, integration, settings) else settings


def types_of(parts: Mapping[str, IntegrationPart], integration: str) -> tuple[DescribedType, ...]:
    """HubSpot's object types, custom ones too, as its connector described them; none where it has not reported."""
    state = connector_of(parts, integration, "hubspot")
    return state.types if state is not None else ()
