"""Where sealed secrets stand in a record of `sync.integrations`, and the same record with each sealed again."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeAlias, TypeVar

from schemas.configuration import (
    GRANT,
    SIGNING,
    ConnectorState,
    DesiredIntegration,
    IntegrationPart,
    IntegrationSettings,
    KeptGrant,
    Sections,
    SystemSettings,
    secret_place,
)
from schemas.values import SYSTEMS, System

Renew: TypeAlias = Callable[[bytes, str], bytes]
"""A seal and its place -> the seal that is to stand there; the same one where nothing is to change."""

S = TypeVar("S", Sections, DesiredIntegration)


def seals_of(key: str, part: IntegrationPart) -> Iterator[tuple[bytes, str]]:
    """Every seal of a record, with its place."""
    found: list[tuple[bytes, str]] = []

    def noted(sealed: bytes, place: str) -> bytes:
        found.append((sealed, place))
        return sealed

    resealed(key, part, noted)
    yield from found


def resealed(key: str, part: IntegrationPart, renew: Renew) -> IntegrationPart:
    """The record with every seal renewed."""
    name = part.integration
    if part.desired is not None:
        return replace(part, desired=_sections(name, part.desired, renew))
    if part.settings is not None:
        return replace(part, settings=_settings(name, part.settings, renew))
    system = next((one for one in SYSTEMS if key.startswith(f"{name}/{one}")), None)
    if system is not None and part.connector is not None:
        return replace(part, connector=_connector(name, system, part.connector, renew))
    if system is not None and part.grant is not None:
        return replace(part, grant=_grant(name, system, part.grant, renew))
    return part


def _settings(name: str, settings: IntegrationSettings, renew: Renew) -> IntegrationSettings:
    kept = settings.fallback, settings.trial
    fallback, trial = (None if one is None else _sections(name, one, renew) for one in kept)
    return replace(
        settings,
        hubspot=_section(name, "hubspot", settings.hubspot, renew),
        userflow=_section(name, "userflow", settings.userflow, renew),
        fallback=fallback,
        trial=trial,
    )


def _sections(name: str, one: S, renew: Renew) -> S:
    hubspot = _section(name, "hubspot", one.hubspot, renew)
    return replace(one, hubspot=hubspot, userflow=_section(name, "userflow", one.userflow, renew))


def _section(name: str, system: System, section: SystemSettings, renew: Renew) -> SystemSettings:
    secrets = {one: renew(sealed, secret_place(name, system, one)) for one, sealed in section.secrets.items()}
    return replace(section, secrets=secrets)


def _connector(name: str, system: System, state: ConnectorState, renew: Renew) -> ConnectorState:
    def renewed(sealed: bytes | None, secret: str) -> bytes | None:
        return None if sealed is None else renew(sealed, secret_place(name, system, secret))

    grant, signing = renewed(state.grant, GRANT), renewed(state.webhook_secret, SIGNING)
    return replace(state, grant=grant, webhook_secret=signing)


def _grant(name: str, system: System, grant: KeptGrant, renew: Renew) -> KeptGrant:
    return replace(grant, refresh_token=renew(grant.refresh_token, secret_place(name, system, GRANT)))
