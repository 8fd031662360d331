"""The control API under `/_simulator`: what a person does to the records, and what a test wants to know or break.

POST   /objects/{type}               {"id"?, "properties" | "attributes": {...}, "silent"?}    201, the raw record
GET    /objects/{type}[/{id}]        raw records with `created_by` "person" | "api"
PATCH  /objects/{type}/{id}          {"properties" | "attributes": {...}, "silent"?}
DELETE /objects/{type}/{id}[?silent=true]
POST   /objects/{type}/{id}/restore · POST /objects/{type}/{id}/merge {"other_id"}
POST   /objects/{type}/{id}/forget   a privacy deletion, for good
PUT    /associations/{type}/{id}/{to type}/{to id} {"primary"?} · DELETE the same
POST   /events {"name", "user_id"?, "group_id"?, "attributes"?} · GET /events
POST   /bulk {"operations": [{"operation": "create|edit|delete|restore|merge|event", ...}], "same_time"?}
POST   /definitions                  the keys of the seed file · POST /seed  a whole seed file
GET    /edits[?since=N]              the edits of persons with the vendor's time
GET    /requests · DELETE /requests  the calls received
GET    /deliveries                   webhook attempts, and how many events still wait
POST   /faults {"rules": [...]} or one rule · DELETE /faults    see faults.FaultRule
PUT    /settings {name: value, ...} · GET /settings (without secrets)
Ids in a path are percent-encoded; what has nothing to say answers 204.
Errors are `{"error": text}` with 400, or 404 for an unknown record.
"""

import dataclasses
from collections.abc import Awaitable, Callable
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.simulation.calls import Json
from connectors.simulation.vendor import Simulator

Endpoint = Callable[[Request], Awaitable[Response]]
_SECRET = ("secret", "token", "key")


def control_routes(vendor: Simulator[Json]) -> list[Route]:
    """The routes that drive `vendor`."""
    return [*_object_routes(vendor), *_test_routes(vendor)]


def _object_routes(vendor: Simulator[Json]) -> list[Route]:
    async def create(request: Request, body: Json) -> Json:
        fields, silent = body.get(vendor.FIELDS, {}), bool(body.get("silent"))
        return vendor.create_object(_part(request, "type"), fields, object_id=body.get("id"), silent=silent)

    async def listing(request: Request, body: Json) -> Json:
        return {"results": vendor.list_objects(_part(request, "type"))}

    async def read(request: Request, body: Json) -> Json:
        return vendor.read_object(*_named(request))

    async def edit(request: Request, body: Json) -> Json:
        return vendor.edit_object(*_named(request), body.get(vendor.FIELDS, {}), silent=bool(body.get("silent")))

    async def delete(request: Request, body: Json) -> Json:
        return vendor.delete_object(*_named(request), silent=request.query_params.get("silent") == "true")

    async def restore(request: Request, body: Json) -> Json:
        return vendor.restore_object(*_named(request), silent=bool(body.get("silent")))

    async def forget(request: Request, body: Json) -> Json:
        return vendor.forget_object(*_named(request))

    async def merge(request: Request, body: Json) -> Json:
        return vendor.merge_objects(*_named(request), body["other_id"], silent=bool(body.get("silent")))

    async def associate(request: Request, body: Json) -> Json:
        ends = (*_named(request), _part(request, "to_type"), _part(request, "to_id"))
        return vendor.associate(*ends, primary=bool(body.get("primary")), silent=bool(body.get("silent")))

    async def dissociate(request: Request, body: Json) -> Json:
        return vendor.dissociate(*_named(request), _part(request, "to_type"), _part(request, "to_id"))

    one, pair = "/objects/{type}/{id}", "/associations/{type}/{id}/{to_type}/{to_id}"
    return [
        _route("POST", "/objects/{type}", create, 201),
        _route("GET", "/objects/{type}", listing),
        _route("GET", one, read),
        _route("PATCH", one, edit),
        _route("DELETE", one, delete),
        _route("POST", one + "/restore", restore),
        _route("POST", one + "/forget", forget),
        _route("POST", one + "/merge", merge),
        _route("PUT", pair, associate),
        _route("DELETE", pair, dissociate),
    ]


def _test_routes(vendor: Simulator[Json]) -> list[Route]:
    async def track(request: Request, body: Json) -> Json:
        return vendor.track_event(body)

    async def events(request: Request, body: Json) -> Json:
        return {"results": vendor.list_events()}

    async def bulk(request: Request, body: Json) -> Json:
        return {"done": vendor.bulk(body["operations"], same_time=bool(body.get("same_time")))}

    async def define(request: Request, body: Json) -> Json:
        vendor.define(body)

    async def seed(request: Request, body: Json) -> Json:
        vendor.load(body)

    async def edits(request: Request, body: Json) -> Json:
        since = int(request.query_params.get("since", 0))
        return {"edits": [dataclasses.asdict(edit) for edit in vendor.edits(since)]}

    async def requests(request: Request, body: Json) -> Json:
        return vendor.requests()

    async def forget_requests(request: Request, body: Json) -> Json:
        vendor.log.clear()

    async def deliveries(request: Request, body: Json) -> Json:
        done = [dataclasses.asdict(delivery) for delivery in vendor.courier.deliveries]
        return {"deliveries": done, "pending": vendor.courier.pending}

    async def break_things(request: Request, body: Json) -> Json:
        vendor.add_faults(body.get("rules", [body]))

    async def lift_faults(request: Request, body: Json) -> Json:
        vendor.faults.clear()

    async def settings(request: Request, body: Json) -> Json:
        vendor.change_settings(**body)
        return _shown_settings(vendor)

    async def show_settings(request: Request, body: Json) -> Json:
        return _shown_settings(vendor)

    return [
        _route("POST", "/events", track, 201),
        _route("GET", "/events", events),
        _route("POST", "/bulk", bulk),
        _route("POST", "/definitions", define),
        _route("POST", "/seed", seed),
        _route("GET", "/edits", edits),
        _route("GET", "/requests", requests),
        _route("DELETE", "/requests", forget_requests),
        _route("GET", "/deliveries", deliveries),
        _route("POST", "/faults", break_things),
        _route("DELETE", "/faults", lift_faults),
        _route("PUT", "/settings", settings),
        _route("GET", "/settings", show_settings),
    ]


def _route(method: str, path: str, work: Callable[[Request, Json], Awaitable[Json]], status: int = 200) -> Route:
    async def endpoint(request: Request) -> Response:
        try:
            body = await request.json() if await request.body() else {}
            result = await work(request, body)
        except KeyError as error:
            return JSONResponse({"error": f"not found: {error}"}, 404)
        except (ValueError, TypeError) as error:
            return JSONResponse({"error": str(error)}, 400)
        return Response(status_code=204) if result is None else JSONResponse(result, status)

    return Route("/_simulator" + path, endpoint, methods=[method])


def _part(request: Request, name: str) -> str:
    return unquote(request.path_params[name])


def _named(request: Request) -> tuple[str, str]:
    return _part(request, "type"), _part(request, "id")


def _shown_settings(vendor: Simulator[Json]) -> Json:
    shown = dataclasses.asdict(vendor.settings)
    return {name: value for name, value in shown.items() if not any(word in name for word in _SECRET)}
