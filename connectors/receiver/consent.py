"""Leads a browser to HubSpot's page and takes what comes back: pure judgements over a desk of links.

Nothing is kept here between two requests, so any receiver may serve each. The state that HubSpot carries is sealed: it
names the link, the browser (by the hash of its cookie) and the moment until which it holds. The code goes sealed to the
connector that owns the integration, which alone exchanges it and says what became of the link; the first answer that
reaches it counts. Opening a link uses up nothing: programs that look at links would use it up otherwise.
"""

import base64
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from connectors.contract.consent import ConsentCode
from connectors.hubspot.protocol import authorize_url
from connectors.receiver.consent_pages import Page, outcome_page, page
from schemas.configuration import CONSENT, ConnectAnswer, ConnectLink, secret_place
from schemas.records import Consent

COOKIE: Final = "pairstream_browser"
START: Final = "/oauth/hubspot/start"
CALLBACK: Final = "/oauth/hubspot/callback"
ANSWER: Final = "/oauth/hubspot/answer"
LOOK_AGAIN_S: Final = 1
ANSWERED_WITHIN_MS: Final = 60_000
"""How long after a link's end the page still waits for its answer."""

_STATE_PLACE: Final = "oauth/state"  # of two words: no secret of an integration has such a place
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_LONGEST: Final = 4_096  # of a code or state


@dataclass(frozen=True, slots=True)
class OpenLink:
    """A link, its integration as it is now, and what became of the link."""

    integration: str
    connection: int
    account: str
    client_id: str  # empty: nobody is asked for access, the integration has a token or is disconnected
    link: ConnectLink
    answer: ConnectAnswer | None = None


class ConsentDesk(Protocol):
    """The links there are, the seals, and the way to the connector."""

    def link(self, link: str) -> OpenLink | None:
        """The newest link of an integration, by its hash."""
        ...

    def seal(self, text: str, place: str) -> bytes:
        """Sealed for that place."""
        ...

    def unseal(self, sealed: bytes, place: str) -> str | None:
        """The text; None for what was not sealed here for that place."""
        ...

    async def hand_over(self, integration: str, connection: int, consent: Consent) -> None:
        """Return once the brokers have it. Raises NotStored."""
        ...


@dataclass(frozen=True, slots=True)
class ConsentSettings:
    """Where the browser comes from and goes to; `pkce`: whether a challenge is sent along."""

    public_url: str
    authorize_page: str
    pkce: bool = True


@dataclass(frozen=True, slots=True)
class Reply:
    """What the browser is answered: a page, or the way on; `cookie`: the browser's secret, to be set."""

    status: int
    page: Page | None = None
    location: str | None = None
    cookie: str | None = None
    again_s: int | None = None  # look again after so many seconds


@dataclass(frozen=True, slots=True)
class _State:
    """What the browser carries through HubSpot and back."""

    link: str
    browser: str
    nonce: str
    expires_at_ms: int

    def is_of(self, cookie: str) -> bool:
        """Whether the browser with this cookie started."""
        return hmac.compare_digest(hashed(cookie), self.browser)


def hashed(secret: str) -> str:
    """By which a secret is known without being shown."""
    return hashlib.sha256(secret.encode()).hexdigest()


class ConsentPages:
    """The three addresses of a consent; `now_ms` is our clock."""

    def __init__(self, desk: ConsentDesk, settings: ConsentSettings, now_ms: Callable[[], int]) -> None:
        self._desk = desk
        self._settings = settings
        self._now_ms = now_ms

    def start(self, token: str, cookie: str | None) -> Reply:
        """To HubSpot's page, or why not."""
        opened = self._link(hashed(token)) if _SECRET.fullmatch(token) else _unknown()
        if isinstance(opened, Reply):
            return opened
        # another tab of the same browser may be under way: its cookie stays
        browser = cookie if cookie and _SECRET.fullmatch(cookie) else secrets.token_urlsafe(32)
        state = _State(opened.link.link, hashed(browser), secrets.token_urlsafe(16), opened.link.expires_at_ms)
        challenge = _challenge(_verifier(browser, state)) if self._settings.pkce else None
        location = authorize_url(
            self._settings.authorize_page,
            opened.client_id,
            self._settings.public_url + CALLBACK,
            self._sealed(state),
            opened.link.scopes,
            challenge,
        )
        return Reply(303, location=location, cookie=browser)

    async def came_back(self, query: Mapping[str, str], cookie: str | None) -> Reply:
        """Hand over what came back, then lead on to where its answer shows: the code leaves the address bar."""
        carried = query.get("state", "")
        state = self._opened(carried)
        if state is None:
            return Reply(400, page("foreign"))
        opened = self._link(state.link)
        if isinstance(opened, Reply):
            return opened
        if not cookie or not state.is_of(cookie):
            await self._refuse(opened, "other_browser")
            return Reply(403, page("other_browser"))
        code = query.get("code", "")
        if not code or len(code) > _LONGEST:
            await self._refuse(opened, "declined" if query.get("error") == "access_denied" else "consent_failed")
        else:
            verifier = _verifier(cookie, state) if self._settings.pkce else None
            text = ConsentCode(code, verifier, self._settings.public_url + CALLBACK).as_text()
            sealed = self._desk.seal(text, secret_place(opened.integration, "hubspot", CONSENT))
            await self._desk.hand_over(opened.integration, opened.connection, Consent(opened.link.link, sealed))
        return Reply(303, location=f"{self._settings.public_url}{ANSWER}?state={carried}")

    def answer(self, carried: str, cookie: str | None) -> Reply:
        """What became of the link, for the browser that came back by it."""
        state = self._opened(carried)
        if state is None:
            return Reply(400, page("foreign"))
        if not cookie or not state.is_of(cookie):
            return Reply(403, page("other_browser"))
        opened = self._desk.link(state.link)
        if opened is None:
            return _unknown()
        if opened.answer is not None:
            shown = outcome_page(opened.integration, opened.account, opened.answer)
            return Reply(200 if opened.answer.reason is None else 409, shown)
        if self._now_ms() > opened.link.expires_at_ms + ANSWERED_WITHIN_MS:
            return Reply(200, page("late"))
        return Reply(200, page("waiting"), again_s=LOOK_AGAIN_S)

    def _link(self, link: str) -> OpenLink | Reply:
        """The link of that hash, or why it leads nowhere."""
        opened = self._desk.link(link)
        if opened is None:
            return _unknown()
        if opened.answer is not None:
            return Reply(410, page("used"))
        if self._now_ms() >= opened.link.expires_at_ms:
            return Reply(410, page("expired"))
        return opened if opened.client_id else Reply(410, page("no_oauth"))

    async def _refuse(self, opened: OpenLink, reason: str) -> None:
        await self._desk.hand_over(opened.integration, opened.connection, Consent(opened.link.link, refusal=reason))

    def _sealed(self, state: _State) -> str:
        text = json.dumps([state.link, state.browser, state.nonce, state.expires_at_ms])
        return _unpadded(self._desk.seal(text, _STATE_PLACE))

    def _opened(self, carried: str) -> _State | None:
        """None for what was not made here, or holds no more."""
        if len(carried) > _LONGEST:
            return None
        try:
            sealed = base64.b64decode(carried + "=" * (-len(carried) % 4), altchars=b"-_", validate=True)
        except ValueError:
            return None
        text = self._desk.unseal(sealed, _STATE_PLACE)
        return None if text is None else _State(*json.loads(text))


def _unknown() -> Reply:
    return Reply(404, page("unknown"))


def _verifier(browser: str, state: _State) -> str:
    """PKCE's verifier: only the browser that started can give it, and each start has another."""
    return _unpadded(hmac.digest(browser.encode(), state.nonce.encode(), hashlib.sha256))


def _challenge(verifier: str) -> str:
    return _unpadded(hashlib.sha256(verifier.encode()).digest())


def _unpadded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
