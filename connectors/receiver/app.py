"""The receiver as an ASGI application: reads a request, judges and stores it, answers."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route

from connectors.http.messages import Headers
from connectors.receiver import hubspot, userflow
from connectors.receiver.admission import Admission, AdmissionLimits, AdmittedRequest, NotAdmitted
from connectors.receiver.consent import ConsentPages
from connectors.receiver.consent_routes import consent_routes
from connectors.receiver.ports import Count, Directory, NotStored, StoreNotification, Visitor, WebhookResult
from connectors.receiver.responses import RETRY_AFTER_S, Arrived, Judgement, WebhookRefusal
from connectors.receiver.splitting import parts, shared_out
from schemas.records import Notification
from schemas.values import System

log = logging.getLogger(__name__)

VISITOR: Final = "visitor"
"""The key in the scope's `state` under which the server leaves the request's connection, if it tracks connections."""

RefuseHead = Callable[[Headers, int], WebhookRefusal | None]
Judge = Callable[[Arrived], Judgement]

_GREETING: Final = "Pairstream's receiver: POST /webhooks/hubspot, POST /webhooks/userflow/<integration>, GET /health\n"
_MESSAGES: Final[dict[WebhookResult, str]] = {
    "too_large": "the body is too large: send fewer events at once, or raise {SYSTEM}_WEBHOOK_BYTES",
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
    consents: ConsentPages | None = None,
) -> Starlette:
    """The application; vendors reach it at `public_url`; `now_ms` is our clock; `consents`: people grant access here.

    The proxy in front may keep or remove a path in `public_url`.
    """
    prefix = urlsplit(public_url).path.rstrip("/")
    receiver = _Receiver(store, directory, public_url.rstrip("/"), prefix, count, now_ms, limits or AdmissionLimits())
    routes = [
        Route("/", _greeting),
        Route("/health", receiver.health),
        Route("/webhooks/hubspot", receiver.hubspot, methods=["POST"]),
        Route("/webhooks/userflow/{integration}", receiver.userflow, methods=["POST"]),
        *(consent_routes(consents, public_url) if consents is not None else ()),
    ]
    below = [Mount(prefix, routes=routes)] if prefix else []
    return Starlette(routes=[*below, *routes], exception_handlers={HTTPException: _http_error})


class _Receiver:
    def __init__(
        self,
        store: StoreNotification,
        directory: Directory,
        public_url: str,
        prefix: str,
        count: Count,
        now_ms: Callable[[], int],
        limits: AdmissionLimits,
    ) -> None:
        self._store = store
        self._directory = directory
        self._public_url = public_url
        self._prefix = prefix
        self._count = count
        self._now_ms = now_ms
        self._limits = limits
        self._room = Admission(limits)

    async def hubspot(self, request: Request) -> Response:
        def judge(arrived: Arrived) -> Judgement:
            return hubspot.judge_hubspot(arrived, self._directory)

        return await self._answer(request, "hubspot", hubspot.refuse_head, judge)

    async def userflow(self, request: Request) -> Response:
        def judge(arrived: Arrived) -> Judgement:
            return userflow.judge_userflow(arrived, request.path_params["integration"], self._directory)

        return await self._answer(request, "userflow", userflow.refuse_head, judge)

    async def health(self, _: Request) -> Response:
        """200 only while a webhook arriving now would be stored."""
        problem = await self._store.problem()
        if problem:
            return _error(503, "not_ready", problem)
        return JSONResponse({"status": "ok"})

    async def _answer(self, request: Request, system: System, refuse: RefuseHead, judge: Judge) -> Response:
        refusal = refuse(Headers(request.headers.items()), self._now_ms())
        if refusal is None:
            refusal = await self._taken(request, system, judge)
        else:
            self._count(system, refusal.result)
        if refusal is None:
            return JSONResponse({"status": "stored"})
        return _error(refusal.status, refusal.result, refusal.message)

    async def _taken(self, request: Request, system: System, judge: Judge) -> WebhookRefusal | None:
        """None once the brokers have the webhook for every recipient."""
        visitor = _visitor(request)
        try:
            with self._room.taken(visitor is not None and visitor.known) as place:
                async with asyncio.timeout(self._limits.answer_within_s):
                    arrived = await self._arrived(request, place, self._limits.body_bytes(system))
                    judgement = judge(arrived)
                    if judgement.signed:
                        place.proved()
                        if visitor is not None:
                            visitor.prove()
                    return await self._kept(arrived, system, judgement)
        except NotAdmitted as error:
            return self._ended(system, error.result)
        except ClientDisconnect:
            return self._ended(system, "broken_off")
        except TimeoutError:
            return self._ended(system, "too_slow")

    async def _arrived(self, request: Request, place: AdmittedRequest, most: int) -> Arrived:
        body = await place.body(request, most)
        headers = Headers(request.headers.items())
        return Arrived(request.method, self._signed_url(request), headers, body, self._now_ms())

    def _signed_url(self, request: Request) -> str:
        """The URL that the vendor signed: our configured scheme and host, whatever the request's headers say."""
        path: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
        query: bytes = request.scope["query_string"]
        target = (path + b"?" + query if query else path).decode("latin-1")
        return self._public_url + target.removeprefix(self._prefix)

    async def _kept(self, arrived: Arrived, system: System, judgement: Judgement) -> WebhookRefusal | None:
        for refusal in judgement.refusals:
            self._count(system, refusal.result, refusal.number)
        bodies: Mapping[str, bytes] = dict.fromkeys(judgement.recipients, arrived.body)
        if judgement.shares:
            bodies = await asyncio.to_thread(shared_out, arrived.body, judgement.shares)
        notifications = [
            Notification(integration, system, part, {}, arrived.at_ms)
            for integration, body in bodies.items()
            for part in parts(body, self._limits.part_bytes)
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
        return WebhookRefusal(result, _MESSAGES[result].format(SYSTEM=system.upper()))


def _visitor(request: Request) -> Visitor | None:
    state: dict[str, Visitor] = request.scope.get("state", {})
    return state.get(VISITOR)


async def _greeting(_: Request) -> Response:
    return PlainTextResponse(_GREETING)


async def _http_error(_: Request, error: Exception) -> Response:
    """Starlette's own refusals in the form of ours."""
    if not isinstance(error, HTTPException):
        raise error
    code = {404: "no_such_path", 405: "wrong_method"}.get(error.status_code, "refused")
    response = _error(error.status_code, code, f"{error.detail}: {_GREETING.strip()}")
    response.headers.update(error.headers or {})
    return response


def _error(status: int, code: str, message: str) -> Response:
    headers = {"Retry-After": str(RETRY_AFTER_S)} if status == 503 else None
    return JSONResponse({"error": code, "message": message}, status, headers)
