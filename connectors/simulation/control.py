"""The control API under `/_simulator`: a person's edits of records, and the inspection and faults that tests need.

POST   /objects/{type}               {"id"?, "properties" | "attributes": {...}, "silent"?}    201, the raw record
GET    /objects/{type}[/{id}]        raw records with `created_by` "person" | "api"
PATCH  /objects/{type}/{id}          {"properties" | "attributes": {...}, "silent"?}
DELETE /objects/{type}/{id}[?silent=true]
POST   /objects/{type}/{id}/restore · POST /objects/{type}/{id}/merge {"other_id"}
POST   /objects/{type}/{id}/forget   a privacy deletion, for good
PUT    /associations/{type}/{id}/{to type}/{to id} {"primary"?} · DELETE the same
POST   /events {"name", "user_id"?, "group_id"?, "attributes"?} · GET /events[?object={id}]
POST   /bulk {"operations": [{"operation": "create|edit|delete|restore|merge|event", ...}], "same_time"?}
POST   /definitions                  the keys of the seed file · POST /seed  a whole seed file
GET    /edits[?since=N]              the edits of persons with the vendor's time
GET    /requests[?last=N]            the calls received, counters, `created_by_api` · DELETE /requests
GET    /deliveries                   webhook attempts, and how many events still wait
POST   /faults {"rules": [...]} or one rule · DELETE /faults    see faults.FaultRule
PUT    /settings {name: value, ...} · GET /settings (without secrets)
Percent-encode ids in a path; an empty answer is 204. A POST must be JSON, and the Host this machine.
Errors are `{"error": text}` with 400, or 404 for an unknown record.
"""

import dataclasses
from collections.abc import Awaitable, Callable
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.http.addresses import is_loopback
from connectors.http.messages import JSON_CONTENT
from connectors.simulation.calls import Json
from connectors.simulation.gate import CONTROL_PREFIX
from connectors.simulation.vendor import Simulator

_SECRET = ("secret", "token", "key")

Work = Callable[[Request, Json], Awaitable[Json]]


def control_routes(vendor: Simulator[Json]) -> list[Route]:
    """The routes that drive `vendor`."""
    return [*PersonApi(vendor).routes(), *InstrumentApi(vendor).routes()]


class PersonApi:
    """A person's edits of records."""

    def __init__(self, vendor: Simulator[Json]) -> None:
        self._vendor = vendor

    def routes(self) -> list[Route]:
        """Routes below `/_simulator`."""
        one, pair = "/objects/{type}/{id}", "/associations/{type}/{id}/{to_type}/{to_id}"
        return [
            _route("POST", "/objects/{type}", self._create, 201),
            _route("GET", "/objects/{type}", self._list),
            _route("GET", one, self._read),
            _route("PATCH", one, self._edit),
            _route("DELETE", one, self._delete),
            _route("POST", one + "/restore", self._restore),
            _route("POST", one + "/forget", self._forget),
            _route("POST", one + "/merge", self._merge),
            _route("PUT", pair, self._associate),
            _route("DELETE", pair, self._dissociate),
            _route("POST", "/events", self._track, 201),
            _route("GET", "/events", self._events),
            _route("POST", "/bulk", self._bulk),
        ]

    async def _create(self, request: Request, body: Json) -> Json:
        fields = body.get(self._vendor.FIELDS, {})
        return self._vendor.create_object(
            _part(request, "type"), fields, object_id=body.get("id"), silent=_is_silent(body)
        )

    async def _list(self, request: Request, body: Json) -> Json:
        return {"results": self._vendor.list_objects(_part(request, "type"))}

    async def _read(self, request: Request, body: Json) -> Json:
        return self._vendor.read_object(*_named(request))

    async def _edit(self, request: Request, body: Json) -> Json:
        fields = body.get(self._vendor.FIELDS, {})
        return self._vendor.edit_object(*_named(request), fields, silent=_is_silent(body))

    async def _delete(self, request: Request, body: Json) -> Json:
        return self._vendor.delete_object(*_named(request), silent=request.query_params.get("silent") == "true")

    async def _restore(self, request: Request, body: Json) -> Json:
        return self._vendor.restore_object(*_named(request), silent=_is_silent(body))

    async def _forget(self, request: Request, body: Json) -> Json:
        return self._vendor.forget_object(*_named(request))

    async def _merge(self, request: Request, body: Json) -> Json:
        return self._vendor.merge_objects(*_named(request), body["other_id"], silent=_is_silent(body))

    async def _associate(self, request: Request, body: Json) -> Json:
        ends = (*_named(request), _part(request, "to_type"), _part(request, "to_id"))
        return self._vendor.associate(*ends, primary=bool(body.get("primary")), silent=_is_silent(body))

    async def _dissociate(self, request: Request, body: Json) -> Json:
        return self._vendor.dissociate(*_named(request), _part(request, "to_type"), _part(request, "to_id"))

    async def _track(self, request: Request, body: Json) -> Json:
        return self._vendor.track_event(body)

    async def _events(self, request: Request, body: Json) -> Json:
        about, events = request.query_params.get("object"), self._vendor.list_events()
        return {"results": [event for event in events if about is None or about in _subjects(event)]}

    async def _bulk(self, request: Request, body: Json) -> Json:
        return {"done": self._vendor.bulk(body["operations"], same_time=bool(body.get("same_time")))}


class InstrumentApi:
    """The tests' instruments: definitions, faults, settings, logs."""

    def __init__(self, vendor: Simulator[Json]) -> None:
        self._vendor = vendor

    def routes(self) -> list[Route]:
        """Routes below `/_simulator`."""
        return [
            _route("POST", "/definitions", self._define),
            _route("POST", "/seed", self._seed),
            _route("GET", "/edits", self._edits),
            _route("GET", "/requests", self._requests),
            _route("DELETE", "/requests", self._forget_requests),
            _route("GET", "/deliveries", self._deliveries),
            _route("POST", "/faults", self._add_faults),
            _route("DELETE", "/faults", self._clear_faults),
            _route("PUT", "/settings", self._change_settings),
            _route("GET", "/settings", self._settings),
        ]

    async def _define(self, request: Request, body: Json) -> Json:
        self._vendor.define(body)

    async def _seed(self, request: Request, body: Json) -> Json:
        self._vendor.load(body)

    async def _edits(self, request: Request, body: Json) -> Json:
        since = int(request.query_params.get("since", 0))
        return {"edits": [dataclasses.asdict(edit) for edit in self._vendor.edits(since)]}

    async def _requests(self, request: Request, body: Json) -> Json:
        last = request.query_params.get("last")
        return self._vendor.requests(None if last is None else int(last))

    async def _forget_requests(self, request: Request, body: Json) -> Json:
        self._vendor.log.clear()

    async def _deliveries(self, request: Request, body: Json) -> Json:
        done = [dataclasses.asdict(delivery) for delivery in self._vendor.courier.deliveries]
        return {"deliveries": done, "pending": self._vendor.courier.pending}

    async def _add_faults(self, request: Request, body: Json) -> Json:
        self._vendor.add_faults(body.get("rules", [body]))

    async def _clear_faults(self, request: Request, body: Json) -> Json:
        self._vendor.faults.clear()

    async def _change_settings(self, request: Request, body: Json) -> Json:
        self._vendor.change_settings(**body)
        return await self._settings(request, body)

    async def _settings(self, request: Request, body: Json) -> Json:
        shown = dataclasses.asdict(self._vendor.settings)
        return {name: value for name, value in shown.items() if not any(word in name for word in _SECRET)}


def _route(method: str, path: str, work: Work, status: int = 200) -> Route:
    async def endpoint(request: Request) -> Response:
        refusal = _refusal(request)
        if refusal is not None:
            return refusal
        try:
            body = await request.json() if await request.body() else {}
            result = await work(request, body)
        except KeyError as error:
            return JSONResponse({"error": f"not found: {error}"}, 404)
        except (ValueError, TypeError) as error:
            return JSONResponse({"error": str(error)}, 400)
        return Response(status_code=204) if result is None else JSONResponse(result, status)

    return Route(CONTROL_PREFIX + path, endpoint, methods=[method])


def _refusal(request: Request) -> Response | None:
    """Refuse pages in a browser of this machine, which can call the API by a host name of their own or by a form."""
    if not is_loopback(f"//{request.headers.get('host', '')}"):
        return JSONResponse({"error": "call the control API by 127.0.0.1 or localhost"}, 403)
    content = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method == "POST" and content != JSON_CONTENT:
        return JSONResponse({"error": f"send it as {JSON_CONTENT}, {{}} where there is nothing to say"}, 415)
    return None


def _subjects(event: Json) -> set[str]:
    """The ids of an event's objects, whichever keys the vendor uses."""
    return {str(event[name]) for name in ("objectId", "user_id", "group_id") if event.get(name) is not None}


def _part(request: Request, name: str) -> str:
    return unquote(request.path_params[name])


def _named(request: Request) -> tuple[str, str]:
    return _part(request, "type"), _part(request, "id")


def _is_silent(body: Json) -> bool:
    return bool(body.get("silent"))
