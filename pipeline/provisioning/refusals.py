"""Why the connectors cannot carry out the request that is under way."""

from collections.abc import Mapping, Sequence

from schemas.configuration import NOT_GRANTED, ConnectorState, IntegrationPart, IntegrationSettings
from schemas.integrations import trial_answer
from schemas.values import SYSTEMS


def not_ready(name: str, settings: IntegrationSettings, parts: Mapping[str, IntegrationPart]) -> str | None:
    """Why a connector cannot make its system ready for this request, while it goes on with what is in force."""
    for system in SYSTEMS:
        answer = trial_answer(parts, name, system, settings)
        if answer is not None and answer.reason is not None:
            return f"{system}: failed: {answer.reason}"
    return None


def rejected(settings: IntegrationSettings, states: Sequence[ConnectorState | None]) -> str | None:
    """Why a connector cannot carry out this request.

    A system that is away is no reason, nor is access that nobody has granted yet: both are waited for.
    """
    for system, state in zip(SYSTEMS, states, strict=True):
        if state is None or state.connection != settings.connection or state.checked_revision != settings.revision:
            continue
        if state.status in ("needs_reconnect", "failed") and state.reason != NOT_GRANTED:
            return f"{system}: {state.status.replace('_', ' ')}: {state.reason}"
    return None
