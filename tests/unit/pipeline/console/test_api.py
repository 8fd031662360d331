"""What scripts read: by a token or a session, reading alone, in stable bodies, and never a value."""

import json
import re
from typing import Any

import httpx
import pytest

from connectors.kafka.groups import BrokersUnreachable
from pipeline.console.access import DAY_MS, new_link
from pipeline.console.protect import API
from pipeline.console.routes import PAGES, SCRIPTS
from pipeline.explain.answer import Named
from pipeline.lag.judging import Lag
from pipeline.operations.findings import Finding
from schemas.operating import AuditEntry
from schemas.topics import CONSOLE
from tests.unit.pipeline.console.fixtures import AT_MS, SAME_ORIGIN, Browser, InMemory, connect, in_memory, letter
from tests.unit.pipeline.console.test_explain import HUBSPOT, put
from tests.unit.pipeline.console.test_explain import pair as a_pair
from tests.unit.pipeline.console.test_pages import HOSTILE, lag, mapped, ran
from tests.unit.pipeline.console.test_protection import PARTS
from tests.unit.pipeline.core.given import CONTACT, EMAIL


@pytest.fixture
def it() -> InMemory:
    made = in_memory(lag, lambda: [Finding("brokers", "ok", "answer")])
    connect(made)
    mapped(made)
    ran(made, "completed")
    made.letters.put(letter("0a", object="hubspot contacts 101"), letter("0b", object=f"userflow users {EMAIL}"))
    put(made, a_pair(), HUBSPOT)
    return made


async def token(it: InMemory, days: str = "30") -> str:
    answer = await (await it.signed_in("admin")).send("/settings/tokens", name="report", days=days)
    assert answer.status_code == 200
    (secret,) = re.findall(r"pst_[\w-]{43}", answer.text)
    return str(secret)


async def asked(it: InMemory, path: str, secret: str, **more: str) -> httpx.Response:
    async with it.client() as client:
        return await client.get(path, headers={"authorization": f"Bearer {secret}", **more})


def paths() -> list[str]:
    found = [at.path for at in SCRIPTS] + ["/api/v1/openapi.json"]
    for name, text in PARTS.items():
        found = [path.replace(name, text) for path in found]
    return found


@pytest.mark.parametrize("path", paths())
async def test_a_token_reads_everything_and_sees_no_value(it: InMemory, path: str) -> None:
    answer = await asked(it, path, await token(it))
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json" and answer.headers["cache-control"] == "no-store"
    assert EMAIL not in answer.text and "ada@example.com" not in answer.text
    json.loads(answer.text)


@pytest.mark.parametrize("path", paths())
async def test_nobody_else_reads_anything(it: InMemory, path: str) -> None:
    secret = await token(it)
    for wrong in ("", "x", secret[:-1], f"{secret}x"):
        answer = await asked(it, path, wrong)
        assert (answer.status_code, answer.json()["error"]) == (401, "not_signed_in")
        assert answer.headers["www-authenticate"] == "Bearer"
    async with it.client() as client:
        assert (await client.get(path)).status_code == 401
        basic = await client.get(path, headers={"authorization": f"Basic {secret}"})
        assert basic.status_code == 401


async def test_a_wrong_token_is_refused_though_the_browser_is_signed_in(it: InMemory) -> None:
    browser = await it.signed_in("admin")
    assert (await browser.get("/api/v1/lag")).status_code == 200
    answer = await browser.client.get("/api/v1/lag", headers={"authorization": "Bearer x"})
    assert answer.status_code == 401


async def test_a_token_opens_no_page_and_changes_nothing(it: InMemory) -> None:
    secret, sent = await token(it), len(it.publisher.sent)
    async with it.client() as client:
        for at in PAGES:
            path = at.path
            for name, text in PARTS.items():
                path = path.replace(name, text)
            headers = {"authorization": f"Bearer {secret}", **SAME_ORIGIN}
            answer = await client.request(at.method, path, headers=headers)
            assert answer.status_code in (303, 401) and answer.headers.get("location", "/sign-in") == "/sign-in"
        for path in paths():
            for method in ("POST", "PUT", "PATCH", "DELETE"):
                answer = await client.request(
                    method, path, headers={"authorization": f"Bearer {secret}", **SAME_ORIGIN}
                )
                assert answer.status_code == 405, path
    assert len(it.publisher.sent) == sent
    as_session = await it.client().get("/", headers={"cookie": f"pairstream-8090={secret}"})
    assert as_session.headers["location"] == "/sign-in"


async def test_a_token_is_shown_once_ends_and_is_revoked(it: InMemory) -> None:
    secret = await token(it, "1")
    browser = await it.signed_in("admin")
    page = (await browser.get("/settings")).text
    assert secret not in page and "token report" in page and secret not in repr(it.tables.table(CONSOLE))
    assert secret not in repr([one for _, _, one in it.publisher.sent])
    it.now_ms[0] += DAY_MS
    assert (await asked(it, "/api/v1/lag", secret)).status_code == 401
    it.now_ms[0] -= DAY_MS
    (path,) = re.findall(r'action="(/settings/access/token/\w+/end)"', page)
    assert (await browser.send(path)).status_code == 303
    assert (await asked(it, "/api/v1/lag", secret)).status_code == 401
    assert (await browser.send(path)).status_code == 404
    audited = [(one.action, one.by) for _, _, one in it.publisher.sent if isinstance(one, AuditEntry)]
    assert audited == [("token made", "ada@build-7"), ("token ended", "ada@build-7")]


@pytest.mark.parametrize("fields", [{}, {"name": "x"}, {"name": "x", "days": "0"}, {"name": "x", "days": "367"}])
async def test_a_token_needs_a_name_and_an_end(it: InMemory, fields: dict[str, str]) -> None:
    answer = await (await it.signed_in("admin")).send("/settings/tokens", **fields)
    assert answer.status_code == 409 and "A token needs a name, and an end" in answer.text


async def test_one_session_is_ended_and_the_others_are_not(it: InMemory) -> None:
    admin, other = await it.signed_in("admin"), await it.signed_in("viewer")
    page = (await admin.get("/settings")).text
    paths = re.findall(r'action="(/settings/access/session/\w+/end)"', page)
    mine = it.access.session(next(iter(admin.client.cookies.jar)).value or "")
    assert mine is not None and len(paths) == 2
    (theirs,) = [path for path in paths if mine.key not in path]
    assert (await admin.send(theirs)).status_code == 303
    assert (await other.get("/")).headers["location"] == "/sign-in"
    assert (await admin.get("/")).status_code == 200
    link = new_link("viewer", "ada", AT_MS)
    it.tables.put(CONSOLE, link.key, link.row)
    assert (await admin.send(f"/settings/access/{link.key}/end")).status_code == 404  # neither session nor token


async def body(it: InMemory, path: str) -> Any:
    answer = await (await it.signed_in("viewer")).get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_the_bodies(it: InMemory) -> None:
    assert [one["integration"] for one in (await body(it, "/api/v1/integrations"))["integrations"]] == ["acme"]
    assert (await body(it, "/api/v1/integrations/acme"))["state"] == "active"
    assert (await body(it, "/api/v1/integrations/acme/mappings"))["mappings"][0]["name"] == "contacts-users"
    assert (await body(it, "/api/v1/integrations/acme/runs"))["runs"][0]["state"] == "completed"
    refused = await body(it, "/api/v1/integrations/acme/refused?reason=not_an_option&field=plan")
    assert (refused["total"], refused["groups"][0]["count"]) == (2, 2)
    assert [one["object"] for one in refused["letters"]] == ["hubspot contacts 101", None]
    assert (await body(it, "/api/v1/integrations/acme/refused?reason=other"))["total"] == 0
    told = await body(it, f"/api/v1/integrations/acme/objects/hubspot/contacts/{CONTACT}")
    (pair,) = told["explanations"][0]["pairs"]
    assert (pair["word"], pair["fields"][0]["word"]) == ("paired", "written")
    assert (await body(it, "/api/v1/doctor"))["findings"][0]["what"] == "brokers"
    assert (await body(it, "/api/v1/activity?after=0"))["entries"] == []


async def test_why_not_is_json(it: InMemory) -> None:
    browser = await it.signed_in("viewer")
    await said(browser, "/api/v1/integrations/acmee", 404, "not_here")
    await said(browser, "/api/v1/nothing", 404, "not_here")
    for wrong in ("x", "-1", "٣", "9" * 5_000):
        await said(browser, f"/api/v1/activity?after={wrong}", 409, "refused")
    path = "/api/v1/integrations/acme/objects/userflow/users"
    it.objects.put(Named("userflow", "users", "u-1"), it.objects.there["acme", HUBSPOT])
    assert (await browser.get(f"{path}/u-1")).status_code == 200
    await said(browser, f"{path}/{EMAIL}", 409, "refused")


async def test_brokers_that_are_away_are_told() -> None:
    def away() -> Lag:
        raise BrokersUnreachable("no answer")

    it = in_memory(away)
    connect(it)
    await said(await it.signed_in("viewer"), "/api/v1/lag", 503, "brokers_away")


async def said(browser: Browser, path: str, status: int, error: str) -> None:
    answer = await browser.get(path)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.json()["message"]


async def test_the_description_names_every_route(it: InMemory) -> None:
    told = await body(it, "/api/v1/openapi.json")
    assert {f"{API.rstrip('/')}{path}" for path in told["paths"]} == {at.path for at in SCRIPTS}
    for path, methods in told["paths"].items():
        assert list(methods) == ["get"] and methods["get"]["summary"]
        within = {one["name"] for one in methods["get"]["parameters"] if one["in"] == "path"}
        assert within == set(re.findall(r"\{(\w+)\}", path))


async def test_hostile_names_are_text_in_json() -> None:
    it = in_memory(lag)
    connect(it, reason=HOSTILE, apply_state="failed")
    told = await body(it, "/api/v1/integrations/acme")
    assert told["reason"] == HOSTILE
