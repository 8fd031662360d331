"""The addresses of a consent as routes: what a browser sends, and how it is answered."""

from collections.abc import Sequence
from http.cookies import SimpleCookie
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.receiver.consent import ANSWER, ANSWERED_WITHIN_MS, CALLBACK, COOKIE, START, ConsentPages, Reply
from connectors.receiver.consent_pages import HEADERS, page
from connectors.receiver.ports import NotStored

COOKIE_LIFE_S: Final = 600 + ANSWERED_WITHIN_MS // 1000
"""Longer than a link opens: who came back in its last moment has the page of the answer still to see."""


def consent_routes(pages: ConsentPages, public_url: str) -> Sequence[Route]:
    """Where a link leads, where HubSpot sends the browser back to, and where it then sees what became of it."""
    public = urlsplit(public_url)
    secure, path = public.scheme == "https", f"{public.path.rstrip('/')}/oauth/hubspot"

    def answered(reply: Reply) -> Response:
        headers = dict(HEADERS)
        if reply.location is not None:
            headers["Location"] = reply.location
        if reply.again_s is not None:
            headers["Refresh"] = str(reply.again_s)
        if reply.cookie is not None:
            headers["Set-Cookie"] = _cookie(reply.cookie, path, secure=secure)
        body = reply.page.html() if reply.page is not None else ""
        return Response(body, reply.status, headers, "text/html")

    async def start(request: Request) -> Response:
        return answered(pages.start(request.query_params.get("link", ""), request.cookies.get(COOKIE)))

    async def callback(request: Request) -> Response:
        try:
            return answered(await pages.came_back(request.query_params, request.cookies.get(COOKIE)))
        except NotStored:
            return answered(Reply(503, page("not_stored")))

    async def answer(request: Request) -> Response:
        return answered(pages.answer(request.query_params.get("state", ""), request.cookies.get(COOKIE)))

    return [Route(START, start), Route(CALLBACK, callback), Route(ANSWER, answer)]


def _cookie(secret: str, path: str, *, secure: bool) -> str:
    cookie = SimpleCookie({COOKIE: secret})
    of_browser = cookie[COOKIE]
    of_browser["path"], of_browser["max-age"] = path, COOKIE_LIFE_S
    # Lax: HubSpot's page leads here from another site, by a plain GET
    of_browser["httponly"], of_browser["samesite"], of_browser["secure"] = True, "Lax", secure
    return of_browser.OutputString()
