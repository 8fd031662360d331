"""The endpoints of properties, property groups and custom object schemas."""

from collections.abc import Callable
from dataclasses import replace

from starlette.routing import Route

from connectors.hubspot.simulator.definitions import ObjectType, Property, options_of, property_of
from connectors.hubspot.simulator.endpoints import Asked, batch_answer, route
from connectors.hubspot.simulator.errors import ErrorAnswer, invalid
from connectors.hubspot.simulator.portal import Portal
from connectors.simulation.calls import Answer, Json, json_answer


class DefinitionsApi:
    """Endpoints over a portal's definitions."""

    def __init__(self, portal: Portal, now_ms: Callable[[], int]) -> None:
        self._portal, self._now_ms = portal, now_ms
        self._definitions = portal.definitions

    def routes(self) -> list[Route]:
        """Routes at canonical paths."""
        base = "/crm/properties/{type}"
        return [
            route("GET", base + "/groups", self._groups),
            route("POST", base + "/groups", self._create_group),
            route("GET", base + "/groups/{name}", self._group),
            route("POST", base + "/batch/create", self._batch_create),
            route("POST", base + "/batch/read", self._batch_read),
            route("GET", base, self._list),
            route("POST", base, self._create),
            route("GET", base + "/{name}", self._get),
            route("PATCH", base + "/{name}", self._update),
            route("DELETE", base + "/{name}", self._archive),
            route("GET", "/crm/schemas", self._schemas),
            route("POST", "/crm/schemas", self._create_schema),
            route("GET", "/crm/schemas/{type}", self._schema),
        ]

    async def _list(self, asked: Asked) -> Answer:
        kind = self._kind(asked)
        listing = self._definitions.listing(kind, archived=asked.flag("archived"))
        return json_answer(200, {"results": [self._wire(kind, definition) for definition in listing]})

    async def _get(self, asked: Asked) -> Answer:
        archived = asked.flag("archived")
        kind = self._kind(asked)
        found = self._definitions.required(kind, asked.parts["name"], archived=archived)
        return json_answer(200, self._wire(kind, found))

    async def _create(self, asked: Asked) -> Answer:
        definition = property_of(asked.body, created_ms=self._now_ms(), created_by="api")
        return json_answer(201, self._definitions.create(self._kind(asked), definition).wire())

    async def _batch_create(self, asked: Asked) -> Answer:
        kind, now_ms = self._kind(asked), self._now_ms()
        made, errors = [], []
        for one in asked.inputs():
            try:
                definition = property_of(one, created_ms=now_ms, created_by="api")
                made.append(self._definitions.create(kind, definition).wire())
            except ErrorAnswer as refusal:
                errors.append({**refusal.row(), "context": {"name": [one.get("name")]}})
        return batch_answer(made, errors, now_ms, 201)

    async def _batch_read(self, asked: Asked) -> Answer:
        kind = self._kind(asked)
        found = [self._definitions.get(kind, one["name"]) for one in asked.inputs()]
        return batch_answer([self._wire(kind, one) for one in found if one], [], self._now_ms())

    async def _update(self, asked: Asked) -> Answer:
        kind, body = self._kind(asked), asked.body
        definition = self._definitions.required(kind, asked.parts["name"])
        if "options" in body:
            definition = replace(definition, options=options_of(body["options"]))
        words = {"label": "label", "description": "description", "groupName": "group", "fieldType": "field_type"}
        definition = replace(definition, **{ours: body[theirs] for theirs, ours in words.items() if theirs in body})
        self._definitions.put(kind, definition)
        return json_answer(200, definition.wire())

    async def _archive(self, asked: Asked) -> Answer:
        kind, name = self._kind(asked), asked.parts["name"]
        if self._definitions.required(kind, name).defined_by_hubspot:
            raise invalid(f"{name} is defined by HubSpot and cannot be deleted")
        self._definitions.archive(kind, name, self._now_ms())
        return Answer(204)

    async def _groups(self, asked: Asked) -> Answer:
        groups = self._definitions.groups[self._kind(asked).type_id]
        return json_answer(200, {"results": list(groups.values())})

    async def _group(self, asked: Asked) -> Answer:
        group = self._definitions.groups[self._kind(asked).type_id].get(asked.parts["name"])
        if group is None:
            raise ErrorAnswer(404, "OBJECT_NOT_FOUND", f"No property group named '{asked.parts['name']}'.")
        return json_answer(200, group)

    async def _create_group(self, asked: Asked) -> Answer:
        if not asked.body.get("name") or not asked.body.get("label"):
            raise invalid("Some required fields were not set: [name, label]")
        return json_answer(201, self._definitions.create_group(self._kind(asked), asked.body))

    async def _schemas(self, asked: Asked) -> Answer:
        kinds = self._definitions.custom_types()
        return json_answer(200, {"results": [self._definitions.schema_wire(kind) for kind in kinds]})

    async def _schema(self, asked: Asked) -> Answer:
        return json_answer(200, self._definitions.schema_wire(self._kind(asked)))

    async def _create_schema(self, asked: Asked) -> Answer:
        kind = self._definitions.add_schema(asked.body, self._now_ms())
        return json_answer(201, self._definitions.schema_wire(kind))

    def _wire(self, kind: ObjectType, definition: Property) -> Json:
        return self._portal.shown(kind, definition).wire()

    def _kind(self, asked: Asked) -> ObjectType:
        return self._definitions.resolve(asked.parts["type"])
