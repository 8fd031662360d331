"""Every seal of a record is found, with the place it was bound to, and can be put there anew."""

from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest

from schemas.configuration import (
    ConnectorState,
    DesiredIntegration,
    IntegrationPart,
    IntegrationSettings,
    KeptGrant,
    Sections,
    SystemSettings,
)
from schemas.seals import resealed, seals_of


def section(*names: str) -> SystemSettings:
    return SystemSettings("1", secrets=dict.fromkeys(names, b"seal"))


HUBSPOT, USERFLOW = section("client_secret", "refresh_token"), section("api_key")
SECTIONS = Sections("", HUBSPOT, USERFLOW)
SETTINGS = IntegrationSettings(1, 1, 1, "active", "a", "done", None, "", HUBSPOT, USERFLOW)
OF_SECTIONS = ["acme/hubspot/client_secret", "acme/hubspot/refresh_token", "acme/userflow/api_key"]
STATE = ConnectorState(1, 1, 1, "ok", grant=b"seal", webhook_secret=b"seal")
CASES = {
    "acme/desired": (
        IntegrationPart("acme", desired=DesiredIntegration("a", "active", "", HUBSPOT, USERFLOW, 0)),
        OF_SECTIONS,
    ),
    "acme/settings": (
        IntegrationPart("acme", settings=replace(SETTINGS, fallback=SECTIONS, trial=SECTIONS)),
        [*OF_SECTIONS, *OF_SECTIONS, *OF_SECTIONS],
    ),
    "acme/hubspot": (IntegrationPart("acme", connector=STATE), ["acme/hubspot/grant", "acme/hubspot/webhook_secret"]),
    "acme/userflow": (
        IntegrationPart("acme", connector=STATE),
        ["acme/userflow/grant", "acme/userflow/webhook_secret"],
    ),
    "acme/hubspot/grant": (IntegrationPart("acme", grant=KeptGrant("1", b"seal")), ["acme/hubspot/grant"]),
    "acme/hubspot/trial-grant": (IntegrationPart("acme", grant=KeptGrant("1", b"seal")), ["acme/hubspot/grant"]),
}


def bytes_in(value: Any) -> list[bytes]:
    """Every bytes value anywhere in a record: only seals are bytes there."""
    if isinstance(value, bytes):
        return [value]
    if is_dataclass(value):
        return [found for field in fields(value) for found in bytes_in(getattr(value, field.name))]
    inner = value.values() if hasattr(value, "values") else value if isinstance(value, tuple) else ()
    return [found for one in inner for found in bytes_in(one)]


@pytest.mark.parametrize("key", CASES)
def test_every_seal_is_found_and_put_anew(key: str) -> None:
    part, places = CASES[key]
    assert sorted(place for _, place in seals_of(key, part)) == sorted(places)
    assert len(bytes_in(part)) == len(places)
    renewed = resealed(key, part, lambda _, place: place.encode())
    assert sorted(bytes_in(renewed)) == sorted(place.encode() for place in places)
    assert resealed(key, part, lambda sealed, _: sealed) == part
