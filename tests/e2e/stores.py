"""Reads what both simulated vendors hold, for the oracle and for whoever compares it with what people did."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.e2e.oracle import MARKER, MODIFIED, Letter, Mapped, Row, Shown, Side, Stores
from tests.e2e.world import World

RawRow = Mapping[str, Any]
Place = tuple[Side, str]


@dataclass(frozen=True)
class Dump:
    """Every object of both vendors in raw form, by side and object type, and the dead letters so far."""

    raw: Mapping[Place, Mapping[str, RawRow]]
    letters: tuple[Letter, ...]
    shown: tuple[Shown, ...]

    @property
    def stores(self) -> Stores:
        return Stores(
            {kind: self._hubspot(rows, kind) for (side, kind), rows in self.raw.items() if side == "hubspot"},
            {kind: _userflow(rows) for (side, kind), rows in self.raw.items() if side == "userflow"},
        )

    def _hubspot(self, rows: Mapping[str, RawRow], kind: str) -> dict[str, Row]:
        modified = MODIFIED.get(kind, "hs_lastmodifieddate")
        return {
            one: Row(
                one, raw["properties"], not raw["archived"], raw["properties"].get(modified, ""), self._company(raw)
            )
            for one, raw in rows.items()
        }

    def _company(self, raw: RawRow) -> str | None:
        """The company whose fields a record shows: the primary one, else that of the lowest id; none in the bin."""
        companies = self.raw["hubspot", "companies"]
        joined = [one for one in raw["associations"].get("companies", ()) if not companies[one["id"]]["archived"]]
        ranked = sorted(joined, key=lambda one: (not one["primary"], int(one["id"])))
        return ranked[0]["id"] if ranked else None


def places_of(mappings: Iterable[Mapped]) -> tuple[Place, ...]:
    """Every object type of the mappings, and HubSpot's companies, whose fields others show."""
    found: dict[Place, None] = {("hubspot", "companies"): None}
    for mapping in mappings:
        found |= {("hubspot", mapping.hubspot): None, ("userflow", mapping.userflow): None}
    return tuple(found)


async def dump(it: World, places: Iterable[Place]) -> Dump:
    """Everything as it is now; the vendors are read one after the other, so only a quiet world is seen as one."""
    raw = {}
    for side, kind in places:
        control = it.hubspot if side == "hubspot" else it.userflow
        raw[side, kind] = {str(row["id"]): row for row in await control.rows(kind)}
    letters = [Letter(one.key, one.field or "", one.reason) for one in await it.dead_letters()]
    return Dump(raw, tuple(letters), tuple(_shown(event) for event in await it.hubspot.events()))


async def calm(it: World, within_s: float) -> None:
    """Wait until no webhook is under way and no group has a record before it, seen twice in a row."""
    deadline = asyncio.get_running_loop().time() + within_s
    quiet = 0
    while quiet < 2:
        pending = [(await control.deliveries())["pending"] for control in (it.hubspot, it.userflow)]
        unread = await it.unread()
        quiet = 0 if unread or any(pending) else quiet + 1
        assert asyncio.get_running_loop().time() < deadline, f"still under way: {unread}, webhooks {pending}"
        await asyncio.sleep(0.2)


def _userflow(rows: Mapping[str, RawRow]) -> dict[str, Row]:
    return {one: Row(one, raw["attributes"]) for one, raw in rows.items()}


def _shown(event: Mapping[str, Any]) -> Shown:
    """The type's word is the last of the event's name; every marker is the only attribute of its kind."""
    markers = [value for value in event["properties"].values() if str(value).startswith(MARKER)]
    name = str(event.get("eventName") or event["eventTypeName"])
    return Shown(name.rsplit("_", 1)[-1], str(event["objectId"]), markers[0] if markers else "none")
