"""A small HubSpot in memory: one account, its API in every spelling, its webhooks and its faults."""

import json
from collections.abc import Mapping, Sequence

import httpx
from starlette.routing import Route

from connectors.hubspot.simulator.account_api import AccountApi
from connectors.hubspot.simulator.associations import is_primary
from connectors.hubspot.simulator.associations_api import AssociationsApi
from connectors.hubspot.simulator.choices_api import ChoicesApi
from connectors.hubspot.simulator.consent_page import ConsentPage
from connectors.hubspot.simulator.definitions import ObjectType, property_of
from connectors.hubspot.simulator.definitions_api import DefinitionsApi
from connectors.hubspot.simulator.errors import ErrorAnswer, default_body, limit_body, missing_scopes, unauthorised
from connectors.hubspot.simulator.events import AppEvents, CustomEvents
from connectors.hubspot.simulator.journal import Journal
from connectors.hubspot.simulator.journal_api import FILES, JournalApi, app_only, not_the_apps
from connectors.hubspot.simulator.limits import RollingWindow
from connectors.hubspot.simulator.oauth import Tokens
from connectors.hubspot.simulator.objects_api import ObjectsApi
from connectors.hubspot.simulator.paths import canonical, kind_of, object_ids, object_type_of, scopes_for
from connectors.hubspot.simulator.portal import PERSON, Portal
from connectors.hubspot.simulator.rendering import raw
from connectors.hubspot.simulator.settings import HubSpotSettings
from connectors.hubspot.simulator.store import Record, Source
from connectors.hubspot.simulator.webhooks import Happening, event_wire, webhook_post
from connectors.simulation.calls import Answer, Call, Json, json_answer
from connectors.simulation.clock import VendorClock, epoch_ms_of
from connectors.simulation.courier import Courier, Post
from connectors.simulation.server import build_app
from connectors.simulation.vendor import Simulator

_OPEN_PATHS = ("/oauth/", FILES)
_SEED_AGE_MS = 86_400_000
"""The age of seeded records, beyond any lag."""


class HubSpotSimulator(Simulator[HubSpotSettings]):
    """One HubSpot account. Object types are named as in paths: contacts, companies, deals, tickets, 2-N, p<account>_x.

    Seed file, every key optional: `{"schemas": [{"name", "objectTypeId"?, "labels"?, "properties"?: [...]}],
    "properties": {"contacts": [{"name", "label", "type", "fieldType", "groupName"?, "options"?, ...}]},
    "objects": {"contacts": [{"id": "1", "properties": {...}, "createdAt"?}]},
    "associations": [{"from": ["contacts", "1"], "to": ["companies", "2"], "primary"?: true}]}`.
    """

    FIELDS = "properties"

    def __init__(
        self,
        settings: HubSpotSettings | None = None,
        *,
        clock: VendorClock | None = None,
        webhook_transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        super().__init__(settings or HubSpotSettings(), clock or VendorClock(), webhook_transport)
        self.portal = Portal(lambda: self.settings, self.now_ms, self._tell)
        self.tokens = Tokens(lambda: self.settings, self.now_ms, self.rng)
        self.app_events = AppEvents(lambda: self.settings, self._event_object_exists)
        self.custom_events = CustomEvents(lambda: self.settings)
        self.journal = Journal(lambda: self.settings, self.now_ms, self.rng)
        self._burst, self._search = RollingWindow(self.clock.monotonic), RollingWindow(self.clock.monotonic)
        self.courier: Courier[Json] = Courier(
            self._compose, lambda: self.settings, lambda: self.clock, self.rng, webhook_transport
        )
        self.app = build_app(self, self._routes())

    # a person's edits

    def create_object(
        self, object_type: str, fields: Mapping[str, Json], *, object_id: str | None = None, silent: bool = False
    ) -> Json:
        kind = self._kind(object_type)
        record = self._allowed(lambda: self.portal.create(kind, fields, PERSON, record_id=object_id, silent=silent))
        self.note("created", kind.name, record.record_id, fields)
        return raw(kind, record)

    def edit_object(
        self, object_type: str, object_id: str, fields: Mapping[str, Json], *, silent: bool = False
    ) -> Json:
        kind, record = self._record(object_type, object_id)
        self._allowed(lambda: self.portal.update(kind, record, fields, PERSON, silent=silent))
        self.note("edited", kind.name, record.record_id, fields)
        return raw(kind, record)

    def delete_object(self, object_type: str, object_id: str, *, silent: bool = False) -> Json:
        kind, record = self._record(object_type, object_id)
        self.portal.archive(kind, record, PERSON, silent=silent)
        self.note("deleted", kind.name, record.record_id)
        return raw(kind, record)

    def forget_object(self, object_type: str, object_id: str) -> Json:
        kind, record = self._record(object_type, object_id)
        shown = raw(kind, record)
        self.portal.forget(kind, record)
        self.note("forgotten", kind.name, record.record_id)
        return shown

    def restore_object(self, object_type: str, object_id: str, *, silent: bool = False) -> Json:
        kind, record = self._record(object_type, object_id)
        self.portal.restore(kind, record, silent=silent)
        self.note("restored", kind.name, record.record_id)
        return raw(kind, record)

    def merge_objects(self, object_type: str, object_id: str, other_id: str, *, silent: bool = False) -> Json:
        kind, first = self._record(object_type, object_id)
        _, other = self._record(object_type, other_id)
        survivor = self.portal.merge(kind, first, other, PERSON, silent=silent)
        merged = {"primary": first.record_id, "merged": other.record_id}
        self.note("merged", kind.name, survivor.record_id, merged)
        return raw(kind, survivor)

    def associate(
        self, from_type: str, from_id: str, to_type: str, to_id: str, *, primary: bool = False, silent: bool = False
    ) -> Json:
        ends = self._ends(from_type, from_id, to_type, to_id)
        self.portal.associate(ends, PERSON, primary=primary, silent=silent)
        self.note("associated", ends[0].name, from_id, {"to": [ends[2].name, to_id], "primary": primary})
        return {"from": [ends[0].name, from_id], "to": [ends[2].name, to_id], "primary": primary}

    def dissociate(self, from_type: str, from_id: str, to_type: str, to_id: str, *, silent: bool = False) -> Json:
        ends = self._ends(from_type, from_id, to_type, to_id)
        self.portal.dissociate(ends, PERSON, silent=silent)
        self.note("dissociated", ends[0].name, from_id, {"to": [ends[2].name, to_id]})
        return {"from": [ends[0].name, from_id], "to": [ends[2].name, to_id]}

    def list_objects(self, object_type: str) -> list[Json]:
        kind = self._kind(object_type)
        return [self._shown(kind, record) for record in self.portal.store.all(kind.type_id)]

    def read_object(self, object_type: str, object_id: str) -> Json:
        return self._shown(*self._record(object_type, object_id))

    def track_event(self, event: Mapping[str, Json]) -> Json:
        raise ValueError("events come to HubSpot by its API only")

    def list_events(self) -> list[Json]:
        return sorted([*self.app_events.received, *self.custom_events.received], key=lambda one: one["received_at"])

    def define(self, definitions: Mapping[str, Json]) -> None:
        for schema in definitions.get("schemas", ()):
            self.portal.definitions.add_schema(schema, self.now_ms())
        for type_name, wires in definitions.get("properties", {}).items():
            kind = self._kind(type_name)
            own_group = next(iter(self.portal.definitions.groups[kind.type_id]))
            for wire in wires:
                given = {"groupName": own_group, "label": wire["name"], "fieldType": "text", **wire}
                made = self._allowed(lambda g=given: property_of(g, created_ms=self.now_ms(), created_by="person"))
                self.portal.definitions.put(kind, made)

    def load(self, seed: Mapping[str, Json]) -> None:
        self.define(seed)
        for type_name, records in seed.get("objects", {}).items():
            for wire in records:
                self._seed(self._kind(type_name), wire)
        for link in seed.get("associations", ()):
            ends = self._ends(*link["from"], *link["to"])
            self.portal.associate(ends, PERSON, primary=bool(link.get("primary")), silent=True)

    @property
    def created_by_api(self) -> int:
        return self.portal.store.created_by_api

    # the vendor's side of the gate

    def describe(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Call:
        known = canonical(path)
        try:
            parsed = json.loads(body) if body[:1] in (b"{", b"[") else {}
        except ValueError:
            parsed = {}
        return Call(method, path, kind_of(method, known), object_ids(known, parsed), headers)

    def route_path(self, path: str) -> str:
        return canonical(path)

    def admit(self, call: Call) -> Answer | None:
        if canonical(call.path).startswith(_OPEN_PATHS):
            return None
        token = call.headers.get("authorization", "").removeprefix("Bearer ")
        state = self.tokens.state(token)
        if state in ("unknown", "expired"):
            return self._refused(unauthorised(state == "expired"))
        if app_only(call.kind):
            return None if state == "app" else self._refused(not_the_apps())
        if state == "app":
            return self._refused(unauthorised(False))
        if call.kind == "objects.search":
            if not self._search.admits(self.settings.search_limit, 1_000):
                return json_answer(429, limit_body("secondly"))
        elif not self._burst.admits(self.settings.rate_limit, self.settings.rate_limit_window_ms):
            return json_answer(429, limit_body("burst"))
        return self._unscoped(call, state, token)

    def extra_headers(self, call: Call) -> dict[str, str]:
        settings = self.settings
        if settings.rate_limit is None or call.kind.startswith(("objects.search", "journal")):
            return {}
        left = max(0, self._burst.remaining(settings.rate_limit, settings.rate_limit_window_ms))
        headers = {
            "X-HubSpot-RateLimit-Max": str(settings.rate_limit),
            "X-HubSpot-RateLimit-Remaining": str(left),
            "X-HubSpot-RateLimit-Interval-Milliseconds": str(settings.rate_limit_window_ms),
            "X-HubSpot-RateLimit-Secondly": str(settings.rate_limit // 10),
            "X-HubSpot-RateLimit-Secondly-Remaining": str(min(left, settings.rate_limit // 10)),
        }
        if settings.daily_limit_shown:
            headers |= {"X-HubSpot-RateLimit-Daily": "625000", "X-HubSpot-RateLimit-Daily-Remaining": "600000"}
        return headers

    def error_body(self, status: int, form: str | None) -> Json:
        return default_body(status, form)

    def vanish(self, call: Call, object_ids: Sequence[str]) -> None:
        type_name = object_type_of(canonical(call.path))
        for record_id in object_ids if type_name else ():
            if self.portal.store.find(self._kind(type_name or "").type_id, record_id) is not None:
                self.delete_object(type_name or "", record_id, silent=True)

    # inside

    def _routes(self) -> list[Route]:
        objects = ObjectsApi(self.portal, lambda: self.settings, self.now_ms, self.rng)
        associations = AssociationsApi(self.portal, lambda: self.settings, self.now_ms)
        definitions = DefinitionsApi(self.portal, self.now_ms)
        choices = ChoicesApi(self.portal, lambda: self.settings)
        journal = JournalApi(self.journal, lambda: self.settings)
        account = AccountApi(lambda: self.settings, self.now_ms, self.tokens, self.app_events, self.custom_events)
        consent = ConsentPage(lambda: self.settings, self.tokens)
        parts = (consent, associations, objects, definitions, choices, account, journal)
        return [one for part in parts for one in part.routes()]

    def _refused(self, refusal: ErrorAnswer) -> Answer:
        return json_answer(refusal.status, refusal.body())

    def _unscoped(self, call: Call, grant: str, token: str) -> Answer | None:
        if call.kind.startswith("timeline.") and grant == "static" and self.settings.timeline_needs_oauth:
            return self._refused(missing_scopes(["timeline"]))
        granted = self.tokens.scopes(token)
        if granted is None:
            return None
        try:
            kind = self.portal.definitions.resolve(object_type_of(canonical(call.path)) or "contacts")
        except ErrorAnswer:
            return None
        custom = object_type_of(canonical(call.path)) is None
        wanted = scopes_for(call.kind, call.method, None if custom else kind.type_id, kind.name)
        return self._refused(missing_scopes(wanted)) if wanted and not set(wanted) & set(granted) else None

    def _tell(self, happening: Happening) -> None:
        settings = self.settings
        own_echo = happening.source.label == "api"
        self.journal.note(happening)
        if not settings.webhooks or settings.webhook_target_url is None or (own_echo and not settings.own_writes_echo):
            return
        self.courier.submit(event_wire(happening, settings, self.rng))

    def _compose(self, events: Sequence[Json], attempt: int) -> Post | None:
        shuffled = list(events)
        if self.settings.webhook_reorder_probability and len(shuffled) > 1:
            self.rng.shuffle(shuffled)
        return webhook_post(shuffled, attempt, self.settings, self.clock.now_ms())

    def _event_object_exists(self, object_type: str, record_id: str) -> bool:
        kinds = [kind for kind in self.portal.definitions.all_types() if kind.word.upper() == object_type]
        found = [self.portal.store.find(kind.type_id, record_id) for kind in kinds]
        return any(record is not None and record.is_live() for record in found)

    def _seed(self, kind: ObjectType, wire: Mapping[str, Json]) -> None:
        created = wire.get("createdAt")
        record = self._allowed(
            lambda: self.portal.create(
                kind,
                wire.get("properties", {}),
                Source("IMPORT", "seed"),
                record_id=wire.get("id"),
                silent=True,
                created_ms=epoch_ms_of(str(created)) if created else self.now_ms() - _SEED_AGE_MS,
            )
        )
        if wire.get("archived"):
            self.portal.archive(kind, record, PERSON, silent=True)

    def _kind(self, object_type: str) -> ObjectType:
        kind: ObjectType = self._allowed(lambda: self.portal.definitions.resolve(object_type))
        return kind

    def _record(self, object_type: str, object_id: str) -> tuple[ObjectType, Record]:
        kind = self._kind(object_type)
        record = self.portal.store.find(kind.type_id, object_id)
        if record is None:
            raise KeyError(f"{object_type} {object_id}")
        return kind, record

    def _shown(self, kind: ObjectType, record: Record) -> Json:
        """A record in raw form with its associations, by object type."""
        joined = {
            other.name: [{"id": to_id, "primary": is_primary(types)} for to_id, types in links]
            for other in self.portal.definitions.all_types()
            if (links := list(self.portal.associations.linked(kind, record.record_id, other)))
        }
        return {**raw(kind, record), "associations": joined}

    def _ends(self, from_type: str, from_id: str, to_type: str, to_id: str) -> tuple[ObjectType, str, ObjectType, str]:
        (one, first), (other, second) = self._record(from_type, from_id), self._record(to_type, to_id)
        return one, first.record_id, other, second.record_id

    def _allowed(self, work: Json) -> Json:
        """Turn HubSpot's refusal of a person's edit into a ValueError."""
        try:
            return work()
        except ErrorAnswer as refusal:
            raise ValueError(refusal.message) from refusal
