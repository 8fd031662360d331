"""The simulated environment: applies each write to users and groups, whoever makes it, and notifies subscribers."""

import random
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from connectors.simulation.calls import Json
from connectors.simulation.clock import epoch_ms_of, iso_offset
from connectors.userflow.simulator.attributes import AttributeRules
from connectors.userflow.simulator.definitions import Definitions
from connectors.userflow.simulator.errors import invalid, unknown_id
from connectors.userflow.simulator.settings import UserflowSettings
from connectors.userflow.simulator.store import Entity, Kind, Membership, Store
from connectors.userflow.simulator.webhooks import OutgoingNotification, Subscription

STANDING = "standing"
"""The id of the subscription in the settings."""


class Environment:
    """One environment; `send` takes each notification for one subscription."""

    def __init__(
        self,
        settings: Callable[[], UserflowSettings],
        now_ms: Callable[[], int],
        rng: random.Random,
        send: Callable[[OutgoingNotification], None],
    ) -> None:
        self._settings, self._now_ms, self._rng, self._send = settings, now_ms, rng, send
        self.store, self.definitions = Store(), Definitions()
        self.subscriptions: dict[str, Subscription] = {}

    def new_uuid(self) -> str:
        """A repeatable UUID."""
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))

    # users and groups

    def upsert(
        self, kind: Kind, entity_id: str, changes: Mapping[str, Json], by: str, *, silent: bool = False
    ) -> tuple[Entity, bool]:
        """Create or update; the entity and whether it was created. Refusal 400 for a bad attribute, nothing written."""
        if not isinstance(entity_id, str) or not entity_id:
            raise invalid("`id`: required")
        found = self.store.find(kind, entity_id)
        rules = AttributeRules(self.definitions, self._settings(), kind, self._now_ms())
        before = dict(found.attributes) if found is not None else {}
        after = rules.applied(before, changes)
        entity = found or self.store.create(kind, entity_id, self._created_ms(kind, entity_id), by)
        self.store.write(entity, after, self._now_ms(), by)
        if not silent:
            self._tell_write(entity, before, created=found is None)
        return entity, found is None

    def delete(self, entity: Entity) -> None:
        """Remove a user or group; sends no notification unless `delete_notifies`."""
        self.store.delete(entity)
        if self._settings().delete_notifies:
            self.notify(f"{entity.kind}.deleted", self.wire(entity))

    def required(self, kind: Kind, entity_id: str) -> Entity:
        """One entity; Refusal with the status of `unknown_id_status` if there is none."""
        found = self.store.find(kind, entity_id)
        if found is None:
            raise unknown_id(self._settings().unknown_id_status, kind, entity_id)
        return found

    def join(self, user: Entity, group_wire: Mapping[str, Json], attributes: Mapping[str, Json], by: str) -> Membership:
        """Add a user to a group, creating and updating the group as the API does."""
        group, _ = self.upsert("group", group_wire["id"], group_wire.get("attributes") or {}, by)
        membership = self.store.join(user.entity_id, group.entity_id, self.new_uuid(), self._now_ms())
        rules = AttributeRules(self.definitions, self._settings(), "group_membership", self._now_ms())
        membership.attributes = rules.applied(membership.attributes, attributes)
        return membership

    def wire(self, entity: Entity, expand: Sequence[str] = ()) -> Json:
        """A user or group as the API shows it; parts not expanded are null."""
        others = "groups" if entity.kind == "user" else "users"
        shown: Json = {
            "id": entity.entity_id,
            "object": entity.kind,
            "attributes": dict(entity.attributes),
            "created_at": iso_offset(entity.created_ms),
            "memberships": None,
            others: None,
        }
        if any(name.split(".")[0] == "memberships" for name in expand):
            shown["memberships"] = [self._membership(one, expand) for one in self.store.memberships_of(entity)]
        if others in expand:
            shown[others] = [self.wire(self._other(entity, one)) for one in self.store.memberships_of(entity)]
        return shown

    def _membership(self, membership: Membership, expand: Sequence[str]) -> Json:
        shown = membership.wire()
        if "memberships.group" in expand:
            shown["group"] = self.wire(self.required("group", membership.group_id))
        if "memberships.user" in expand:
            shown["user"] = self.wire(self.required("user", membership.user_id))
        return shown

    def _other(self, entity: Entity, membership: Membership) -> Entity:
        if entity.kind == "user":
            return self.required("group", membership.group_id)
        return self.required("user", membership.user_id)

    # events

    def track(self, event: Mapping[str, Json], by: str) -> Json:
        """Track a user's or group's event; `time` (ISO) counts for persons only: the API's use of it is unknown."""
        user_id, group_id, name = event.get("user_id"), event.get("group_id"), event.get("name")
        if not isinstance(name, str) or not name:
            raise invalid("`name`: required")
        if user_id is None and group_id is None:
            raise invalid("`user_id`: one of user_id and group_id is required")
        if user_id is not None:
            self.required("user", user_id)
        if group_id is not None:
            self.required("group", group_id)
        now_ms = self._now_ms()
        rules = AttributeRules(self.definitions, self._settings(), "event", now_ms)
        attributes = rules.applied({}, event.get("attributes") or {})
        self.definitions.define_event(name, now_ms)
        given = event.get("time") if by == "person" else None
        wire = {
            "id": self.store.new_event_id(),
            "object": "event",
            "name": name,
            "attributes": attributes,
            "created_at": iso_offset(now_ms),
            "time": iso_offset(epoch_ms_of(given) if given else now_ms),
            "user_id": user_id,
            "user": None,
            "group_id": group_id,
            "group": None,
        }
        self.store.events.append(wire)
        self.notify(f"event.tracked.{name}", wire)
        return wire

    # webhooks

    def subscribe(self, url: str, topics: Sequence[str]) -> Subscription:
        """A new subscription with its own secret."""
        made = Subscription(
            self.new_uuid(),
            url,
            tuple(topics),
            f"whsec_{self._rng.getrandbits(128):032x}",
            self._settings().api_version,
            self._now_ms(),
        )
        self.subscriptions[made.subscription_id] = made
        return made

    def subscription(self, subscription_id: str) -> Subscription | None:
        """A subscription, including the one in the settings."""
        settings = self._settings()
        if subscription_id == STANDING and settings.webhook_target_url:
            topics, secret = settings.webhook_topics, settings.webhook_secret
            return Subscription(STANDING, settings.webhook_target_url, topics, secret, settings.api_version, 0)
        return self.subscriptions.get(subscription_id)

    def change_subscription(self, subscription: Subscription, changes: Mapping[str, Json]) -> Subscription:
        """The subscription with url, topics or disabled replaced."""
        made = replace(
            subscription,
            url=changes.get("url", subscription.url),
            disabled=changes.get("disabled", subscription.disabled),
            topics=tuple(changes.get("topics", subscription.topics)),
        )
        self.subscriptions[made.subscription_id] = made
        return made

    def notify(
        self,
        topic: str,
        wire: Json,
        previous: Mapping[str, Json] | None = None,
        updated: Mapping[str, Json] | None = None,
    ) -> None:
        """Notify every subscription to the topic."""
        settings = self._settings()
        for subscription_id in (STANDING, *self.subscriptions):
            subscription = self.subscription(subscription_id)
            if settings.webhooks and subscription is not None and subscription.wants(topic):
                told = subscription.topic_of(topic, settings)
                ids = (self.new_uuid(), subscription_id)
                self._send(OutgoingNotification(*ids, told, self._now_ms(), wire, previous or {}, updated or {}))

    def _created_ms(self, kind: Kind, entity_id: str) -> int:
        first_ms = self.store.first_created_ms(kind, entity_id)
        kept = self._settings().recreation_keeps_created_at and first_ms is not None
        return first_ms if kept and first_ms is not None else self._now_ms()

    def _tell_write(self, entity: Entity, before: Mapping[str, Json], *, created: bool) -> None:
        if created:
            self.notify(f"{entity.kind}.created", self.wire(entity))
            return
        after = entity.attributes
        changed = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
        if not changed and not self._settings().noop_write_notifies:
            return
        absent = self._settings().removed_attributes == "absent"
        previous = {name: before.get(name) for name in changed if name in before or not absent}
        updated = {name: after.get(name) for name in changed if name in after or not absent}
        self.notify(f"{entity.kind}.updated", self.wire(entity), previous, updated)
