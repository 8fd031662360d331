"""The receiver as an ASGI application: reads a request, has it judged and stored, answers."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from connectors.http.messages import Headers
from connectors.receiver.admission import Admission, AdmissionLimits, AdmittedRequest, NotAdmitted
from connectors.receiver.hubspot import judge_hubspot
from connectors.receiver.ports import Count, Directory, NotStored, StoreNotification, WebhookResult
from connectors.receiver.responses import RETRY_AFTER_S, Arrived, Judgement, WebhookRefusal
from connectors.receiver.splitting import parts
from connectors.receiver.userflow import judge_userflow
from schemas.records import Notification
from schemas.values import System

log = logging.getLogger(__name__)

Judge = Callable[[Arrived], Judgement]

_GREETING: Final = "Pairstream's receiver: POST /webhooks/hubspot, POST /webhooks/userflow/<integration>, GET /health\n"
_MESSAGES: Final[dict[WebhookResult, str]] = {
    "too_large": "the body is too large: send fewer events at once",
    "broken_off": "the request ended before its body did",
    "overloaded": "too many webhooks at once: send it again",
    "not_stored": "the webhook could not be stored: send it again",
    "too_slow": "the webhook was not read and stored in time: send it again",
}


def build_receiver(
    store: StoreNotification,
    directory: Directory,
    *,
    public_url: str,
    count: Count,
    now_ms: Callable[[], int],
    limits: AdmissionLimits | None = None,
) -> Starlette:
    """The application; `public_url` is where the vendors reach it, `now_ms` our clock."""
    receiver = _Receiver(store, directory, public_url.rstrip("/"), count, now_ms, limits or AdmissionLimits())
    return Starlette(
        routes=[
            Route("/", _greeting),
            Route("/health", receiver.health),
            Route("/webhooks/hubspot", receiver.hubspot, methods=["POST"]),
            Route("/webhooks/userflow/{integration}", receiver.userflow, methods=["POST"]),
        ],
        exception_handlers={HTTPException: _http_error},
    )


class _Receiver:
    def __init__(
        self,
        store: StoreNotification,
        directory: Directory,
        public_url: str,
        count: Count,
        now_ms: Callable[[], int],
        limits: AdmissionLimits,
    ) -> None:
        self._store = store
        self._directory = directory
        self._public_url = public_url
        self._count = count
        self._now_ms = now_ms
        self._limits = limits
        self._room = Admission(limits)

    async def hubspot(self, request: Request) -> Response:
        return await self._answer(request, "hubspot", lambda arrived: judge_hubspot(arrived, self._directory))

    async def userflow(self, request: Request) -> Response:
        integration = request.path_params["integration"]
        return await self._answer(
            request, "userflow", lambda arrived: judge_userflow(arrived, integration, self._directory)
        )

    async def health(self, _: Request) -> Response:
        """200 only while a webhook that comes now would be kept."""
        problem = await self._store.problem()
        if problem:
            return _error(503, "not_ready", problem)
        return JSONResponse({"status": "ok"})

    async def _answer(self, request: Request, system: System, judge: Judge) -> Response:
        refusal = await self._taken(request, system, judge)
        if refusal is None:
            return JSONResponse({"status": "stored"})
        return _error(refusal.status, refusal.result, refusal.message)

    async def _taken(self, request: Request, system: System, judge: Judge) -> WebhookRefusal | None:
        """None once every recipient's webhook is with the brokers."""
        try:
            with self._room.taken() as place:
                async with asyncio.timeout(self._limits.answer_within_s):
                    return await self._kept(await self._arrived(request, place), system, judge)
        except NotAdmitted as error:
            return self._ended(system, error.result)
        except ClientDisconnect:
            return self._ended(system, "broken_off")
        except TimeoutError:
            return self._ended(system, "too_slow")

    async def _arrived(self, request: Request, place: AdmittedRequest) -> Arrived:
        body = await place.body(request)
        headers = Headers(request.headers.items())
        return Arrived(request.method, _urls(request, self._public_url), headers, body, self._now_ms())

    async def _kept(self, arrived: Arrived, system: System, judge: Judge) -> WebhookRefusal | None:
        judgement = judge(arrived)
        for refusal in judgement.refusals:
            self._count(system, refusal.result, refusal.number)
        bodies = list(parts(arrived.body, self._limits.part_bytes)) if judgement.recipients else []
        notifications = [
            Notification(integration, system, body, {}, arrived.at_ms)
            for integration in judgement.recipients
            for body in bodies
        ]
        failures = await asyncio.gather(*map(self._stored, notifications))
        return next(filter(None, failures), None) or judgement.answer()

    async def _stored(self, notification: Notification) -> WebhookRefusal | None:
        try:
            await self._store.store(notification)
        except NotStored as error:
            log.warning("%s: a webhook of %s was not stored: %s", notification.integration, notification.system, error)
            return self._ended(notification.system, "not_stored")
        self._count(notification.system, "stored")
        return None

    def _ended(self, system: System, result: WebhookResult) -> WebhookRefusal:
        self._count(system, result)
        return WebhookRefusal(result, _MESSAGES[result])


def _urls(request: Request, public_url: str) -> tuple[str, ...]:
    """The URLs that may have been called: the public one, and the one that the request and its proxy name."""
    path = request.scope.get("raw_path") or request.url.path.encode()
    query = request.scope["query_string"]
    target = (path + b"?" + query if query else path).decode("latin-1")
    host = request.headers.get("host", "")
    forwarded = request.headers.get("x-forwarded-proto", "").split(",")[0].strip()
    schemes = filter(None, (forwarded, request.url.scheme))
    return tuple(dict.fromkeys((public_url + target, *(f"{scheme}://{host}{target}" for scheme in schemes))))


async def _greeting(_: Request) -> Response:
    return PlainTextResponse(_GREETING)


async def _http_error(_: Request, error: Exception) -> Response:
    """Starlette's own refusals, in the form of ours."""
    if not isinstance(error, HTTPException):
        raise error
    code = {404: "no_such_path", 405: "wrong_method"}.get(error.status_code, "refused")
    response = _error(error.status_code, code, f"{error.detail}: {_GREETING.strip()}")
    response.headers.update(error.headers or {})
    return response


def _error(status: int, code: str, message: str) -> Response:
    headers = {"Retry-After": str(RETRY_AFTER_S)} if status == 503 else None
    return JSONResponse({"error": code, "message": message}, status, headers)
