"""The gate of a simulated vendor: logs, limits, delays or spoils every call before its endpoint sees it."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

import httpx
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connectors.simulation.calls import Answer, Call, RequestLog
from connectors.simulation.clock import VendorClock
from connectors.simulation.faults import FaultRule, Faults
from connectors.simulation.settings import SimulatorSettings

CONTROL_PREFIX = "/_simulator"
FAULTS_KEY = "simulator.faults"


class Guarded(Protocol):
    """The vendor's side of the gate."""

    @property
    def settings(self) -> SimulatorSettings: ...
    @property
    def clock(self) -> VendorClock: ...
    @property
    def log(self) -> RequestLog: ...
    @property
    def faults(self) -> Faults: ...
    @property
    def closing(self) -> asyncio.Event: ...

    def describe(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Call: ...
    def route_path(self, path: str) -> str: ...
    def admit(self, call: Call) -> Answer | None: ...
    def release(self, call: Call) -> None: ...
    def extra_headers(self, call: Call) -> dict[str, str]: ...
    def status_answer(self, rule: FaultRule) -> Answer: ...
    def vanish(self, call: Call, object_ids: Sequence[str]) -> None: ...


class _NoAnswer(Exception):
    """The client gets no answer; `quietly_ms` None waits until it gives up, 0 cuts the connection."""

    def __init__(self, quietly_ms: float | None) -> None:
        super().__init__()
        self.quietly_ms = quietly_ms


class Gate:
    """An ASGI app around the vendor's router."""

    def __init__(self, vendor: Guarded, router: ASGIApp) -> None:
        self._vendor, self._router = vendor, router

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._router(scope, receive, send)
            return
        # ids may hold an encoded slash, so routes match the path as sent
        path = scope.get("raw_path", scope["path"].encode()).decode("ascii").split("?")[0]
        if path.startswith(CONTROL_PREFIX):
            await self._router({**scope, "path": path}, receive, send)
        else:
            await self._serve({**scope, "path": path}, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        vendor = self._vendor
        body = await _read_body(receive)
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        call = vendor.describe(scope["method"], scope["path"], headers, body)
        arrived_ms = vendor.clock.now_ms()
        answer = None
        try:
            answer = await self._answer(call, scope, body)
        except _NoAnswer as silence:
            await self._stay_silent(silence, receive, send)
        finally:
            vendor.log.add(call, arrived_ms, answer.status if answer else 0)
        if answer is not None:
            dated = {"date": vendor.clock.http_date(), **vendor.extra_headers(call), **answer.headers}
            await _send_answer(send, Answer(answer.status, answer.body, dated))

    async def _answer(self, call: Call, scope: Scope, body: bytes) -> Answer:
        refusal = self._vendor.admit(call)
        if refusal is not None:
            return refusal
        try:
            return await self._admitted(call, scope, body, self._vendor.faults.strike(call))
        finally:
            self._vendor.release(call)

    async def _admitted(self, call: Call, scope: Scope, body: bytes, rules: Sequence[FaultRule]) -> Answer:
        half_s = self._vendor.settings.latency_ms / 2000
        await asyncio.sleep(half_s)
        for rule in rules:
            if rule.action == "status":
                return self._vendor.status_answer(rule)
            if rule.action == "close_connection":
                raise _NoAnswer(0)
            if rule.action == "timeout_before_effect":
                raise _NoAnswer(rule.after_ms)
            if rule.action == "delete_before_write":
                self._vendor.vanish(call, [rule.object_id] if rule.object_id else call.object_ids)
        scope = {**scope, "path": self._vendor.route_path(scope["path"]), FAULTS_KEY: rules}
        answer = await _call_router(self._router, scope, body)
        for rule in rules:
            if rule.action == "timeout_after_effect":
                raise _NoAnswer(rule.after_ms)
        await asyncio.sleep(half_s)
        return answer

    async def _stay_silent(self, silence: _NoAnswer, receive: Receive, send: Send) -> None:
        connection = _connection(send)
        if connection is None:
            # in process no socket can stay open or be cut, so nothing else would time out
            if silence.quietly_ms == 0:
                raise httpx.RemoteProtocolError("the simulator closed the connection")
            raise httpx.ReadTimeout("the simulator does not answer")
        if silence.quietly_ms != 0:
            await self._until_given_up(silence.quietly_ms, receive)
        connection.abort()
        # uvicorn reports a return without an answer as an error unless it knows that the client is gone
        await receive()

    async def _until_given_up(self, quietly_ms: float | None, receive: Receive) -> None:
        gone = asyncio.ensure_future(receive())
        closing = asyncio.ensure_future(self._vendor.closing.wait())
        timeout_s = None if quietly_ms is None else quietly_ms / 1000
        await asyncio.wait({gone, closing}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        for waiting in (gone, closing):
            waiting.cancel()
        await asyncio.gather(gone, closing, return_exceptions=True)


async def _read_body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    more = True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


async def _call_router(router: ASGIApp, scope: Scope, body: bytes) -> Answer:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def keep(message: Message) -> None:
        sent.append(message)

    await router(scope, receive, keep)
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:]), headers)


async def _send_answer(send: Send, answer: Answer) -> None:
    headers = {**answer.headers, "content-length": str(len(answer.body))}
    wire = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": wire})
    await send({"type": "http.response.body", "body": answer.body})


def _connection(send: Send) -> asyncio.Transport | None:
    """The socket behind uvicorn's `send`; ASGI itself cannot cut a connection."""
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    return transport if isinstance(transport, asyncio.Transport) else None
