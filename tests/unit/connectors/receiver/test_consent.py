"""Where a link leads, what comes back, and that nothing but the right browser at the right time brings a code."""

import base64
import hashlib
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from connectors.contract.consent import ConsentCode
from connectors.receiver import ConsentPages, ConsentSettings, NotStored, OpenLink, build_receiver
from connectors.receiver.consent import ANSWER, CALLBACK, COOKIE, START, hashed
from schemas.configuration import ConnectAnswer, ConnectLink
from schemas.records import Consent
from schemas.values import System
from tests.unit.connectors.receiver.receiving import NOW_MS, PUBLIC_URL, Book, Shelf

TOKEN = "t" * 43
HTML = "<b>acme</b>"
LINK = ConnectLink(hashed(TOKEN), ("oauth", "crm.objects.contacts.read"), NOW_MS - 1_000, NOW_MS + 599_000)
PAGE = "https://app.hubspot.com/oauth/authorize"


@dataclass
class Desk:
    """Links and seals in memory; a seal is the text and its place."""

    links: list[OpenLink] = field(default_factory=lambda: [OpenLink(HTML, 3, "12345678", "client", LINK)])
    handed: list[tuple[str, int, Consent]] = field(default_factory=list)
    away: bool = False

    def link(self, link: str) -> OpenLink | None:
        return next((one for one in self.links if one.link.link == link), None)

    def seal(self, text: str, place: str) -> bytes:
        return f"{place}|{text}".encode()[::-1]

    def unseal(self, sealed: bytes, place: str) -> str | None:
        found, _, text = sealed[::-1].decode(errors="replace").partition("|")
        return text if found == place else None

    async def hand_over(self, integration: str, connection: int, consent: Consent) -> None:
        if self.away:
            raise NotStored("brokers away")
        self.handed.append((integration, connection, consent))

    def change(self, **changes: object) -> None:
        self.links = [replace(one, **changes) for one in self.links]  # type: ignore[arg-type]


@dataclass
class Site:
    """Receivers before one desk, and a browser that keeps its cookies."""

    desk: Desk = field(default_factory=Desk)
    public_url: str = PUBLIC_URL
    pkce: bool = True
    now_ms: int = NOW_MS

    def browser(self) -> httpx.AsyncClient:
        """Each browser meets a receiver of its own: nothing is kept in one."""
        settings = ConsentSettings(self.public_url, PAGE, self.pkce)
        pages = ConsentPages(self.desk, settings, lambda: self.now_ms)
        app = build_receiver(
            Shelf(), Book(), public_url=self.public_url, count=_uncounted, now_ms=lambda: self.now_ms, consents=pages
        )
        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=self.public_url)


def _uncounted(system: System, result: str, number: int = 1) -> None:
    """Nobody counts."""


async def started(browser: httpx.AsyncClient) -> dict[str, str]:
    """What HubSpot's page is asked, once the link was opened."""
    sent = await browser.get(START, params={"link": TOKEN})
    assert sent.status_code == 303, sent.text
    assert sent.headers["location"].startswith(f"{PAGE}?")
    return {name: values[0] for name, values in parse_qs(urlsplit(sent.headers["location"]).query).items()}


async def came_back(browser: httpx.AsyncClient, state: str, **query: str) -> httpx.Response:
    return await browser.get(CALLBACK, params={"state": state, **query})


def title(shown: httpx.Response) -> str:
    assert shown.headers["content-type"].startswith("text/html")
    assert shown.headers["content-security-policy"].startswith("default-src 'none'")
    assert (shown.headers["referrer-policy"], shown.headers["cache-control"]) == ("no-referrer", "no-store")
    assert "<script" not in shown.text
    assert HTML not in shown.text
    return shown.text.partition("<h1>")[2].partition("</h1>")[0]


async def test_a_code_goes_sealed_to_the_connector_with_the_verifier_of_the_challenge() -> None:
    site = Site()
    async with site.browser() as browser:
        asked = await started(browser)
        assert asked["redirect_uri"] == f"{PUBLIC_URL}{CALLBACK}"
        assert (asked["client_id"], asked["scope"]) == ("client", "oauth crm.objects.contacts.read")
        secret = browser.cookies[COOKIE]
        assert not [text for text in asked.values() if secret in text or TOKEN in text]
        done = await came_back(browser, asked["state"], code="code-1")
    assert done.status_code == 303
    assert "code-1" not in done.headers["location"]
    [(name, connection, consent)] = site.desk.handed
    assert (name, connection, consent.link, consent.refusal) == (HTML, 3, LINK.link, None)
    text = site.desk.unseal(consent.code or b"", f"{HTML}/hubspot/consent")
    code = ConsentCode.of_text(text or "")
    assert (code.code, code.redirect_uri) == ("code-1", f"{PUBLIC_URL}{CALLBACK}")
    digest = hashlib.sha256((code.verifier or "").encode()).digest()
    assert asked["code_challenge"] == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert 43 <= len(code.verifier or "") <= 128


async def test_without_pkce_no_challenge_is_sent() -> None:
    site = Site(pkce=False)
    async with site.browser() as browser:
        asked = await started(browser)
        await came_back(browser, asked["state"], code="code-1")
    assert "code_challenge" not in asked
    text = site.desk.unseal(site.desk.handed[0][2].code or b"", f"{HTML}/hubspot/consent") or ""
    assert ConsentCode.of_text(text).verifier is None


@pytest.mark.parametrize("public_url", [PUBLIC_URL, "http://127.0.0.1:8080", "https://acme.com/pairs"])
async def test_the_cookie_is_the_browsers_alone(public_url: str) -> None:
    site = Site(public_url=public_url)
    async with site.browser() as browser:
        sent = await browser.get(f"{public_url}{START}", params={"link": TOKEN})
    flags = {flag.strip().lower() for flag in sent.headers["set-cookie"].split(";")[1:]}
    assert {"httponly", "samesite=lax", "max-age=660", f"path={urlsplit(public_url).path}/oauth/hubspot"} <= flags
    assert ("secure" in flags) is public_url.startswith("https")


async def test_the_receiver_that_takes_the_answer_need_not_be_the_one_that_started() -> None:
    site = Site()
    async with site.browser() as one, site.browser() as other:
        asked = await started(one)
        other.cookies = one.cookies
        assert (await came_back(other, asked["state"], code="code-1")).status_code == 303
    assert len(site.desk.handed) == 1


async def test_two_tabs_of_a_browser_may_both_come_back() -> None:
    site = Site()
    async with site.browser() as browser:
        first, second = await started(browser), await started(browser)
        assert first["code_challenge"] != second["code_challenge"]
        for asked in (first, second):
            assert (await came_back(browser, asked["state"], code="code-1")).status_code == 303


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ({"error": "access_denied"}, "declined"),
        ({"error": "server<error"}, "consent_failed"),
        ({}, "consent_failed"),
    ],
)
async def test_what_is_no_code_is_told_as_its_reason(error: dict[str, str], reason: str) -> None:
    site = Site()
    async with site.browser() as browser:
        asked = await started(browser)
        assert (await came_back(browser, asked["state"], **error)).status_code == 303
    assert [(consent.code, consent.refusal) for _, _, consent in site.desk.handed] == [(None, reason)]


async def test_another_browser_brings_nothing_but_the_reason() -> None:
    site = Site()
    async with site.browser() as browser, site.browser() as stranger:
        asked = await started(browser)
        for cookies in ({}, {COOKIE: "x" * 43}):
            stranger.cookies.update(cookies)
            shown = await came_back(stranger, asked["state"], code="code-1")
            assert (shown.status_code, title(shown)) == (403, "Another browser opened the link")
        assert title(await stranger.get(ANSWER, params={"state": asked["state"]})) == "Another browser opened the link"
    assert [consent.refusal for _, _, consent in site.desk.handed] == ["other_browser"] * 2


@pytest.mark.parametrize("state", ["", "x", "%", "é", "A" * 9_000, base64.urlsafe_b64encode(b"x|y").decode()])
async def test_a_state_that_was_not_made_here_is_foreign(state: str) -> None:
    site = Site()
    async with site.browser() as browser:
        await started(browser)
        for path in (CALLBACK, ANSWER):
            shown = await browser.get(path, params={"state": state, "code": "code-1"})
            assert (shown.status_code, title(shown)) == (400, "This answer belongs to no link")
    assert site.desk.handed == []


async def test_a_link_that_is_no_more_opens_nothing_and_takes_nothing() -> None:
    site = Site()
    async with site.browser() as browser:
        asked = await started(browser)
        for ended, status, told in (
            ({"answer": ConnectAnswer(LINK.link)}, 410, "This link was used already"),
            ({"answer": None, "client_id": ""}, 410, "This integration asks for no access"),
            ({"client_id": "client", "link": replace(LINK, expires_at_ms=NOW_MS)}, 410, "This link is too old"),
            ({"link": replace(LINK, link="newer")}, 404, "This link is not known"),
        ):
            site.desk.change(**ended)
            for shown in (
                await browser.get(START, params={"link": TOKEN}),
                await came_back(browser, asked["state"], code="code-1"),
            ):
                assert (shown.status_code, title(shown)) == (status, told)
    assert site.desk.handed == []


async def test_the_page_waits_for_the_answer_and_shows_it() -> None:
    site = Site()
    async with site.browser() as browser:
        asked = await started(browser)
        there = (await came_back(browser, asked["state"], code="code-1")).headers["location"]
        waiting = await browser.get(there)
        assert (title(waiting), waiting.headers["refresh"]) == ("One moment", "1")
        site.desk.change(answer=ConnectAnswer(LINK.link, "wrong_account", "44120018"))
        shown = await browser.get(there)
        assert (shown.status_code, title(shown)) == (409, "Not connected")
        assert "44120018" in shown.text
        assert "12345678" in shown.text
        assert "&lt;b&gt;acme&lt;/b&gt;" in shown.text
        site.desk.change(answer=ConnectAnswer(LINK.link))
        assert title(await browser.get(there)) == "Connected"
        site.desk.change(answer=None)
        site.now_ms = LINK.expires_at_ms + 60_001
        late = await browser.get(there)
        assert (title(late), late.headers.get("refresh")) == ("Still being checked", None)


async def test_brokers_that_are_away_cost_a_reload() -> None:
    site = Site()
    async with site.browser() as browser:
        asked = await started(browser)
        site.desk.away = True
        shown = await came_back(browser, asked["state"], code="code-1")
        assert (shown.status_code, title(shown)) == (503, "Not taken yet")
        site.desk.away = False
        assert (await came_back(browser, asked["state"], code="code-1")).status_code == 303
