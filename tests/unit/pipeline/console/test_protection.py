"""Nobody gets in, and nothing is done, unless host, origin, session, token and role fit: over every route there is."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from starlette.routing import Route

from pipeline.bounded_http import VISITOR
from pipeline.console.access import IDLE_MS, LINK_MS, RANKS, SESSION_MS, new_link
from pipeline.console.pages import sign_in
from pipeline.console.protect import API, HEADERS, OPEN, Place
from pipeline.console.routes import PAGES
from schemas.operating import ConsoleRole
from schemas.topics import CONSOLE
from tests.unit.pipeline.console.fixtures import AT_MS, SAME_ORIGIN, URL, InMemory, connect, in_memory

PARTS = {
    "{integration}": "acme",
    "{hash}": "0",
    "{name}": "live.js",
    "{reason}": "not_an_option",
    "{mapping}": "m",
    "{link}": "0f",
    "{system}": "hubspot",
    "{type}": "contacts",
    "{handle}": "101",
    "{review}": "0e",
    "{plan}": "0f",
    "{kind}": "session",
    "{digest}": "0f",
    "{replay}": "1-7c1e",
}


@pytest.fixture
def it() -> InMemory:
    made = in_memory()
    connect(made)
    return made


def routes() -> Iterator[tuple[str, str]]:
    """Method and path of every route."""
    for route in in_memory().console.routes:
        assert isinstance(route, Route)
        path = route.path
        for name, text in PARTS.items():
            path = path.replace(name, text)
        assert "{" not in path, f"{path}: name its part here"
        yield from ((method, path) for method in sorted(route.methods or ()) if method != "HEAD")


EVERY = sorted(routes())
BEHIND = [one for one in EVERY if one[1] not in OPEN and not one[1].startswith("/static/")]
ACTS = [one for one in BEHIND if one[0] == "POST"]


@pytest.mark.parametrize(("method", "path"), EVERY)
@pytest.mark.parametrize("host", ["evil.example:8090", "127.0.0.1:9999", "127.0.0.1", "", "localhost.evil.com:8090"])
async def test_another_host_is_refused_on_every_route(it: InMemory, method: str, path: str, host: str) -> None:
    signed_in = await it.signed_in()
    answer = await signed_in.client.request(method, path, headers={"host": host, **SAME_ORIGIN})
    assert answer.status_code == 400
    assert "answers at" in answer.text


@pytest.mark.parametrize(("method", "path"), BEHIND)
async def test_without_a_session_every_route_is_refused(it: InMemory, method: str, path: str) -> None:
    form = {"form_token": "x"} if method == "POST" else None
    async with it.client() as client:
        answer = await client.request(method, path, headers=SAME_ORIGIN, data=form)
    refused = 401 if method == "POST" or path.startswith(API) else 303
    assert answer.status_code == refused
    assert answer.headers.get("location", "/sign-in") == "/sign-in"
    assert "acme" not in answer.text


@pytest.mark.parametrize(("method", "path"), [*ACTS, ("POST", "/sign-in")])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://evil.example"},
        {"origin": "https://127.0.0.1:8090"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site", "origin": URL},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
    ],
)
async def test_a_form_of_another_origin_is_refused(
    it: InMemory, method: str, path: str, headers: dict[str, str]
) -> None:
    signed_in = await it.signed_in()
    answer = await signed_in.client.request(method, path, headers=headers, data={"form_token": signed_in.token})
    assert answer.status_code == 403
    assert "another site" in answer.text
    assert it.publisher.sent == []


@pytest.mark.parametrize(("method", "path"), ACTS)
@pytest.mark.parametrize("token", ["", "x", "ü"])
async def test_a_form_without_the_sessions_token_is_refused(it: InMemory, method: str, path: str, token: str) -> None:
    signed_in, other = await it.signed_in(), await it.signed_in()
    for each in (token, other.token):
        answer = await signed_in.client.request(method, path, headers=SAME_ORIGIN, data={"form_token": each})
        assert answer.status_code == 403, answer.text
    assert it.publisher.sent == []


@pytest.mark.parametrize("role", RANKS)
async def test_each_role_gets_what_it_may_and_no_more(it: InMemory, role: ConsoleRole) -> None:
    signed_in = await it.signed_in(role)
    for at in PAGES:
        if at.method == "POST" and RANKS.index(role) >= RANKS.index(at.role):
            continue  # what it then does is each page's own test
        path = at.path
        for name, text in PARTS.items():
            path = path.replace(name, text)
        answer = await (signed_in.get(path) if at.method == "GET" else signed_in.send(path))
        allowed = RANKS.index(role) >= RANKS.index(at.role)
        assert (answer.status_code != 403) == allowed, (path, answer.status_code)
        if not allowed:
            assert f"This needs the role {at.role}" in answer.text
    assert it.publisher.sent == []


async def test_what_has_no_route_is_refused_and_says_nothing_to_strangers(it: InMemory) -> None:
    async with it.client() as client:
        assert (await client.get("/i/acme/secrets")).headers["location"] == "/sign-in"
    signed_in = await it.signed_in()
    assert (await signed_in.get("/nothing/here")).status_code == 404
    assert (await signed_in.client.put("/", headers=SAME_ORIGIN)).status_code == 405


@pytest.mark.parametrize("path", ["/", "/sign-in", "/nothing", "/health/live"])
async def test_every_answer_has_the_headers(it: InMemory, path: str) -> None:
    signed_in = await it.signed_in()
    answer = await signed_in.get(path)
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS


async def test_a_link_opens_once(it: InMemory) -> None:
    link = new_link("viewer", "ada@build-7", AT_MS)
    it.tables.put(CONSOLE, link.key, link.row)
    async with it.client() as client:
        for look in range(2):  # whoever looks ahead uses nothing up
            assert (await client.get("/sign-in")).status_code == 200, look
        first = await client.post("/sign-in", data={"code": link.secret}, headers=SAME_ORIGIN)
        second = await client.post("/sign-in", data={"code": link.secret}, headers=SAME_ORIGIN)
    assert first.status_code == 303
    cookie = first.headers["set-cookie"]
    assert "pairstream-8090=" in cookie and "HttpOnly" in cookie and "SameSite=lax" in cookie
    assert (second.status_code, "This link was used already" in second.text) == (403, True)


async def test_of_two_who_use_one_link_at_once_one_gets_in(it: InMemory) -> None:
    link = new_link("viewer", "ada@build-7", AT_MS)
    it.tables.put(CONSOLE, link.key, link.row)
    async with it.client() as one, it.client() as other:
        tries = [client.post("/sign-in", data={"code": link.secret}, headers=SAME_ORIGIN) for client in (one, other)]
        answers = await asyncio.gather(*tries)
    assert sorted(answer.status_code for answer in answers) == [303, 403]


async def test_a_claim_that_stands_behind_another_consoles_gets_nobody_in(it: InMemory) -> None:
    link = new_link("viewer", "ada@build-7", AT_MS)
    it.access.changed(CONSOLE, link.key, new_link("viewer", "x", 0).row)
    it.tables.put(CONSOLE, link.key, link.row)
    it.access._claims[link.key] = "the other console's"
    async with it.client() as client:
        answer = await client.post("/sign-in", data={"code": link.secret}, headers=SAME_ORIGIN)
    assert (answer.status_code, "used already" in answer.text) == (403, True)


async def test_a_link_opens_for_ten_minutes_and_a_wrong_one_never(it: InMemory) -> None:
    link = new_link("viewer", "ada@build-7", AT_MS)
    it.tables.put(CONSOLE, link.key, link.row)
    it.now_ms[0] = AT_MS + LINK_MS
    async with it.client() as client:
        late = await client.post("/sign-in", data={"code": link.secret}, headers=SAME_ORIGIN)
        wrong = await client.post("/sign-in", data={"code": "x" * 43}, headers=SAME_ORIGIN)
        none = await client.post("/sign-in", headers=SAME_ORIGIN)
    assert "This link is too old" in late.text
    assert "This link opens nothing" in wrong.text and "This link opens nothing" in none.text
    assert {late.status_code, wrong.status_code, none.status_code} == {403}


@pytest.mark.parametrize(("passed_ms", "awake"), [(IDLE_MS - 1, True), (IDLE_MS + 1, False), (SESSION_MS, False)])
async def test_a_session_ends_by_idleness_and_by_age(it: InMemory, passed_ms: int, awake: bool) -> None:
    signed_in = await it.signed_in()
    it.now_ms[0] = AT_MS + passed_ms
    assert ((await signed_in.get("/")).status_code == 200) == awake


async def test_a_session_that_is_ended_elsewhere_is_over_here(it: InMemory) -> None:
    signed_in, other = await it.signed_in(), await it.signed_in()
    (own, _) = [key for key in it.tables.table(CONSOLE) if key.startswith("session/")]
    it.tables.put(CONSOLE, own, None)
    assert (await signed_in.get("/")).status_code == 303
    assert (await other.get("/")).status_code == 200


async def test_signing_out_ends_the_session_for_good(it: InMemory) -> None:
    signed_in = await it.signed_in()
    cookies = httpx.Cookies(signed_in.client.cookies)
    assert (await signed_in.send("/sign-out")).headers["location"] == "/sign-in"
    async with it.client() as again:
        again.cookies = cookies
        assert (await again.get("/")).status_code == 303


async def test_the_brokers_hold_no_secret(it: InMemory) -> None:
    link = new_link("viewer", "ada@build-7", AT_MS)
    it.tables.put(CONSOLE, link.key, link.row)
    async with it.client() as client:
        await client.post("/sign-in", data={"code": link.secret}, headers=SAME_ORIGIN)
        cookie = next(iter(client.cookies.jar)).value or ""
    kept = repr(it.tables.table(CONSOLE))
    assert link.secret not in kept and cookie not in kept
    assert link.secret not in repr(link)


async def test_a_form_that_is_too_large_is_refused(it: InMemory) -> None:
    signed_in = await it.signed_in()
    assert (await signed_in.send("/sign-out", padding="x" * 200_000)).status_code == 403


@pytest.mark.parametrize("other", ['prefs={"a": 1}', "a[b]=1", "=;;", "x=é", "\x7f=1", "pairstream-8090x=1"])
async def test_no_cookie_of_another_program_signs_anybody_out(it: InMemory, other: str) -> None:
    signed_in = await it.signed_in("viewer")
    ours = "; ".join(f"{one.name}={one.value}" for one in signed_in.client.cookies.jar)
    async with it.client() as client:
        for cookies in (f"{other}; {ours}", f"{ours}; {other}"):
            assert (await client.get("/", headers=[(b"cookie", cookies.encode())])).status_code == 200


async def test_a_form_that_does_not_come_holds_nobody_up(it: InMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_in, "CODE_S", 0.05)

    async def body() -> AsyncIterator[bytes]:
        yield b"code="
        await asyncio.Event().wait()

    async with it.client() as client, asyncio.timeout(30):
        answer = await client.post("/sign-in", content=body(), headers=SAME_ORIGIN)
    assert (answer.status_code, "This link opens nothing" in answer.text) == (403, True)


async def test_a_stranger_who_goes_away_amid_a_form_is_no_fault(it: InMemory) -> None:
    headers = [(b"host", b"127.0.0.1:8090"), (b"sec-fetch-site", b"same-origin")]
    scope = {"type": "http", "method": "POST", "path": "/sign-in", "query_string": b"", "headers": headers}
    told = iter([{"type": "http.request", "body": b"code=", "more_body": True}, {"type": "http.disconnect"}])
    sent: list[Any] = []

    async def receive() -> Any:
        return next(told)

    async def send(message: Any) -> None:
        sent.append(message)

    await it.console.app(scope, receive, send)
    assert sent[0]["status"] == 403


async def test_a_strangers_form_is_small(it: InMemory) -> None:
    link = new_link("viewer", "ada@build-7", AT_MS)
    it.tables.put(CONSOLE, link.key, link.row)
    async with it.client() as client:
        long = {"code": link.secret, "x": "x" * sign_in.CODE_BYTES}
        assert (await client.post("/sign-in", data=long, headers=SAME_ORIGIN)).status_code == 403
        assert (await client.post("/sign-in", data={"code": link.secret}, headers=SAME_ORIGIN)).status_code == 303


async def test_whoever_is_signed_in_keeps_the_connection_where_there_are_too_many(it: InMemory) -> None:
    proved: list[str] = []

    class Visitor:
        def prove(self) -> None:
            proved.append("yes")

    signed_in = await it.signed_in("viewer")
    cookie = "; ".join(f"{one.name}={one.value}" for one in signed_in.client.cookies.jar)

    async def nothing(message: Any = None) -> Any:
        return {"type": "http.request"}

    for said, known in ((cookie, ["yes"]), ("pairstream-8090=x", ["yes"])):
        headers = [(b"host", b"127.0.0.1:8090"), (b"cookie", said.encode())]
        scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": headers}
        await it.console.app({**scope, "state": {VISITOR: Visitor()}}, nothing, nothing)
        assert proved == known


async def test_no_redirect_leads_out_of_the_proxys_tls(it: InMemory) -> None:
    signed_in = await it.signed_in()
    for path in ("/road/", "/i/acme/", "//evil.example/"):
        answer = await signed_in.get(f"{URL}{path}")
        assert (answer.status_code, "location" in answer.headers) == (404, False)


@pytest.mark.parametrize("name", ["x" * 300 + ".css", "x" * 10_000 + ".js", "%00.css", "..%5Capp.css", "a/b.css"])
async def test_a_strangers_name_for_a_file_is_not_looked_for(it: InMemory, name: str) -> None:
    async with it.client() as client:
        assert (await client.get(f"/static/0/{name}")).status_code == 404


@pytest.mark.parametrize("days", ["9" * 5_000, "٣", "²", "-1", "1e3"])
async def test_a_number_that_is_none_is_told(it: InMemory, days: str) -> None:
    answer = await (await it.signed_in()).send("/settings/tokens", name="x", days=days)
    assert (answer.status_code, "A token needs a name" in answer.text) == (409, True)


def test_over_https_the_cookie_belongs_to_one_host() -> None:
    place = Place.at("https://console.acme.com")
    assert (place.cookie, place.secure) == ("__Host-pairstream", True)
    assert place.is_ours("Console.acme.com") and not place.is_ours("console.acme.com:8090")
    assert Place.at("http://[::1]:8090").is_ours("localhost:8090")
