"""The endpoints of options kept outside properties: the account's owners, its pipelines with their stages."""

from collections.abc import Callable

from starlette.routing import Route

from connectors.hubspot.simulator.definitions import ObjectType
from connectors.hubspot.simulator.endpoints import Asked, page_answer, route, whole_number
from connectors.hubspot.simulator.errors import ErrorAnswer
from connectors.hubspot.simulator.portal import Portal
from connectors.hubspot.simulator.settings import HubSpotSettings
from connectors.hubspot.simulator.standard import PIPELINES
from connectors.simulation.calls import Answer, Json, json_answer
from connectors.simulation.clock import iso_z


class ChoicesApi:
    """One pipeline per option of its property, each with all stages."""

    def __init__(self, portal: Portal, settings: Callable[[], HubSpotSettings]) -> None:
        self._portal, self._settings = portal, settings

    def routes(self) -> list[Route]:
        """Routes at canonical paths; HubSpot's clients put a slash after `owners`."""
        return [
            route("GET", "/crm/owners", self._owners),
            route("GET", "/crm/owners/", self._owners),
            route("GET", "/crm/pipelines/{type}", self._pipelines),
        ]

    async def _owners(self, asked: Asked) -> Answer:
        ids = () if asked.flag("archived") else self._settings().owners
        limit, after = whole_number(asked.query.get("limit"), 100, 500), asked.query.get("after") or "0"
        start = int(after) if after.isdigit() else 0
        following = str(start + limit) if start + limit < len(ids) else None
        return page_answer([_owner(one) for one in ids[start : start + limit]], following, "/crm/v3/owners")

    async def _pipelines(self, asked: Asked) -> Answer:
        kind = self._portal.definitions.resolve(asked.parts["type"])
        if kind.name not in PIPELINES:
            raise ErrorAnswer(404, "OBJECT_NOT_FOUND", f"{kind.name} has no pipelines")
        pipelines, stages = (self._options(kind, name) for name in PIPELINES[kind.name])
        listed = [_choice(value, label, order) for order, (value, label) in enumerate(stages)]
        rows = [
            {**_choice(value, label, order), "stages": [{**one, "metadata": {}} for one in listed]}
            for order, (value, label) in enumerate(pipelines)
        ]
        return json_answer(200, {"results": rows})

    def _options(self, kind: ObjectType, name: str) -> tuple[tuple[str, str], ...]:
        return self._portal.definitions.required(kind, name).options


def _owner(owner_id: str) -> Json:
    return {
        "id": owner_id,
        "email": f"owner-{owner_id}@example.com",
        "type": "PERSON",
        "firstName": "Owner",
        "lastName": owner_id,
        "userId": int(owner_id),
        "userIdIncludingInactive": int(owner_id),
        "createdAt": iso_z(0),
        "updatedAt": iso_z(0),
        "archived": False,
    }


def _choice(value: str, label: str, order: int) -> Json:
    dates = {"createdAt": iso_z(0), "updatedAt": iso_z(0)}
    return {"id": value, "label": label, "displayOrder": order, "archived": False, **dates}
