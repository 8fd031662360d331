"""A small Userflow in memory: one environment, its REST API, its webhooks and its faults."""

import json
from collections.abc import Mapping, Sequence
from urllib.parse import unquote

import httpx

from connectors.simulation.calls import Answer, Call, Json, json_answer
from connectors.simulation.clock import VendorClock, epoch_ms_of
from connectors.simulation.courier import Courier, Post
from connectors.simulation.server import build_app
from connectors.simulation.vendor import Simulator
from connectors.userflow.simulator.api import UserflowApi
from connectors.userflow.simulator.environment import Environment
from connectors.userflow.simulator.errors import ErrorAnswer, error_body
from connectors.userflow.simulator.limits import Limits
from connectors.userflow.simulator.settings import UserflowSettings
from connectors.userflow.simulator.store import Entity, Kind
from connectors.userflow.simulator.webhooks import OutgoingNotification, notification_post

_KINDS: dict[str, Kind] = {"users": "user", "user": "user", "groups": "group", "group": "group", "companies": "group"}
_VERBS = {"GET": "read", "POST": "write", "PATCH": "change", "DELETE": "delete"}


class UserflowSimulator(Simulator[UserflowSettings]):
    """One Userflow environment. Object types are `users` and `groups` (also called `companies`).

    Seed file, every key optional: `{"users": [{"id", "attributes"?, "created_at"?, "groups"?: ["group id"]}],
    "groups": [{"id", "attributes"?, "created_at"?}], "attribute_definitions": [{"name", "scope", "data_type", ...}],
    "event_definitions": [{"name", "display_name"?, ...}], "content": [...], "content_versions": [...],
    "content_sessions": [...]}`.
    """

    FIELDS = "attributes"

    def __init__(
        self,
        settings: UserflowSettings | None = None,
        *,
        clock: VendorClock | None = None,
        webhook_transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        super().__init__(settings or UserflowSettings(), clock or VendorClock(), webhook_transport)
        self.courier: Courier[OutgoingNotification] = Courier(
            self._compose, lambda: self.settings, lambda: self.clock, self.rng, webhook_transport
        )
        self.environment = Environment(lambda: self.settings, self.now_ms, self.rng, self.courier.submit)
        self.content: dict[str, list[Json]] = {}
        self._limits: dict[str, Limits] = {}
        api = UserflowApi(self.environment, lambda: self.settings, self.content)
        self.app = build_app(self, api.routes())

    # a person's edits

    def create_object(
        self, object_type: str, fields: Mapping[str, Json], *, object_id: str | None = None, silent: bool = False
    ) -> Json:
        kind, entity_id = _kind(object_type), object_id or self.environment.new_uuid()
        if self.environment.store.find(kind, entity_id) is not None:
            raise ValueError(f"{kind} {entity_id} exists")
        entity = self._upsert(kind, entity_id, fields, silent)
        self.note("created", f"{kind}s", entity_id, fields)
        return _raw(entity)

    def edit_object(
        self, object_type: str, object_id: str, fields: Mapping[str, Json], *, silent: bool = False
    ) -> Json:
        found = self._entity(object_type, object_id)
        entity = self._upsert(found.kind, object_id, fields, silent)
        self.note("edited", f"{entity.kind}s", object_id, fields)
        return _raw(entity)

    def delete_object(self, object_type: str, object_id: str, *, silent: bool = False) -> Json:
        entity = self._entity(object_type, object_id)
        self.environment.delete(entity)
        self.note("deleted", f"{entity.kind}s", object_id)
        return _raw(entity)

    def restore_object(self, object_type: str, object_id: str, *, silent: bool = False) -> Json:
        raise ValueError("Userflow restores nothing")

    def merge_objects(self, object_type: str, object_id: str, other_id: str, *, silent: bool = False) -> Json:
        raise ValueError("Userflow merges nothing")

    def associate(
        self, from_type: str, from_id: str, to_type: str, to_id: str, *, primary: bool = False, silent: bool = False
    ) -> Json:
        user_id, group_id = self._pair(from_type, from_id, to_type, to_id)
        store = self.environment.store
        membership = store.join(user_id, group_id, self.environment.new_uuid(), self.now_ms())
        self.note("associated", "users", user_id, {"to": ["groups", group_id]})
        return membership.wire()

    def dissociate(self, from_type: str, from_id: str, to_type: str, to_id: str, *, silent: bool = False) -> Json:
        user_id, group_id = self._pair(from_type, from_id, to_type, to_id)
        membership = self.environment.store.memberships.pop((user_id, group_id))
        self.note("dissociated", "users", user_id, {"to": ["groups", group_id]})
        return membership.wire()

    def list_objects(self, object_type: str) -> list[Json]:
        return [_raw(entity) for entity in self.environment.store.all(_kind(object_type))]

    def read_object(self, object_type: str, object_id: str) -> Json:
        return _raw(self._entity(object_type, object_id))

    def track_event(self, event: Mapping[str, Json]) -> Json:
        try:
            tracked = self.environment.track(event, "person")
        except ErrorAnswer as refusal:
            raise ValueError(refusal.message) from refusal
        self.note("tracked", "events", tracked["id"], {"name": tracked["name"], "attributes": tracked["attributes"]})
        return tracked

    def list_events(self) -> list[Json]:
        return list(self.environment.store.events)

    def define(self, definitions: Mapping[str, Json]) -> None:
        for wire in definitions.get("attribute_definitions", ()):
            self.environment.definitions.define_attribute(
                wire["scope"], wire["name"], wire["data_type"], self.now_ms(), wire
            )
        for wire in definitions.get("event_definitions", ()):
            name = wire["name"]
            self.environment.definitions.define_event(name, self.now_ms(), wire.get("display_name"), wire)

    def load(self, seed: Mapping[str, Json]) -> None:
        self.define(seed)
        for collection in ("groups", "users"):
            for wire in seed.get(collection, ()):
                self._seed(_kind(collection), wire)
        for collection in ("content", "content_versions", "content_sessions"):
            self.content.setdefault(collection, []).extend(seed.get(collection, ()))

    @property
    def created_by_api(self) -> int:
        return self.environment.store.created_by_api

    # the vendor's side of the gate

    def describe(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Call:
        collection, *rest = path.strip("/").split("/", 1)
        kind = f"{collection}.{'list' if method == 'GET' and not rest else _VERBS.get(method, method.lower())}"
        ids = [unquote(one) for one in rest]
        if method == "POST" and collection in ("users", "groups", "events"):
            try:
                parsed = json.loads(body)
            except ValueError:
                parsed = {}
            named = (parsed.get(key) for key in ("id", "user_id", "group_id")) if isinstance(parsed, dict) else ()
            ids += [str(one) for one in named if one is not None]
        return Call(method, path, kind, tuple(ids), headers)

    def admit(self, call: Call) -> Answer | None:
        settings, key = self.settings, _key(call)
        if key not in settings.api_keys:
            return json_answer(settings.bad_key_status, error_body(settings.bad_key_status, "Invalid API key"))
        limits = self._limits.setdefault(key, Limits(self.clock.monotonic))
        if limits.admits(settings.rate_per_s, settings.burst, settings.max_in_flight):
            return None
        after = settings.limit_retry_after_s
        headers = {} if after is None else {"retry-after": f"{after:g}"}
        return json_answer(settings.limit_status, error_body(settings.limit_status, "Too many requests"), headers)

    def release(self, call: Call) -> None:
        self._limits[_key(call)].release()

    def error_body(self, status: int, form: str | None) -> Json:
        return error_body(status)

    def vanish(self, call: Call, object_ids: Sequence[str]) -> None:
        kind = _KINDS.get(call.kind.split(".")[0])
        for entity_id in object_ids if kind else ():
            if kind is not None and self.environment.store.find(kind, entity_id) is not None:
                self.delete_object(kind, entity_id, silent=True)

    # inside

    def _compose(self, notifications: Sequence[OutgoingNotification], attempt: int) -> Post | None:
        notification = notifications[0]
        subscription = self.environment.subscription(notification.subscription_id)
        if subscription is None or subscription.disabled or not self.settings.webhooks:
            return None
        return notification_post(notification, subscription, self.settings, self.clock.now_ms())

    def _upsert(self, kind: Kind, entity_id: str, fields: Mapping[str, Json], silent: bool) -> Entity:
        try:
            return self.environment.upsert(kind, entity_id, fields, "person", silent=silent)[0]
        except ErrorAnswer as refusal:
            raise ValueError(refusal.message) from refusal

    def _seed(self, kind: Kind, wire: Mapping[str, Json]) -> None:
        store = self.environment.store
        if wire.get("created_at"):
            store.create(kind, wire["id"], epoch_ms_of(wire["created_at"]), "person")
        self._upsert(kind, wire["id"], wire.get("attributes", {}), silent=True)
        for group_id in wire.get("groups", ()):
            store.join(wire["id"], group_id, self.environment.new_uuid(), self.now_ms())

    def _entity(self, object_type: str, object_id: str) -> Entity:
        found = self.environment.store.find(_kind(object_type), object_id)
        if found is None:
            raise KeyError(f"{object_type} {object_id}")
        return found

    def _pair(self, from_type: str, from_id: str, to_type: str, to_id: str) -> tuple[str, str]:
        one, other = self._entity(from_type, from_id), self._entity(to_type, to_id)
        if {one.kind, other.kind} != {"user", "group"}:
            raise ValueError("a membership joins a user and a group")
        user, group = (one, other) if one.kind == "user" else (other, one)
        return user.entity_id, group.entity_id


def _key(call: Call) -> str:
    return call.headers.get("authorization", "").removeprefix("Bearer ")


def _kind(object_type: str) -> Kind:
    if object_type not in _KINDS:
        raise ValueError(f"no object type {object_type!r}: users or groups")
    return _KINDS[object_type]


def _raw(entity: Entity) -> Json:
    return {
        "id": entity.entity_id,
        "type": f"{entity.kind}s",
        "created_by": entity.created_by,
        "created_ms": entity.created_ms,
        "attributes": dict(entity.attributes),
        "written": dict(entity.written),
    }
