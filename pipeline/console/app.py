"""The console as one ASGI application: every route behind its role and the form's token."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlencode

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from connectors.kafka.groups import BrokersUnreachable
from pipeline.console import rendering, sheet
from pipeline.console.access import Access, SignedIn
from pipeline.console.asking import ASKED_BY, ZONE, ZONE_COOKIE, zone_named
from pipeline.console.desk import Desk
from pipeline.console.form import Form
from pipeline.console.head import TABS
from pipeline.console.live import Live
from pipeline.console.openapi import description
from pipeline.console.pages.api import Away
from pipeline.console.pages.sign_in import SignIn
from pipeline.console.pages.sso import Sso
from pipeline.console.protect import API, LIVE, Place, Protected, asker
from pipeline.console.rail import RailKept
from pipeline.console.routes import PAGES, SCRIPTS, At, ForScripts
from pipeline.console.visit import TOKEN, Elsewhere, Gone, NotHere, Sheet, Shown, Visit, form_of
from pipeline.console.words import clock
from pipeline.operations import OperationRefused

HOLD: Final = "hold"
"""In an address: figures stay as they are while one reads."""


def build_console(desk: Desk, access: Access, place: Place, sso: Sso | None = None) -> "Console":
    """The application, protected."""
    pages_in, sign_in = _Pages(desk, access, PAGES), SignIn(access, place, desk.about)
    routes: list[BaseRoute] = [
        Route("/sign-in", sign_in.show),
        Route("/sign-in", sign_in.enter, methods=["POST"]),
        *([Route("/sign-in/oidc", sso.begin), Route("/sign-in/oidc/callback", sso.enter)] if sso is not None else ()),
        Route("/health/live", _alive),
        Route("/health/ready", _alive),
        Route("/static/{hash}/{name}", _static),
        Route("/sign-out", pages_in.sign_out, methods=["POST"]),
        Route(LIVE, pages_in.live),
        Route("/api/v1/openapi.json", pages_in.described),
        *(Route(one.path, pages_in.telling(one)) for one in SCRIPTS),
        *(Route(one.path, pages_in.answering(one), methods=[one.method]) for one in PAGES),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: pages_in.no_page, Exception: pages_in.fault})
    app.router.redirect_slashes = False  # a proxy ends TLS before us, and we would lead out of it
    return Console(Protected(app, place, access), routes, pages_in.close)


@dataclass(frozen=True, slots=True)
class Console:
    """The application; `close` ends its open streams before the process ends."""

    app: ASGIApp
    routes: Sequence[BaseRoute]
    close: Callable[[], None]


class _Pages:
    """Pages into answers."""

    def __init__(self, desk: Desk, access: Access, pages: Sequence[At]) -> None:
        self._desk = desk
        self._access = access
        self._rail = RailKept(desk)
        self._live = Live(pages, self._facts, access.goes_on)
        self.close = self._live.close

    def answering(self, at: At) -> Callable[[Request], Awaitable[Response]]:
        """A route's endpoint: the role, the form's token, then the page."""

        async def answer(request: Request) -> Response:
            who = signed_in(request)
            if not who.may(at.role):
                return self._message(request, who, 403, "lock", f"This needs the role {at.role}", _may_not(who))
            form = Form()
            if at.method == "POST":
                sent = await form_of(request)
                if sent is None or not of_session(sent, who):
                    return self._message(request, who, 403, "warn", "This form is not of your session", _STALE)
                form = sent
            ASKED_BY.set(who.name)
            ZONE.set(zone_of(request))
            return await self._page(Visit(self._desk, request, who, form), at)

        return answer

    def telling(self, at: ForScripts) -> Callable[[Request], Awaitable[Response]]:
        """The endpoint of what scripts read."""

        async def answer(request: Request) -> Response:
            who = signed_in(request)
            if not who.may(at.role):
                return _error(403, "not_permitted", f"This needs the role {at.role}.")
            ASKED_BY.set(who.name)
            try:
                told = await at.answer(Visit(self._desk, request, who))
            except NotHere as error:
                return _error(404, "not_here", str(error))
            except OperationRefused as refusal:
                return _error(409, "refused", str(refusal))
            except (Away, BrokersUnreachable) as error:
                return _error(503, "brokers_away", str(error))
            return JSONResponse(told.told)

        return answer

    async def described(self, _: Request) -> Response:
        """What there is for scripts, as OpenAPI."""
        return JSONResponse(description(SCRIPTS, self._desk.about.version))

    async def _page(self, visit: Visit, at: At) -> Response:
        try:
            shown = await at.page(visit)
        except Elsewhere as over:
            return RedirectResponse(over.path, 303)
        except NotHere as error:
            lines = tuple(f"Did you mean {name}?" for name in [error.nearest] if name and error.meant)
            back = (error.path, f"To {error.nearest}") if error.path else ("/", "To the overview")
            return self._message(visit.request, visit.who, 404, "search", str(error), lines, back)
        except BrokersUnreachable as error:
            lines = (str(error), "Syncing may well go on: this console cannot see it. Nothing was changed.")
            return self._message(visit.request, visit.who, 503, "warn", "The brokers do not answer.", lines)
        except OperationRefused as refusal:
            lines = tuple(str(refusal).splitlines())
            back = (f"/i/{visit.integration}" if visit.integration else "/", "Back")
            return self._message(visit.request, visit.who, 409, "warn", "Not done. Nothing was changed.", lines, back)
        if isinstance(shown, Gone):
            return RedirectResponse(shown.path, 303)
        if isinstance(shown, Sheet):
            kept_as = {"content-disposition": f'attachment; filename="{shown.name}.csv"'}
            return StreamingResponse(sheet.lines(shown.rows), media_type="text/csv; charset=utf-8", headers=kept_as)
        held = at.live and visit.query(HOLD) == "1"
        facts = self._facts(visit, shown, asked_for(visit.request) if at.live and not held else "")
        facts |= {"still": held, "other_way": other_way(visit.request, held) if at.live else ""}
        written = await asyncio.to_thread(rendering.page, shown.template, facts) if shown.large else None
        written = written if written is not None else rendering.page(shown.template, facts)
        return HTMLResponse(written, shown.status, dict(shown.headers))

    def _facts(self, visit: Visit, shown: Shown, live: str = "") -> dict[str, object]:
        now_ms = self._desk.now_ms()
        return {
            "about": self._desk.about,
            "who": visit.who,
            "path": visit.request.url.path,
            "names": list(self._desk.integrations),
            "rail": self._rail.now(),
            "tabs": TABS,
            "may_act": visit.who.may("operator"),
            "may_connect": visit.who.may("admin"),
            "integration": visit.integration,
            "live": live,
            "asked": clock(now_ms, now_ms),
            "still": False,
            "other_way": "",
            "zone": ZONE.get(),
            **shown.facts,
        }

    def _message(
        self,
        request: Request,
        who: SignedIn,
        status: int,
        icon: str,
        title: str,
        lines: Sequence[str],
        back: tuple[str, str] = ("/", "To the overview"),
    ) -> Response:
        told = {"title": title, "lines": lines, "icon": icon, "href": back[0], "act": back[1]}
        facts = self._facts(Visit(self._desk, request, who), Shown("message.html", told))
        return HTMLResponse(rendering.page("message.html", facts), status)

    async def no_page(self, request: Request, error: Exception) -> Response:
        """A path or method that no route has."""
        assert isinstance(error, HTTPException)
        who = asker(request)
        if request.url.path.startswith(API):
            return _error(error.status_code, "not_here", "There is no such address. See /api/v1/openapi.json.")
        if who is None:
            return PlainTextResponse(f"{error.detail}\n", error.status_code)
        title = "There is no such page" if error.status_code == 404 else error.detail
        return self._message(request, who, error.status_code, "search", title, ())

    async def fault(self, request: Request, error: Exception) -> Response:
        """What nobody foresaw: the server logs it whole, the page names no more than its kind."""
        who, kind = asker(request), type(error).__name__
        if request.url.path.startswith(API):
            return _error(500, "fault", f"A fault of Pairstream: {kind}. The console's log says more.")
        if who is None:
            return PlainTextResponse("A fault of Pairstream. The console's log says more.\n", 500)
        lines = ("Please report it, with what the console's log says.", kind)
        return self._message(request, who, 500, "bad", "A fault of Pairstream", lines)

    async def sign_out(self, request: Request) -> Response:
        who = signed_in(request)
        form = await form_of(request)
        if form is None or not of_session(form, who):
            return self._message(request, who, 403, "warn", "This form is not of your session", _STALE)
        await self._access.sign_out(who)
        return RedirectResponse("/sign-in", 303)

    async def live(self, request: Request) -> Response:
        who = signed_in(request)
        ZONE.set(zone_of(request))
        return self._live.stream(self._desk, request, who)


_STALE: Final = (
    "You signed in again meanwhile, or another site sent it. Nothing was changed. Open the page once more.",
)


def _may_not(who: SignedIn) -> tuple[str, ...]:
    return (
        f"You are signed in as {who.name}, with the role {who.role}. Nothing was changed.",
        "Whoever runs Pairstream makes another link: pairstream console link --role admin",
    )


def of_session(form: Form, who: SignedIn) -> bool:
    """Whether a form holds the token of this very session."""
    return hmac.compare_digest(form.one(TOKEN).encode(), who.form_token.encode())


def asked_for(request: Request) -> str:
    """Path and query: what is told anew is of the same filter."""
    return f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path


def other_way(request: Request, held: bool) -> str:
    """The same page held still, or no more."""
    asked = [(name, text) for name, text in request.query_params.multi_items() if name != HOLD]
    query = urlencode(asked if held else [*asked, (HOLD, "1")])
    return f"{request.url.path}?{query}" if query else request.url.path


def zone_of(request: Request) -> str:
    """The time zone that the browser told."""
    return zone_named(unquote(request.cookies.get(ZONE_COOKIE, "")))


def signed_in(request: Request) -> SignedIn:
    """Who asks; past the protection somebody does."""
    who = asker(request)
    assert who is not None
    return who


def _error(status: int, code: str, message: str) -> Response:
    return JSONResponse({"error": code, "message": message}, status)


async def _alive(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _static(request: Request) -> Response:
    name = request.path_params["name"]
    held = rendering.static(name)
    if held is None or rendering.static_path(name) != request.url.path:
        return PlainTextResponse("not here\n", 404)
    kind = rendering.TYPES[name.rpartition(".")[2]]
    return Response(held, media_type=kind, headers={"cache-control": rendering.FOREVER})
