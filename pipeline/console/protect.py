"""What every request passes before anything else: host, origin, session; and the headers of every answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request, cookie_parser
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.console.access import SIGN_IN, Access, SignedIn

WHO: Final = "signed_in"
"""The key of a request's `state` with who asks."""
VISITOR: Final = "visitor"
"""The key under which the server gives the connection (`pipeline/bounded_http.py`); any other server gives none."""
SAFE: Final = ("GET", "HEAD")
API: Final = "/api/v1/"
LIVE: Final = "/live"
"""What the script of a page asks by itself, again and again: nobody need be there."""
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
OPEN: Final = (SIGN_IN, f"{SIGN_IN}/oidc", f"{SIGN_IN}/oidc/callback", "/health/live", "/health/ready")
"""Paths without a session; and everything below /static/."""
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": POLICY,
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where browsers find the console; any other host or origin is refused."""

    url: str  # without a slash at the end
    hosts: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def at(cls, url: str) -> "Place":
        """By its address; on this machine's own addresses all of their names count."""
        host = urlsplit(url).netloc.rpartition("@")[2]
        name = _without_port(host)
        port = host[len(name) :]
        names = LOOPBACK if name in LOOPBACK else {name}
        return cls(url, frozenset(f"{each}{port}".lower() for each in names))

    @property
    def secure(self) -> bool:
        return self.url.startswith("https:")

    @property
    def cookie(self) -> str:
        """`__Host-`: no other host can set it. All ports of this machine share cookies, so its port is in it."""
        return "__Host-pairstream" if self.secure else f"pairstream-{urlsplit(self.url).port or 80}"

    def is_ours(self, host: str) -> bool:
        """Whether a request's Host is ours: a name that was made to point here is none (DNS rebinding)."""
        return host.lower() in self.hosts

    def came_from_here(self, headers: Headers) -> bool:
        """Whether a form was sent by a page of this console, as the browser says."""
        site, origin = headers.get("sec-fetch-site"), headers.get("origin", "")
        if site is not None:
            return site == "same-origin"
        scheme, _, host = origin.partition("://")
        return scheme == self.url.partition("://")[0] and self.is_ours(host)


class Protected:
    """Lets a request through to the pages where host, origin and session fit."""

    def __init__(self, app: ASGIApp, place: Place, access: Access) -> None:
        self._app = app
        self._place = place
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, _with_headers(send))

    def _refusal(self, scope: Scope) -> Response | None:
        headers, path = Headers(scope=scope), scope["path"]
        if not self._place.is_ours(headers.get("host", "")):
            return PlainTextResponse(f"This console answers at {self._place.url} only.\n", 400)
        if scope["method"] not in SAFE and not self._place.came_from_here(headers):
            return PlainTextResponse("This form was sent by another site. Nothing was changed.\n", 403)
        signed_in = self._asker(headers, path)
        state = scope.setdefault("state", {})
        state[WHO] = signed_in
        if signed_in is not None and VISITOR in state:
            state[VISITOR].prove()  # where connections are too many, those of strangers end first
        if signed_in is not None or path in OPEN or path.startswith("/static/"):
            return None
        if path.startswith(API):
            told = {"error": "not_signed_in", "message": "Send a token that is in force, as Authorization: Bearer."}
            return JSONResponse(told, 401, {"www-authenticate": "Bearer"})
        if scope["method"] in SAFE and "text/event-stream" not in headers.get("accept", ""):
            return RedirectResponse(SIGN_IN, 303)
        return PlainTextResponse("Sign in first: this session is over. Nothing was changed.\n", 401)

    def _asker(self, headers: Headers, path: str) -> SignedIn | None:
        """By a token where one is sent, which opens what scripts read and nothing else; by the cookie elsewhere."""
        scheme, _, secret = headers.get("authorization", "").partition(" ")
        if path.startswith(API) and scheme:
            return self._access.token(secret.strip()) if scheme.lower() == "bearer" else None
        return self._access.session(cookie_in(headers, self._place.cookie), wakes=path != LIVE)


def asker(request: Request) -> SignedIn | None:
    """Who asks; None where nobody is signed in."""
    who: SignedIn | None = getattr(request.state, WHO, None)
    return who


def cookie_in(headers: Headers, name: str) -> str:
    """The cookie's value; empty where there is none.

    Not by `http.cookies`: it forgets all cookies for one that it cannot read, and every program of this machine may
    set some for all ports.
    """
    return cookie_parser("; ".join(headers.getlist("cookie"))).get(name, "")


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                if name != "cache-control" or name not in headers:
                    headers[name] = value
        await send(message)

    return sending


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host
