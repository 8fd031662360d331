"""Single sign-on against a small provider: who is let in and as what, and everything that is not taken."""

import base64
import hashlib
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey

from connectors.contract.errors import Transient
from connectors.http.messages import Request, Response
from pipeline.config import SettingsInvalid, load_settings
from pipeline.console.app import build_console
from pipeline.console.oidc import Provider
from pipeline.console.pages.sso import MOST_FAILED, WAIT_S, Sso
from pipeline.console.protect import Place
from tests.unit.pipeline.console.fixtures import URL, InMemory, in_memory

ISSUER = "https://login.acme.com"
CALLBACK = f"{URL}/sign-in/oidc/callback"
OURS = Provider(
    ISSUER, "pairstream", "s3cret:/", {"platform": "admin", "crm-ops": "operator", "everyone": "viewer"}, "groups"
)


HEAD = {"alg": "ES256", "kid": "1"}


class SmallProvider:
    """What a provider does: a document, keys, codes that are good once, and identities for whoever proves the code."""

    def __init__(self) -> None:
        self.key = ECKey.generate_key("P-256", {"kid": "1"})
        self.groups: object = ["crm-ops"]
        self.more: dict[str, Any] = {}
        self.document: dict[str, Any] = {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/authorize",
            "token_endpoint": f"{ISSUER}/token",
            "jwks_uri": f"{ISSUER}/keys",
        }
        self.codes: dict[str, dict[str, str]] = {}
        self.sign: Callable[[dict[str, Any]], str] = lambda told: jwt.encode(HEAD, told, self.key)

    def authorized(self, location: str) -> str:
        """What a person's browser is sent back with."""
        asked = dict(parse_qsl(urlsplit(location).query))
        assert asked["redirect_uri"] == CALLBACK and asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        return f"{CALLBACK}?code={code}&state={asked['state']}"

    async def fetch(self, url: str, request: Request) -> Response:
        match urlsplit(url).path:
            case "/.well-known/openid-configuration":
                return self._json(self.document)
            case "/keys":
                return self._json(KeySet([self.key]).as_dict(private=False))
            case "/token":
                return self._token(request)
        raise AssertionError(url)

    def _token(self, request: Request) -> Response:
        sent = {name: texts[0] for name, texts in parse_qs((request.body or b"").decode()).items()}
        basic = base64.b64decode(dict(request.headers)["authorization"].removeprefix("Basic ")).decode()
        assert basic == "pairstream:s3cret%3A%2F"
        asked = self.codes.pop(sent["code"], None)
        digest = hashlib.sha256(sent["code_verifier"].encode()).digest()
        if asked is None or base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != asked["code_challenge"]:
            return Response(400, body=b'{"error":"invalid_grant"}')
        now_s = int(time.time())
        told = {
            **{"iss": ISSUER, "aud": "pairstream", "sub": "u-1", "email": "dana@acme.example", "iat": now_s},
            **{"exp": now_s + 300, "nonce": asked["nonce"], "groups": self.groups},
            **self.more,
        }
        return self._json({"id_token": self.sign({name: one for name, one in told.items() if one is not None})})

    def _json(self, told: Any) -> Response:
        return Response(200, body=json.dumps(told).encode())


class Team:
    """A console, its provider, and browsers."""

    def __init__(self) -> None:
        self.it: InMemory = in_memory()
        self.provider = SmallProvider()
        sso = Sso(OURS, self.it.access, Place.at(URL), lambda url, request: self.provider.fetch(url, request))
        self.app = build_console(self.it.desk, self.it.access, Place.at(URL), sso).app

    def browser(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=URL)

    async def sign_in(self, browser: httpx.AsyncClient) -> httpx.Response:
        begun = await browser.get("/sign-in/oidc")
        assert begun.status_code == 303, begun.text
        return await browser.get(self.provider.authorized(begun.headers["location"]))


@pytest.fixture
def team() -> Team:
    return Team()


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        (["crm-ops"], "operator"),
        (["everyone", "platform"], "admin"),
        ("everyone", "viewer"),
        (["x", "everyone"], "viewer"),
    ],
)
async def test_who_is_in_a_listed_group_gets_its_role(team: Team, groups: object, role: str) -> None:
    team.provider.groups = groups
    browser = team.browser()
    answer = await team.sign_in(browser)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    session = team.it.access.session(browser.cookies["pairstream-8090"])
    assert session is not None and (session.role, session.name) == (role, "dana@acme.example")
    assert "pairstream-8090-oidc" not in browser.cookies


async def test_an_address_that_nobody_verified_is_no_name(team: Team) -> None:
    team.provider.more = {"email_verified": False, "preferred_username": "dana"}
    browser = team.browser()
    await team.sign_in(browser)
    session = team.it.access.session(browser.cookies["pairstream-8090"])
    assert session is not None and session.name == "dana"


@pytest.mark.parametrize("groups", [["x"], [], None, "admin", {"platform": 1}, ["*"]])
async def test_nobody_else_gets_in(team: Team, groups: object) -> None:
    team.provider.groups = groups
    browser = team.browser()
    answer = await team.sign_in(browser)
    assert answer.status_code == 403 and "None of your groups may come in" in answer.text
    assert "pairstream-8090" not in browser.cookies


async def test_another_browser_cannot_use_the_answer(team: Team) -> None:
    begun = await team.browser().get("/sign-in/oidc")
    back = team.provider.authorized(begun.headers["location"])
    stranger = team.browser()
    assert (await stranger.get(back)).status_code == 403
    await stranger.get("/sign-in/oidc")  # its own, with another state
    assert (await stranger.get(back)).status_code == 403
    assert "pairstream-8090" not in stranger.cookies


async def test_an_answer_is_good_once(team: Team) -> None:
    browser = team.browser()
    begun = await browser.get("/sign-in/oidc")
    back = team.provider.authorized(begun.headers["location"])
    assert (await browser.get(back)).status_code == 303
    assert (await browser.get(back)).status_code == 403


async def test_who_is_not_let_in_there_is_not_let_in_here(team: Team) -> None:
    browser = team.browser()
    begun = await browser.get("/sign-in/oidc")
    state = dict(parse_qsl(urlsplit(begun.headers["location"]).query))["state"]
    answer = await browser.get(f"{CALLBACK}?error=access_denied&error_description=<script>&state={state}")
    assert answer.status_code == 403 and "You were not signed in" in answer.text and "<script>" not in answer.text


@pytest.mark.parametrize(
    "more",
    [
        {"iss": "https://evil.example"},
        {"aud": "another"},
        {"aud": ["pairstream", "another"]},
        {"aud": ["pairstream", "another"], "azp": "another"},
        {"exp": 1},
        {"exp": None},
        {"iat": int(time.time()) + 10_000},
        {"nonce": "another"},
        {"nonce": None},
        {"sub": None},
    ],
)
async def test_an_identity_that_is_not_ours_is_not_taken(team: Team, more: dict[str, Any]) -> None:
    team.provider.more = more
    assert (await team.sign_in(team.browser())).status_code == 403


async def test_an_identity_for_several_applications_names_ours(team: Team) -> None:
    team.provider.more = {"aud": ["pairstream", "another"], "azp": "pairstream"}
    assert (await team.sign_in(team.browser())).status_code == 303


def unsigned(told: dict[str, Any]) -> str:
    parts = ({"alg": "none"}, told)
    encoded = [base64.urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=").decode() for one in parts]
    return f"{encoded[0]}.{encoded[1]}."


async def test_a_signature_of_anybody_else_is_not_taken(team: Team) -> None:
    other = ECKey.generate_key("P-256", {"kid": "1"})
    shared = OctKey.import_key("pairstream-pairstream-pairstream-pairstream")
    for sign in (
        lambda told: jwt.encode(HEAD, told, other),
        lambda told: jwt.encode({"alg": "HS256", "kid": "1"}, told, shared),
        unsigned,
        lambda told: "no token",
        lambda told: 7,
    ):
        team.provider.sign = sign  # type: ignore[assignment]
        assert (await team.sign_in(team.browser())).status_code == 403


async def test_a_new_key_of_the_provider_is_read(team: Team) -> None:
    assert (await team.sign_in(team.browser())).status_code == 303
    team.provider.key = ECKey.generate_key("P-256", {"kid": "1"})
    assert (await team.sign_in(team.browser())).status_code == 303


@pytest.mark.parametrize(
    "more", [{"issuer": "https://evil.example"}, {"token_endpoint": "http://login.acme.com/token"}, {"jwks_uri": None}]
)
async def test_a_document_of_another_or_in_clear_is_not_taken(team: Team, more: dict[str, Any]) -> None:
    team.provider.document |= more
    answer = await team.browser().get("/sign-in/oidc")
    assert answer.status_code == 403 and "You were not signed in" in answer.text


async def test_a_provider_that_is_away_is_said(team: Team, caplog: pytest.LogCaptureFixture) -> None:
    async def away(url: str, request: Request) -> Response:
        raise Transient("no_connection")

    team.provider.fetch = away  # type: ignore[method-assign]
    assert (await team.browser().get("/sign-in/oidc")).status_code == 403
    assert "refused" in caplog.text and "s3cret" not in caplog.text


async def test_codes_that_anybody_makes_up_lock_the_console_out_of_no_provider(team: Team) -> None:
    asked: list[str] = []
    now_s = [1_000.0]
    fetch = team.provider.fetch

    async def counted(url: str, request: Request) -> Response:
        asked.append(urlsplit(url).path)
        return await fetch(url, request)

    sso = Sso(OURS, team.it.access, Place.at(URL), counted, lambda: now_s[0])
    team.app = build_console(team.it.desk, team.it.access, Place.at(URL), sso).app
    for _ in range(MOST_FAILED // 2):  # who means well counts for nothing
        assert (await team.sign_in(team.browser())).status_code == 303
    asked.clear()
    made_up = {"cookie": "pairstream-8090-oidc=s.n.v"}
    statuses = [
        (await team.browser().get(f"{CALLBACK}?state=s&code={number}", headers=made_up)).status_code
        for number in range(MOST_FAILED + 5)
    ]
    assert statuses == [403] * MOST_FAILED + [429] * 5
    assert asked == ["/token"] * MOST_FAILED
    told = await team.browser().get(f"{CALLBACK}?state=s&code=x", headers=made_up)
    assert told.headers["retry-after"] == "30" and "Too many tries. Wait 30 seconds" in told.text
    now_s[0] += WAIT_S
    assert (await team.sign_in(team.browser())).status_code == 303


async def test_without_a_provider_there_is_no_such_address() -> None:
    it = in_memory()
    assert (await (await it.signed_in()).get("/sign-in/oidc")).status_code == 404
    assert "s3cret" not in repr(OURS)


GIVEN = {
    "PAIRSTREAM_CONSOLE_OIDC_ISSUER": ISSUER,
    "PAIRSTREAM_CONSOLE_OIDC_CLIENT_ID": "pairstream",
    "PAIRSTREAM_CONSOLE_OIDC_CLIENT_SECRET": "s3cret",
    "PAIRSTREAM_CONSOLE_ROLES": "platform:admin, a:b:operator,*:viewer",
}


def test_settings_name_the_groups() -> None:
    settings = load_settings(GIVEN)
    assert settings.console_roles == {"platform": "admin", "a:b": "operator", "*": "viewer"}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"PAIRSTREAM_CONSOLE_ROLES": ""}, "PAIRSTREAM_CONSOLE_ROLES: needed by"),
        ({"PAIRSTREAM_CONSOLE_ROLES": "platform"}, "no group with its role"),
        ({"PAIRSTREAM_CONSOLE_ROLES": "platform:root"}, "PAIRSTREAM_CONSOLE_ROLES"),
        ({"PAIRSTREAM_CONSOLE_OIDC_CLIENT_SECRET": ""}, "PAIRSTREAM_CONSOLE_OIDC_CLIENT_SECRET: needed by"),
        ({"PAIRSTREAM_CONSOLE_OIDC_ISSUER": "http://login.acme.com"}, "in clear"),
    ],
)
def test_settings_that_would_let_in_nobody_or_anybody_are_refused(more: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsInvalid, match=said):
        load_settings({**GIVEN, **more})
