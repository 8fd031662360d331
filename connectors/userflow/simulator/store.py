"""Users, groups, memberships and events of the simulated environment."""

from bisect import bisect_right, insort
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from connectors.simulation.calls import Json
from connectors.simulation.clock import iso_offset

Kind = Literal["user", "group"]
Position = tuple[int, int]


@dataclass
class Entity:
    """A user or a group; `written` holds the last writer and time of each attribute."""

    kind: Kind
    entity_id: str
    created_ms: int
    created_by: str
    sequence: int
    attributes: dict[str, Json] = field(default_factory=dict)
    written: dict[str, Json] = field(default_factory=dict)

    @property
    def position(self) -> Position:
        """The entity's position in the order of creation."""
        return self.created_ms, self.sequence


@dataclass
class Membership:
    """A user's place in a group."""

    membership_id: str
    user_id: str
    group_id: str
    created_ms: int
    attributes: dict[str, Json] = field(default_factory=dict)

    def wire(self) -> Json:
        """The membership as the API shows it, nothing expanded."""
        return {
            "id": self.membership_id,
            "object": "group_membership",
            "attributes": self.attributes,
            "created_at": iso_offset(self.created_ms),
            "group_id": self.group_id,
            "group": None,
            "user_id": self.user_id,
            "user": None,
        }


class Store:
    """Entities by kind and id, in the order of their creation."""

    def __init__(self) -> None:
        self._entities: dict[Kind, dict[str, Entity]] = {"user": {}, "group": {}}
        self._order: dict[Kind, list[tuple[Position, str]]] = {"user": [], "group": []}
        self._emails: dict[str, dict[str, None]] = {}
        self._gone: dict[tuple[Kind, str], int] = {}
        self._sequence = 0
        self._event_number = 4_738_381
        self.memberships: dict[tuple[str, str], Membership] = {}
        self.events: list[Json] = []
        self.created_by_api = 0

    def new_event_id(self) -> str:
        """A number that no event has had."""
        self._event_number += 1
        return str(self._event_number)

    def find(self, kind: Kind, entity_id: str) -> Entity | None:
        """One entity, or None."""
        return self._entities[kind].get(entity_id)

    def create(self, kind: Kind, entity_id: str, created_ms: int, created_by: str) -> Entity:
        """A new entity without attributes."""
        self._sequence += 1
        entity = Entity(kind, entity_id, created_ms, created_by, self._sequence)
        self._entities[kind][entity_id] = entity
        insort(self._order[kind], (entity.position, entity_id))
        self.created_by_api += created_by == "api"
        return entity

    def first_created_ms(self, kind: Kind, entity_id: str) -> int | None:
        """The creation time of a deleted entity with this id."""
        return self._gone.get((kind, entity_id))

    def write(self, entity: Entity, attributes: Mapping[str, Json], time_ms: int, by: str) -> None:
        """Replace the old attributes by new ones."""
        if entity.kind == "user":
            self._forget_email(entity)
        for name in {*entity.attributes, *attributes}:
            if entity.attributes.get(name) != attributes.get(name):
                entity.written[name] = {"time_ms": time_ms, "by": by}
        entity.attributes = dict(attributes)
        email = entity.attributes.get("email")
        if entity.kind == "user" and isinstance(email, str):
            self._emails.setdefault(email.lower(), {})[entity.entity_id] = None

    def delete(self, entity: Entity) -> None:
        """Remove an entity with its memberships and, for a user, its events."""
        self._forget_email(entity)
        self._gone[entity.kind, entity.entity_id] = entity.created_ms
        del self._entities[entity.kind][entity.entity_id]
        self._order[entity.kind].remove((entity.position, entity.entity_id))
        own = 0 if entity.kind == "user" else 1
        self.memberships = {key: one for key, one in self.memberships.items() if key[own] != entity.entity_id}
        if entity.kind == "user":
            self.events = [event for event in self.events if event["user_id"] != entity.entity_id]

    def all(self, kind: Kind, after: Entity | None = None) -> Iterator[Entity]:
        """Entities in the order of creation, from behind `after` on."""
        order = self._order[kind]
        start = 0 if after is None else bisect_right(order, (after.position, after.entity_id))
        for place in range(start, len(order)):
            yield self._entities[kind][order[place][1]]

    def by_email(self, email: str) -> list[Entity]:
        """The users with this email, letter case aside."""
        return [self._entities["user"][user_id] for user_id in self._emails.get(email.lower(), ())]

    def join(self, user_id: str, group_id: str, membership_id: str, now_ms: int) -> Membership:
        """A user's membership of a group, created if it is missing."""
        key = (user_id, group_id)
        return self.memberships.setdefault(key, Membership(membership_id, user_id, group_id, now_ms))

    def memberships_of(self, entity: Entity) -> list[Membership]:
        """The memberships of a user or of a group."""
        own = 0 if entity.kind == "user" else 1
        return [membership for key, membership in self.memberships.items() if key[own] == entity.entity_id]

    def _forget_email(self, entity: Entity) -> None:
        email = entity.attributes.get("email")
        if isinstance(email, str):
            self._emails.get(email.lower(), {}).pop(entity.entity_id, None)
