"""Tells a page's parts anew as they change, as server-sent events; one making for all who look at the same page."""

import asyncio
import hashlib
import json
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from re import Pattern
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import compile_path
from starlette.types import Receive, Scope, Send

from connectors.clock import set_within
from connectors.kafka.groups import BrokersUnreachable
from pipeline.console import rendering
from pipeline.console.access import SignedIn
from pipeline.console.asking import ZONE
from pipeline.console.desk import Desk
from pipeline.console.head import Head
from pipeline.console.routes import At
from pipeline.console.visit import NotHere, Shown, Visit
from pipeline.operations import OperationRefused

log = logging.getLogger(__name__)
EVERY_S: Final = 1.0
SIGN_OF_LIFE_S: Final = 5.0
LONGEST_S: Final = 540.0
"""Then the browser asks anew, with its session: shorter than what the server gives an exchange."""
MOST_OF_ONE: Final = 4
"""Of one session: a browser has six connections to a host, and streams in all of them would let no page load."""
MOST: Final = 200
"""Open streams; past them a page is as old as it says."""

Facts = Callable[[Visit, Shown], Mapping[str, Any]]  # Any: what templates take


@dataclass(slots=True)
class _Making:
    """The parts of one page as last made."""

    at_s: float = float("-inf")
    parts: Mapping[str, str] = field(default_factory=dict)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    viewers: int = 0
    state: str = ""  # what is said aloud once it changes: a state, never a figure
    failed_s: float = float("-inf")  # when brokers did not answer last


def state_in(shown: Shown) -> str:
    """The state that a page is about, for those who hear it."""
    head, word = shown.facts.get("head"), shown.facts.get("word")
    if isinstance(head, Head):
        return f"{head.name}: {head.condition.name}"
    return f"Road: {word}" if shown.template == "road.html" else ""


class _Stream(StreamingResponse):
    """An answer of events; `closed` is called once it is over, in whatever way, before its first event too."""

    def __init__(self, events: AsyncIterator[str], closed: Callable[[], None]) -> None:
        super().__init__(events, media_type="text/event-stream", headers={"x-accel-buffering": "no"})
        self._closed = closed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._closed()


class Live:
    """The streams that are open."""

    def __init__(self, pages: Sequence[At], facts: Facts, goes_on: Callable[[SignedIn], bool]) -> None:
        self._pages: list[tuple[Pattern[str], Any, At]] = [(*compile_path(at.path)[::2], at) for at in pages if at.live]
        self._facts = facts
        self._goes_on = goes_on
        self._makings: dict[tuple[str, ...], _Making] = {}
        self._open: Counter[str] = Counter()
        self._closing = asyncio.Event()

    def close(self) -> None:
        """End every stream: the process is about to end."""
        self._closing.set()

    def stream(self, desk: Desk, request: Request, who: SignedIn) -> Response:
        """The answer to `/live?of=<path>`; 204 tells the browser to ask no more."""
        of = request.query_params.get("of", "")
        found = self._found(of, request)
        if found is None or self._is_full(who) or not who.may(found[0].role):
            return Response(status_code=204)
        at, asked = found
        self._open[who.key] += 1
        visit, key = Visit(desk, asked, who), (of, who.key if at.own else who.role, ZONE.get())
        events = self._events(at, visit, key)
        return _Stream(events, lambda: self._closed(who))

    def _closed(self, who: SignedIn) -> None:
        self._open -= Counter({who.key: 1})

    def _is_full(self, who: SignedIn) -> bool:
        return self._open[who.key] >= MOST_OF_ONE or self._open.total() >= MOST

    def _found(self, of: str, request: Request) -> tuple[At, Request] | None:
        """The page at that address, and the request that would ask for it."""
        try:
            asked = urlsplit(of)
        except ValueError:
            return None
        if asked.scheme or asked.netloc:
            return None
        for pattern, convertors, at in self._pages:
            if (match := pattern.match(asked.path)) is not None:
                params = {name: convertors[name].convert(text) for name, text in match.groupdict().items()}
                scope = {**request.scope, "path": asked.path, "query_string": asked.query.encode()}
                return at, Request({**scope, "path_params": params})
        return None

    async def _events(self, at: At, visit: Visit, key: tuple[str, ...]) -> AsyncIterator[str]:
        making = self._makings.setdefault(key, _Making())
        making.viewers += 1
        until_s, told, said_s, state = time.monotonic() + LONGEST_S, dict[str, str](), time.monotonic(), ""
        try:
            while time.monotonic() < until_s and not self._closing.is_set() and self._goes_on(visit.who):
                for name, text in (await self._parts(making, at, visit)).items():
                    digest = hashlib.sha256(text.encode()).hexdigest()
                    if told.get(name) != digest:
                        told[name], said_s = digest, time.monotonic()
                        yield f"event: region\ndata: {json.dumps({'id': name, 'html': text})}\n\n"
                if making.state != state:
                    if state:  # the first is what the page began with
                        yield f"event: said\ndata: {json.dumps({'text': making.state})}\n\n"
                    state = making.state
                if time.monotonic() - max(said_s, making.failed_s) > SIGN_OF_LIFE_S:
                    said_s = time.monotonic()
                    yield "event: alive\ndata: {}\n\n"
                await set_within(self._closing, EVERY_S)
        except (NotHere, OperationRefused):
            yield "event: over\ndata: {}\n\n"
        finally:
            making.viewers -= 1
            if not making.viewers:
                self._makings.pop(key, None)

    async def _parts(self, making: _Making, at: At, visit: Visit) -> Mapping[str, str]:
        """As last made where brokers do not answer; no sign of life is given then, so that the page says it is old."""
        try:
            return await self._made(making, at, visit)
        except BrokersUnreachable:
            making.failed_s = time.monotonic()
            return making.parts

    async def _made(self, making: _Making, at: At, visit: Visit) -> Mapping[str, str]:
        async with making.lock:
            if time.monotonic() - making.at_s >= EVERY_S * 0.9:
                shown = await at.page(visit)
                page = shown if isinstance(shown, Shown) else None
                making.parts = await self._written(visit, page) if page is not None else {}
                making.at_s = time.monotonic()
                making.state = state_in(page) if page is not None else ""
            return making.parts

    async def _written(self, visit: Visit, page: Shown) -> Mapping[str, str]:
        facts = self._facts(visit, page)
        if page.large:
            return await asyncio.to_thread(lambda: dict(rendering.regions(page.template, facts)))
        return dict(rendering.regions(page.template, facts))
