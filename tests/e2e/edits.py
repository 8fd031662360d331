"""People who edit both systems at random, and a note of all they did: the same seed does the same edits.

`People.held` is what both stores would hold had nobody but people written to them: whatever differs from it, but for
the fields that mappings write, was written by somebody who should not have.
"""

import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pipeline.local.control import SimulatorControl
from tests.e2e.everything import HUBSPOT, SITES, USERFLOW, WORKSPACES, Editable
from tests.e2e.oracle import MARKER, Side, Tracked
from tests.e2e.stores import Dump, Place
from tests.e2e.world import World

COUNTED: Final = frozenset({"createdate", "lastmodifieddate"})
EVENTS: Final = {"flow_started": "flow_name", "checklist_task_completed": "checklist_task_name"}
SHARES: Final[Mapping[Place, float]] = {
    ("hubspot", "contacts"): 0.40,
    ("hubspot", "companies"): 0.20,
    ("hubspot", "deals"): 0.20,
    ("hubspot", WORKSPACES): 0.12,
    ("hubspot", SITES): 0.08,
    ("userflow", "users"): 0.70,
    ("userflow", "companies"): 0.30,
}
FIRST_USER: Final = 1001


@dataclass
class Kept:
    """One object as people left it."""

    fields: dict[str, Any]
    live: bool = True


Operation = Callable[[], Awaitable[None]]


@dataclass
class People:
    """Random edits in a running world; `silent` ones, of which no webhook tells, only where asked for."""

    it: World
    seed: int
    held: dict[Place, dict[str, Kept]] = field(default_factory=dict)
    tracked: list[Tracked] = field(default_factory=list)
    moved: set[tuple[Side, str, str]] = field(default_factory=set)  # objects that may have changed their pair
    done: dict[str, int] = field(default_factory=dict)
    _overwritten: set[tuple[Place, str, str]] = field(default_factory=set)
    _numbers: int = 0

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)
        self.held = {place: {} for place in SHARES}

    # the first population

    async def populate(self, objects: int) -> None:
        """So many objects on each side, silently: most have a partner, some have none, a few have rivals."""
        for place, share in SHARES.items():
            for number in range(max(round(objects * share), 2)):
                object_id, fields = self._newcomer(place, number)
                self.held[place][object_id] = Kept(fields)
        await self.it.hubspot.seed(
            {
                "objects": {
                    kind: [{"id": object_id, "properties": kept.fields} for object_id, kept in rows.items()]
                    for (side, kind), rows in self.held.items()
                    if side == "hubspot"
                },
                "associations": self._links(),
            }
        )
        await self.it.userflow.seed(
            {
                {"users": "users", "companies": "groups"}[kind]: [
                    {"id": object_id, "attributes": kept.fields} for object_id, kept in rows.items()
                ]
                for (side, kind), rows in self.held.items()
                if side == "userflow"
            }
        )

    def _links(self) -> list[dict[str, Any]]:
        """Most records show a company, some have several."""
        return [
            {
                "from": [kind, object_id],
                "to": ["companies", self._one(("hubspot", "companies"))],
                "primary": self._chance(0.5),
            }
            for (side, kind), rows in self.held.items()
            for object_id in rows
            for _ in range(2)
            if side == "hubspot" and kind != "companies" and self._chance(0.4)
        ]

    def _newcomer(self, place: Place, number: int) -> tuple[str, dict[str, Any]]:
        side, kind = place
        fields = self._filled(place, 0.25)
        mate = str(FIRST_USER + number)
        match kind:
            case "users":
                return mate, {**fields, "email": f"p{number}@example.com"} if self._chance(0.9) else fields
            case "contacts":
                email = self._spelled(f"p{number}@example.com") if self._chance(0.8) else ""
                member = {"member_number": mate} if self._chance(0.5) else {}
                fields = {**fields, "email": email, **member}
            case "companies" if side == "userflow":
                return f"firm-{number}", fields
            case "companies":
                fields |= {"firm_key": f"firm-{number}"} if self._chance(0.8) else {}
            case "deals":
                fields |= {"customer": f"firm-{number * 2 // 3}"}
            case "p12345678_workspace":
                fields |= {"workspace_key": f"firm-{number if self._chance(0.9) else number // 2}"}
            case _:
                fields |= {"owner": mate}
        self._numbers += 1
        return str(10_000 + self._numbers), fields

    def _filled(self, place: Place, share: float) -> dict[str, Any]:
        return {name: make(self._rng) for name, make in _editable(place).own.items() if self._chance(share)}

    # edits

    async def edit(self, *, silent: bool = False) -> None:
        """One random edit."""
        weights: dict[Operation, int] = {
            self._fill: 46,
            self._clear: 8,
            self._overwrite: 4,
            self._rematch: 10,
            self._associate: 8,
            self._create: 5,
            self._delete: 4,
            self._restore: 4,
            self._merge: 4,
            self._track: 7,
        }
        if silent:
            weights[self._vanish] = 8
        [operation] = self._rng.choices(list(weights), list(weights.values()))
        await operation()
        name = operation.__name__.strip("_")
        self.done[name] = self.done.get(name, 0) + 1

    async def _fill(self) -> None:
        place, object_id = self._somebody()
        own = _editable(place).own
        names = self._rng.sample(sorted(own), self._rng.randint(1, min(2, len(own))))
        await self._write(place, object_id, {name: own[name](self._rng) for name in names})

    async def _clear(self) -> None:
        place, object_id = self._somebody()
        await self._write(place, object_id, {self._rng.choice(sorted(_editable(place).own)): _nothing(place[0])})

    async def _overwrite(self) -> None:
        """Into a field that we own: once for each, for three times would be a contest."""
        place, object_id = self._somebody()
        targets = _editable(place).targets
        name = self._rng.choice(sorted(targets))
        if (place, object_id, name) in self._overwritten:
            return
        self._overwritten.add((place, object_id, name))
        await self._control(place[0]).edit(place[1], object_id, {name: targets[name](self._rng)})

    async def _rematch(self) -> None:
        place, object_id = self._somebody([place for place in SHARES if _editable(place).match])
        name = self._rng.choice(_editable(place).match)
        value = self._match_value(place, name)
        self.moved.add((*place, object_id))
        await self._write(place, object_id, {name: value})

    def _match_value(self, place: Place, name: str) -> Any:
        """Another's, a fresh one, or none. HubSpot keeps emails and unique properties apart, Userflow keeps nothing."""
        if self._chance(0.15):
            return _nothing(place[0])
        if name == "email":
            other: Place = (
                ("userflow", "users") if place[0] == "hubspot" or self._chance(0.3) else ("hubspot", "contacts")
            )
            taken = self.held[other][self._one(other)].fields.get("email") or self._fresh("new") + "@example.com"
            email = str(taken).strip().lower()
            return (
                _nothing(place[0]) if place[0] == "hubspot" and self._held(place, name, email) else self._spelled(email)
            )
        if name in ("member_number", "owner"):
            return self._one(("userflow", "users"))
        value = self._one(("userflow", "companies")) if self._chance(0.9) else self._fresh("firm-new")
        return "" if name == "firm_key" and self._held(place, name, value) else value

    async def _associate(self) -> None:
        """Join to a company, move the primary mark, or part."""
        place, object_id = self._somebody(
            [place for place in SHARES if place[0] == "hubspot" and place[1] != "companies"]
        )
        company = self._one(("hubspot", "companies"))
        if self._chance(0.3):
            await self.it.hubspot.dissociate(place[1], object_id, "companies", company)
        else:
            await self.it.hubspot.associate(place[1], object_id, "companies", company, primary=self._chance(0.5))

    async def _create(self) -> None:
        """A newcomer that somebody on the other side may have been waiting for."""
        place = self._place()
        fields = self._filled(place, 0.5)
        for name in _editable(place).match:
            fields[name] = self._match_value(place, name)
        fields = {name: value for name, value in fields.items() if value is not None}
        given = None
        if place[0] == "userflow":
            given = str(self._rng.randrange(500_000, 900_000)) if place[1] == "users" else self._fresh("firm-new")
        object_id = await self._control(place[0]).create(place[1], fields, given)
        self.held[place][object_id] = Kept(fields)
        self.moved.add((*place, object_id))

    async def _delete(self) -> None:
        """HubSpot archives and says so."""
        place, object_id = self._somebody(self._plenty("hubspot"))
        self.moved.add((*place, object_id))
        await self.it.hubspot.delete(place[1], object_id)
        self.held[place][object_id].live = False

    async def _vanish(self) -> None:
        """Userflow deletes without a word."""
        place, object_id = self._somebody(self._plenty("userflow"))
        self.moved.add((*place, object_id))
        await self.it.userflow.delete(place[1], object_id)
        del self.held[place][object_id]

    async def _restore(self) -> None:
        archived = [
            (place, object_id)
            for place, rows in self.held.items()
            for object_id, kept in rows.items()
            if not kept.live and not self._taken(place, kept)
        ]
        if not archived:
            return
        place, object_id = self._rng.choice(archived)
        self.moved.add((*place, object_id))
        await self.it.hubspot.restore(place[1], object_id)
        self.held[place][object_id].live = True

    async def _merge(self) -> None:
        place = self._rng.choice(self._plenty("hubspot"))
        first, other = self._one(place), self._one(place)
        if first == other:
            return
        merged = await self.it.hubspot.merge(place[1], first, other)
        kept, given = self.held[place].pop(first), self.held[place].pop(other)
        fields = {**given.fields, **{name: value for name, value in kept.fields.items() if value}}
        self.held[place][merged] = Kept(fields)
        self.moved |= {(*place, object_id) for object_id in (first, other, merged)}

    async def _track(self) -> None:
        user_id = self._one(("userflow", "users"))
        company_id = self._one(("userflow", "companies")) if self._chance(0.3) else None
        marker, name = self._fresh(MARKER), self._rng.choice(sorted(EVENTS))
        event = {"name": name, "user_id": user_id, "attributes": {EVENTS[name]: marker}}
        await self.it.userflow.track(event | ({"group_id": company_id} if company_id else {}))
        self.tracked.append(Tracked(marker, user_id, company_id))

    # what they share

    async def _write(self, place: Place, object_id: str, fields: Mapping[str, Any]) -> None:
        await self._control(place[0]).edit(place[1], object_id, fields)
        self.held[place][object_id].fields.update(fields)

    def _control(self, side: Side) -> SimulatorControl:
        return self.it.hubspot if side == "hubspot" else self.it.userflow

    def _place(self, places: list[Place] | None = None) -> Place:
        of = places or list(SHARES)
        return self._rng.choices(of, [SHARES[place] for place in of])[0]

    def _plenty(self, side: Side) -> list[Place]:
        """The types of a side of which one object fewer is still enough."""
        return [
            place
            for place, rows in self.held.items()
            if place[0] == side and sum(kept.live for kept in rows.values()) > 3
        ]

    def _somebody(self, places: list[Place] | None = None) -> tuple[Place, str]:
        place = self._place(places)
        return place, self._one(place)

    def _one(self, place: Place) -> str:
        rows = self.held[place]
        ids = list(rows)
        while not rows[chosen := self._rng.choice(ids)].live:
            continue
        return chosen

    def _held(self, place: Place, name: str, value: str) -> bool:
        """Whether a living object of the type has the value."""
        return any(
            kept.live and str(kept.fields.get(name, "")).strip().lower() == value for kept in self.held[place].values()
        )

    def _taken(self, place: Place, kept: Kept) -> bool:
        values = {name: str(kept.fields.get(name) or "").strip().lower() for name in ("email", "firm_key")}
        return any(value and self._held(place, name, value) for name, value in values.items())

    def _spelled(self, email: str) -> str:
        return self._rng.choice((email, email, email, email.upper(), f" {email}"))

    def _fresh(self, word: str) -> str:
        self._numbers += 1
        return f"{word}-{self._numbers}"

    def _chance(self, share: float) -> bool:
        return self._rng.random() < share


def strangers(people: People, seen: Dump, targets: Callable[[Side, str], frozenset[str]]) -> list[str]:
    """I3 and I4: whatever is there, is gone, or holds another value than people left, outside the mapped targets."""
    found = []
    for place, rows in people.held.items():
        raw, name = seen.raw[place], f"{place[0]} {place[1]}"
        found += [f"{name} {one} exists and nobody made it" for one in raw.keys() - rows.keys()]
        found += [f"{name} {one} is gone and nobody deleted it" for one in rows.keys() - raw.keys()]
        for object_id in raw.keys() & rows.keys():
            found += [
                f"{name} {object_id}: {what}" for what in _changes(rows[object_id], raw[object_id], targets(*place))
            ]
    return found


def _changes(kept: Kept, raw: Mapping[str, Any], targets: frozenset[str]) -> list[str]:
    fields = raw.get("properties") or raw.get("attributes") or {}
    names = {name for name in (*kept.fields, *fields) if name not in targets and not _counted(name)}
    found = [
        f"{name} is not as people left it"
        for name in names
        if _plain(fields.get(name)) != _plain(kept.fields.get(name))
    ]
    found += [
        f"{name} was written by the API"
        for name, written in raw["written"].items()
        if written["by"] == "api" and name not in targets and not _counted(name)
    ]
    if raw.get("archived", False) == kept.live:
        found.append("was archived or restored")
    return [*found, *(["was made by the API"] if raw["created_by"] == "api" else [])]


def _counted(name: str) -> bool:
    """What HubSpot keeps by itself."""
    return name in COUNTED or name.startswith("hs_")


def _plain(value: Any) -> Any:
    return None if value in ("", []) else value


def _nothing(side: Side) -> str | None:
    return "" if side == "hubspot" else None


def _editable(place: Place) -> Editable:
    side, kind = place
    return (HUBSPOT if side == "hubspot" else USERFLOW)[kind]
