"""The endpoint files' common part: routes whose function returns an answer or raises a refusal."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.hubspot.simulator.errors import ErrorAnswer, invalid
from connectors.simulation.calls import Answer, Json, json_answer
from connectors.simulation.clock import iso_z
from connectors.simulation.faults import FaultRule
from connectors.simulation.gate import FAULTS_KEY

BATCH_LIMIT = 100


@dataclass(frozen=True)
class Asked:
    """A call as its endpoint gets it: path parts decoded, the query, the JSON body, the faults that strike the call."""

    parts: Mapping[str, str]
    query: QueryParams
    body: Json
    length: int = 0
    faults: Sequence[FaultRule] = ()
    form: Mapping[str, str] = field(default_factory=dict)
    origin: str = ""  # scheme and host of the call
    authorized: bool = False  # it carries a token

    def names(self, key: str) -> tuple[str, ...] | None:
        """A list in the query, None if absent: joined by commas, repeated (as HubSpot's clients do), or both."""
        names = tuple(name for value in self.query.getlist(key) for name in value.split(",") if name)
        return names or None

    def flag(self, key: str) -> bool:
        """A bool in the query; HubSpot's Python client writes `True`."""
        return self.query.get(key, "").lower() == "true"

    def inputs(self, limit: int = BATCH_LIMIT) -> list[Json]:
        """The inputs of a batch; Refusal 400 if there are too many or none."""
        inputs = self.body.get("inputs") if isinstance(self.body, dict) else None
        if not isinstance(inputs, list):
            raise invalid("inputs is missing")
        if len(inputs) > limit:
            raise invalid(f"The maximum number of inputs is {limit}")
        return inputs


Work = Callable[[Asked], Awaitable[Answer]]


def route(method: str, path: str, work: Work) -> Route:
    """A route at a canonical path."""

    async def endpoint(request: Request) -> Response:
        try:
            answer = await work(await _asked(request))
        except ErrorAnswer as refusal:
            answer = json_answer(refusal.status, refusal.body())
        except (KeyError, TypeError, AttributeError) as error:
            # a part missing from the body, or one of another shape
            answer = json_answer(400, invalid(f"Invalid input JSON: {error!r}").body())
        return Response(answer.body, answer.status, dict(answer.headers))

    return Route(path, endpoint, methods=[method])


async def _asked(request: Request) -> Asked:
    raw = await request.body()
    parts = {name: unquote(value) for name, value in request.path_params.items()}
    is_form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    form = _form(raw) if is_form else {}
    try:
        body = await request.json() if raw and not is_form else {}
    except ValueError:
        raise invalid("Invalid input JSON") from None
    return Asked(
        parts,
        request.query_params,
        body,
        len(raw),
        request.scope.get(FAULTS_KEY, ()),
        form,
        origin=f"{request.url.scheme}://{request.url.netloc}",
        authorized="authorization" in request.headers,
    )


def _form(raw: bytes) -> Mapping[str, str]:
    pairs = (pair.partition("=") for pair in raw.decode().split("&"))
    return {unquote(name.replace("+", " ")): unquote(value.replace("+", " ")) for name, _, value in pairs}


def batch_answer(results: Sequence[Json], errors: Sequence[Json], now_ms: int, status: int = 200) -> Answer:
    """A batch answer: `status`, or 207 with errors."""
    body: Json = {
        "status": "COMPLETE",
        "results": list(results),
        "startedAt": iso_z(now_ms),
        "completedAt": iso_z(now_ms),
    }
    if errors:
        body |= {"numErrors": len(errors), "errors": list(errors)}
    return json_answer(207 if errors else status, body)


def page_answer(results: Sequence[Json], after: str | None, path: str, total: int | None = None) -> Answer:
    """A page; `after` is None for the last."""
    body: Json = {"results": list(results)}
    if total is not None:
        body = {"total": total, **body}
    if after is not None:
        body["paging"] = {"next": {"after": after, "link": f"https://api.hubapi.com{path}?after={after}"}}
    return json_answer(200, body)


_OPAQUE = re.compile(r"([0-9]+)\+/%3D==")


def cursor_of(position: str, form: str) -> str:
    """A cursor: the position itself, or `opaque` text with characters that need percent-encoding."""
    return f"{position}+/%3D==" if form == "opaque" else position


def position_of(cursor: str | None, form: str) -> str:
    """The position of a cursor, `0` without one; Refusal 400 for a cursor that was changed on the way."""
    opaque = _OPAQUE.fullmatch(cursor or "")
    position = opaque[1] if opaque and form == "opaque" else cursor or "0"
    if not position.isdigit() or (cursor and form == "opaque" and not opaque):
        raise invalid(f"after {cursor} is not valid")
    return position


def whole_number(value: str | None, default: int, most: int) -> int:
    """A query number from 1 to `most`; Refusal 400 outside."""
    number = int(value) if value and value.isdigit() else default
    if not 0 < number <= most:
        raise invalid(f"limit must be between 1 and {most}")
    return number
