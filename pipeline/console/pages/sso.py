"""Signing in at the team's own provider, and back from there."""

import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from connectors.contract.errors import ConnectorError
from connectors.http import messages
from pipeline.console import rendering
from pipeline.console.access import Access
from pipeline.console.oidc import (
    DISCOVERY,
    Begun,
    Endpoints,
    NotTrusted,
    Provider,
    answered,
    authorize_url,
    claims,
    endpoints,
    name_of,
    role_of,
    token_request,
)
from pipeline.console.pages.sign_in import with_session
from pipeline.console.protect import Place, cookie_in

log = logging.getLogger(__name__)
WITHIN_S: Final = 600
KEPT_S: Final = 3_600.0
MOST_FAILED: Final = 30
WAIT_S: Final = 30
"""After so many codes within that time that opened nothing, none is sent on: anybody can make some up, without being
signed in anywhere, and a provider that is sent hundreds locks the console out, and all who mean well with it."""

Fetch = Callable[[str, messages.Request], Awaitable[messages.Response]]
"""Sends a request to a URL."""

_ASKED: Final = messages.Request("GET", "", authorized=False)


class Sso:
    """The two addresses of the code flow."""

    def __init__(
        self,
        provider: Provider,
        access: Access,
        place: Place,
        fetch: Fetch,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._provider = provider
        self._access = access
        self._place = place
        self._fetch = fetch
        self._endpoints: Endpoints | None = None
        self._keys: dict[str, Any] = {}  # Any: JSON
        self._read_s = float("-inf")
        self._monotonic = monotonic
        self._failed_s: deque[float] = deque(maxlen=MOST_FAILED)

    async def begin(self, _: Request) -> Response:
        """`GET /sign-in/oidc`: to the provider; this browser alone may come back with its answer."""
        begun = Begun.new()
        try:
            where = await self._where()
        except (NotTrusted, ConnectorError) as error:
            return self._refused(error)
        answer = RedirectResponse(authorize_url(self._provider, where, begun, self._place.url), 303)
        answer.set_cookie(
            self._cookie,
            begun.cookie,
            max_age=WITHIN_S,
            path="/",
            secure=self._place.secure,
            httponly=True,
            samesite="lax",
        )
        return answer

    async def enter(self, request: Request) -> Response:
        """`GET /sign-in/oidc/callback`: who it is, by the provider's word; the code is good once, at the provider."""
        if self._has_failed_often():
            facts = {"title": f"Too many tries. Wait {WAIT_S} seconds", "text": _OFTEN, "used": False}
            return HTMLResponse(rendering.page("sign-in-refused.html", facts), 429, {"retry-after": str(WAIT_S)})
        try:
            told = await self._identity(request)
        except (NotTrusted, ConnectorError) as error:
            return self._refused(error)
        role = role_of(self._provider, told)
        if role is None:
            facts = {"title": "None of your groups may come in", "text": _NO_GROUP, "used": False}
            return self._done(HTMLResponse(rendering.page("sign-in-refused.html", facts), 403))
        session = await self._access.begin(role, name_of(told))
        return self._done(with_session(self._place, session))

    async def _identity(self, request: Request) -> Any:
        query = request.query_params
        begun = Begun.of(cookie_in(request.headers, self._cookie), query.get("state", ""))
        if "code" not in query:
            raise NotTrusted("the provider let nobody in")
        where = await self._where()
        sent = token_request(self._provider, query["code"], begun, self._place.url)
        self._failed_s.append(self._monotonic())  # until it is known to have opened something
        token = answered(await self._fetch(where.token, sent)).get("id_token")
        self._failed_s.pop()
        now_s = int(time.time())
        try:
            return claims(self._provider, token, self._keys, begun.nonce, now_s)
        except NotTrusted:  # the provider may have a new key
            self._read_s = float("-inf")
            await self._where()
            return claims(self._provider, token, self._keys, begun.nonce, now_s)

    def _has_failed_often(self) -> bool:
        first_s = self._failed_s[0] if len(self._failed_s) == MOST_FAILED else float("-inf")
        return self._monotonic() - first_s < WAIT_S

    async def _where(self) -> Endpoints:
        if self._endpoints is None or time.monotonic() - self._read_s > KEPT_S:
            issuer = self._provider.issuer.rstrip("/")
            found = endpoints(self._provider, answered(await self._fetch(issuer + DISCOVERY, _ASKED)))
            self._keys = dict(answered(await self._fetch(found.keys, _ASKED)))
            self._endpoints, self._read_s = found, time.monotonic()
        return self._endpoints

    @property
    def _cookie(self) -> str:
        return f"{self._place.cookie}-oidc"

    def _refused(self, error: Exception) -> Response:
        log.warning("a sign-in by OpenID Connect was refused: %s", error)
        facts = {"title": "You were not signed in", "text": _AGAIN, "used": False}
        return self._done(HTMLResponse(rendering.page("sign-in-refused.html", facts), 403))

    def _done(self, answer: Response) -> Response:
        answer.delete_cookie(self._cookie, path="/", secure=self._place.secure, httponly=True, samesite="lax")
        return answer


_NO_GROUP: Final = "Whoever runs Pairstream lists the groups that may, and as what, in PAIRSTREAM_CONSOLE_ROLES."
_OFTEN: Final = "Nothing was sent to your organization's sign-in. Who is signed in stays so, and one-time links work."
_AGAIN: Final = "It took too long, was begun in another browser, or was not allowed. The console's log says which."
