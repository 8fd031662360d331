"""The association endpoints: batch read, paged list, create and delete, labels."""

from collections.abc import Callable, Sequence
from itertools import islice

from starlette.routing import Route

from connectors.hubspot.simulator.associations import plain_type, primary_type, types_wire
from connectors.hubspot.simulator.definitions import ObjectType
from connectors.hubspot.simulator.endpoints import (
    Asked,
    batch_answer,
    cursor_of,
    page_answer,
    position_of,
    route,
    whole_number,
)
from connectors.hubspot.simulator.errors import ErrorAnswer, not_found
from connectors.hubspot.simulator.portal import Portal
from connectors.hubspot.simulator.settings import HubSpotSettings
from connectors.simulation.calls import Answer, Json, json_answer

_READ_LIMIT, _CREATE_LIMIT, _ARCHIVE_LIMIT, _PAGE = 1_000, 2_000, 100, 500

Ends = tuple[ObjectType, str, ObjectType, str]


class AssociationsApi:
    """Endpoints over a portal's associations."""

    def __init__(self, portal: Portal, settings: Callable[[], HubSpotSettings], now_ms: Callable[[], int]) -> None:
        self._portal, self._settings, self._now_ms = portal, settings, now_ms

    def routes(self) -> list[Route]:
        """Routes at canonical paths."""
        batch, one = "/crm/associations/{from}/{to}", "/crm/objects/{from}/{from_id}/associations"
        return [
            route("POST", batch + "/batch/read", self._batch_read),
            route("POST", batch + "/batch/create", self._batch_create),
            route("POST", batch + "/batch/associate/default", self._batch_create),
            route("POST", batch + "/batch/archive", self._batch_archive),
            route("GET", batch + "/labels", self._labels),
            route("GET", one + "/{to}", self._list),
            route("PUT", one + "/default/{to}/{to_id}", self._put),
            route("PUT", one + "/{to}/{to_id}", self._put),
            route("DELETE", one + "/{to}/{to_id}", self._delete),
        ]

    async def _batch_read(self, asked: Asked) -> Answer:
        from_type, to_type = self._types(asked)
        results: list[Json] = []
        bare: list[str] = []
        for one in asked.inputs(_READ_LIMIT):
            page, following = self._page(from_type, str(one["id"]), to_type, one.get("after"), _PAGE)
            if not self._is_live(from_type, str(one["id"])) or not page:
                bare.append(str(one["id"]))
                continue
            paging = {"paging": {"next": {"after": following}}} if following else {}
            results.append({"from": {"id": str(one["id"])}, "to": page, **paging})
        text = f"No {to_type.name} is associated with {from_type.name} {bare}."
        errors = [ErrorAnswer(404, "OBJECT_NOT_FOUND", text, context={"fromObjectId": bare}).row()] if bare else []
        errors = errors if self._settings().associations_missing_as_errors else []
        return batch_answer(results, errors, self._now_ms())

    async def _list(self, asked: Asked) -> Answer:
        from_type, to_type = self._types(asked)
        record = self._portal.store.find(from_type.type_id, asked.parts["from_id"])
        if record is None or not record.is_live():
            raise not_found()
        limit = whole_number(asked.query.get("limit"), _PAGE, _PAGE)
        page, following = self._page(from_type, record.record_id, to_type, asked.query.get("after"), limit)
        return page_answer(page, following, "/associations")

    async def _put(self, asked: Asked) -> Answer:
        types = asked.body if isinstance(asked.body, list) else []
        ends = self._ends(asked, asked.parts["from_id"], asked.parts["to_id"])
        self._portal.associate(ends, self._portal.app, primary=self._primary(ends, types))
        return json_answer(201, {"fromObjectId": ends[1], "toObjectId": ends[3], "labels": []})

    async def _delete(self, asked: Asked) -> Answer:
        ends = self._ends(asked, asked.parts["from_id"], asked.parts["to_id"])
        self._portal.dissociate(ends, self._portal.app)
        return Answer(204)

    async def _batch_create(self, asked: Asked) -> Answer:
        results: list[Json] = []
        for one in asked.inputs(_CREATE_LIMIT):
            ends = self._ends(asked, str(one["from"]["id"]), str(one["to"]["id"]))
            self._portal.associate(ends, self._portal.app, primary=self._primary(ends, one.get("types", ())))
            types = {"fromObjectTypeId": ends[0].type_id, "toObjectTypeId": ends[2].type_id, "labels": []}
            results.append({"fromObjectId": ends[1], "toObjectId": ends[3], **types})
        return batch_answer(results, [], self._now_ms(), 201)

    async def _batch_archive(self, asked: Asked) -> Answer:
        for one in asked.inputs(_ARCHIVE_LIMIT):
            for to in one["to"]:
                self._portal.dissociate(self._ends(asked, str(one["from"]["id"]), str(to["id"])), self._portal.app)
        return Answer(204)

    async def _labels(self, asked: Asked) -> Answer:
        from_type, to_type = self._types(asked)
        marked = primary_type(from_type, to_type)
        ids = {plain_type(from_type, to_type), *([marked] if marked else [])}
        return json_answer(200, {"results": types_wire(ids)})

    def _types(self, asked: Asked) -> tuple[ObjectType, ObjectType]:
        resolve = self._portal.definitions.resolve
        return resolve(asked.parts["from"]), resolve(asked.parts["to"])

    def _ends(self, asked: Asked, from_id: str, to_id: str) -> Ends:
        from_type, to_type = self._types(asked)
        found = [self._portal.store.find(kind.type_id, one) for kind, one in ((from_type, from_id), (to_type, to_id))]
        if any(record is None or not record.is_live() for record in found):
            raise not_found()
        return from_type, from_id, to_type, to_id

    def _primary(self, ends: Ends, types: Sequence[Json]) -> bool:
        marked = primary_type(ends[0], ends[2])
        return marked is not None and any(one.get("associationTypeId") == marked for one in types)

    def _page(
        self, from_type: ObjectType, from_id: str, to_type: ObjectType, after: str | None, limit: int
    ) -> tuple[list[Json], str | None]:
        settings = self._settings()
        position = int(position_of(after, settings.cursors))
        live = (
            (to_id, types)
            for to_id, types in self._portal.associations.linked(from_type, from_id, to_type)
            if int(to_id) >= position and self._is_live(to_type, to_id)
        )
        links = list(islice(live, limit + 1))
        page: list[Json] = [
            {
                "toObjectId": int(to_id) if settings.associations_as_numbers else to_id,
                "associationTypes": types_wire(types),
            }
            for to_id, types in links[:limit]
        ]
        return page, cursor_of(links[limit][0], settings.cursors) if len(links) > limit else None

    def _is_live(self, kind: ObjectType, record_id: str) -> bool:
        record = self._portal.store.find(kind.type_id, record_id)
        return record is not None and record.is_live()
