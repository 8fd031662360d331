"""Secrets by the key that sealed them, as the settings page lists them; none is opened for anybody to see. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from pipeline.console.condition import NAMES
from pipeline.operations.rotate import Seal
from schemas.configuration import GRANT, SIGNING

WORDS: Final[Mapping[str, str]] = {
    "token": "private-app token",
    "client_secret": "client secret",
    "refresh_token": "refresh token",
    "app_secret": "app secret",
    "api_key": "API key",
    GRANT: "grant",
    SIGNING: "webhook secret",
}


@dataclass(frozen=True, slots=True)
class SealRow:
    """One secret; more than one record may keep it, as what was asked for and as what is in force."""

    integration: str
    name: str
    keys: tuple[int, ...]  # the numbers of those that open its seals, the newest is 1
    old: int  # how many of its seals are not the newest key's
    shut: bool  # whether none opens one


def seal_rows(seals: Iterable[Seal]) -> list[SealRow]:
    """A row for each secret: those that nobody opens first, then those of an older key."""
    found: dict[tuple[str, str], list[Seal]] = {}
    for one in seals:
        found.setdefault((one.integration, one.place), []).append(one)
    rows = [_row(name, place, some) for (name, place), some in found.items()]
    return sorted(rows, key=lambda row: (not row.shut, not row.old, row.integration, row.name))


def _row(integration: str, place: str, some: list[Seal]) -> SealRow:
    _, system, name = place.rsplit("/", 2)
    told = f"{NAMES['hubspot' if system == 'hubspot' else 'userflow']} {WORDS.get(name, name)}"
    keys = tuple(sorted({one.key for one in some if one.key is not None}))
    return SealRow(integration, told, keys, sum(not one.newest for one in some), any(one.key is None for one in some))


@dataclass(frozen=True, slots=True)
class Sealed:
    """All of them; counted as `pairstream secrets rotate` counts, each record that keeps one."""

    keys: int  # how many there are here
    rows: list[SealRow]
    number: int
    old: int
    shut: int


def sealed_by(keys: int, seals: Iterable[Seal]) -> Sealed:
    """What there is to list, and how many of it are not as they should be."""
    found = list(seals)
    old, shut = sum(not one.newest for one in found), sum(one.key is None for one in found)
    return Sealed(keys, seal_rows(found), len(found), old, shut)
