"""The receiver's promise: 2xx only for what the brokers have, and only where a known secret signed it."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace

import httpx
import pytest

from connectors.http.messages import SignatureCheck
from connectors.receiver.hubspot import MOST_SECRETS
from schemas.configuration import IntegrationState
from schemas.records import Notification
from schemas.values import System
from tests.unit.connectors.receiver.receiving import (
    ACME,
    APP_SECRET,
    BETA,
    DEADLINE_S,
    NOW_MS,
    OTHER_SECRET,
    USERFLOW_SECRET,
    Bench,
    Book,
    Shelf,
    code,
    events,
    hubspot_signature,
    signed,
    userflow_signature,
)
from tests.unit.connectors.simulation.simulated import sample


def test_our_signatures_are_those_of_the_published_vectors() -> None:
    v3 = next(one for one in sample("hubspot", "signature_vectors")["vectors"] if one["version"] == "v3")
    userflow = sample("userflow", "signature_vectors")["vectors"][0]

    assert hubspot_signature(APP_SECRET, v3["uri"], v3["body"].encode(), int(v3["timestamp"])) == v3["signature"]
    assert userflow_signature(USERFLOW_SECRET, userflow["body"].encode(), userflow["timestamp"]) == userflow["header"]


async def test_a_signed_hubspot_webhook_is_stored_raw_under_its_integration() -> None:
    bench = Bench()
    body = sample("hubspot", "signature_vectors")["vectors"][0]["body"].encode()

    response = await bench.hubspot(body)

    assert response.status_code == 200
    assert bench.shelf.stored == [Notification("acme", "hubspot", body, {}, NOW_MS)]
    assert bench.counted == {("hubspot", "stored"): 1}


async def test_a_signed_userflow_webhook_is_stored_raw_under_its_integration() -> None:
    bench = Bench()
    vector = sample("userflow", "signature_vectors")["vectors"][0]

    response = await bench.userflow("acme", vector["body"].encode(), vector["header"])

    assert response.status_code == 200
    assert bench.shelf.stored == [Notification("acme", "userflow", vector["body"].encode(), {}, NOW_MS)]
    assert bench.counted == {("userflow", "stored"): 1}


@pytest.mark.parametrize("system", ["hubspot", "userflow"])
async def test_the_answer_waits_for_the_brokers(system: System) -> None:
    bench = Bench(shelf=Shelf(waits=True))
    body = events(62515) if system == "hubspot" else b"{}"
    send: Awaitable[httpx.Response] = (
        bench.hubspot(body)
        if system == "hubspot"
        else bench.userflow("acme", body, userflow_signature(USERFLOW_SECRET, body))
    )

    answering = asyncio.ensure_future(send)
    await asyncio.wait_for(bench.shelf.asked.wait(), DEADLINE_S)
    for _ in range(20):
        await asyncio.sleep(0)
    assert not answering.done()
    assert not bench.counted

    bench.shelf.acknowledge.set()
    assert (await asyncio.wait_for(answering, DEADLINE_S)).status_code == 200
    assert bench.counted == {(system, "stored"): 1}


STRANGERS = "a stranger's secret"
NO_JSON = b'[{"portalId": 62515'
DEEP = b'[{"portalId": 62515}, ' + b"[" * 100_000
HIDDEN = b'[{"of": {"portalId": 62515}}]'

# what the request was signed with, what it holds, and how it ends
HUBSPOT_REFUSALS: dict[str, tuple[bytes, dict[str, str], int, str]] = {
    "no signature at all": (events(62515), {}, 401, "missing"),
    "no timestamp": (events(62515), {"X-HubSpot-Signature-v3": "abc"}, 401, "missing"),
    "only the old signature": (events(62515), {"X-HubSpot-Signature": "abc"}, 401, "missing"),
    "a timestamp that is no number": (
        events(62515),
        {"X-HubSpot-Signature-v3": "abc", "X-HubSpot-Request-Timestamp": "now"},
        401,
        "malformed",
    ),
    "signed six minutes ago": (events(62515), signed(events(62515), timestamp_ms=NOW_MS - 360_000), 401, "stale"),
    "signed in the future": (events(62515), signed(events(62515), timestamp_ms=NOW_MS + 360_000), 401, "stale"),
    "another secret": (events(62515), signed(events(62515), secret=OTHER_SECRET), 401, "mismatch"),
    "another body": (events(62515), signed(events(777)), 401, "mismatch"),
    "another host": (events(62515), signed(events(62515), url="https://evil.com/webhooks/hubspot"), 401, "mismatch"),
    "another account's app": (events(888), signed(events(888)), 401, "mismatch"),
    "a timestamp of 5,000 digits": (
        events(62515),
        {"X-HubSpot-Signature-v3": "abc", "X-HubSpot-Request-Timestamp": "1" * 5_000},
        401,
        "malformed",
    ),
    "the scheme and host of the request": (
        events(62515),
        signed(events(62515), url="http://receiver.internal:8080/webhooks/hubspot"),
        401,
        "mismatch",
    ),
}


@pytest.mark.parametrize(("body", "headers", "status", "error"), HUBSPOT_REFUSALS.values(), ids=HUBSPOT_REFUSALS)
async def test_what_hubspot_is_refused(body: bytes, headers: dict[str, str], status: int, error: str) -> None:
    bench = Bench()

    response = await bench.hubspot(body, headers)

    assert (response.status_code, code(response)) == (status, error)
    assert bench.counted == {("hubspot", error): 1}
    assert not bench.shelf.stored


# bodies that are signed by nobody we know, and what is counted for those who read metrics
NOT_PROVEN = {
    "no events": (b"[]", "no_account"),
    "events without account": (b'[1, {"objectId": 1}]', "no_account"),
    "an unknown account": (events(999), "unknown"),
    "a disconnected account": (events(1), "disconnected"),
    "an account without a secret": (events(2), "no_secret"),
    "a known account": (events(62515), "mismatch"),
}


@pytest.mark.parametrize(("body", "counted"), NOT_PROVEN.values(), ids=NOT_PROVEN)
async def test_who_has_signed_nothing_learns_of_no_account(body: bytes, counted: str) -> None:
    gone = replace(ACME, integration="gone", account="1", state="disconnected", hubspot_secrets=())
    bench = Bench(Book([ACME, gone, replace(ACME, integration="new", account="2", hubspot_secrets=())]))

    response = await bench.hubspot(body, signed(body, secret=STRANGERS))
    known = await Bench().hubspot(events(62515), signed(events(62515), secret=STRANGERS))

    assert (response.status_code, response.content) == (known.status_code, known.content)
    assert bench.counted == {("hubspot", counted): 1}


@pytest.mark.parametrize("name", ["acme", "gone", "new", "nobody"])
@pytest.mark.parametrize("header", [None, "t=1,v1=ab", userflow_signature(STRANGERS, b"{}")])
async def test_who_has_signed_nothing_learns_of_no_name(name: str, header: str | None) -> None:
    gone = replace(ACME, integration="gone", state="disconnected", userflow_secrets=())
    bench = Bench(Book([ACME, gone, replace(ACME, integration="new", userflow_secrets=())]))

    response = await bench.userflow(name, b"{}", header)
    known = await bench.userflow("acme", b"{}", header)

    assert (response.status_code, response.content) == (known.status_code, known.content)


async def test_no_body_is_parsed_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unsigned body of 39 MB stopped everything for 15 s; a signed one of 1 MB can be made to take half a second."""

    def refuse(*_: object, **__: object) -> object:
        raise AssertionError("parsed")

    body, answers, bench = events(62515), list[int](), Bench()
    monkeypatch.setattr(json, "loads", refuse)
    for secret in (APP_SECRET, STRANGERS):
        answers.append((await bench.hubspot(body, signed(body, secret=secret))).status_code)
    for secret in (USERFLOW_SECRET, STRANGERS):
        answers.append((await bench.userflow("acme", b"{}", userflow_signature(secret, b"{}"))).status_code)

    assert answers == [200, 401, 200, 401]


@pytest.mark.parametrize("body", [NO_JSON, b'{"portalId": 62515}', DEEP, HIDDEN])
async def test_what_is_signed_is_kept_as_it_came_readable_or_not(body: bytes) -> None:
    """Whoever reads it leaves a dead letter where it cannot be read: refused here, it would only come again."""
    bench = Bench()

    hubspot = await bench.hubspot(body)
    userflow = await bench.userflow("acme", body, userflow_signature(USERFLOW_SECRET, body))

    assert (hubspot.status_code, userflow.status_code) == (200, 200)
    assert {one.body for one in bench.shelf.stored} == {body}


@pytest.mark.parametrize("path", ["/webhooks/hubspot", "/webhooks/userflow/acme"])
async def test_no_body_is_read_of_a_request_whose_head_is_not_signed(path: str) -> None:
    bench = Bench()

    async def unread() -> AsyncIterator[bytes]:
        raise AssertionError("read")
        yield b""

    response = await bench.call(path, unread())

    assert (response.status_code, code(response)) == (401, "missing")


async def test_a_handful_of_secrets_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = list[str]()

    def verify(secret: str, *_: object) -> SignatureCheck:
        tried.append(secret)
        return SignatureCheck("mismatch")

    monkeypatch.setattr("connectors.receiver.hubspot.verify_v3", verify)
    crowd = [replace(ACME, integration=f"i{n}", account=str(n), hubspot_secrets=(f"secret {n}",)) for n in range(50)]
    bench = Bench(Book(crowd))

    response = await bench.hubspot(events(*range(50)))

    assert response.status_code == 401
    assert len(tried) == MOST_SECRETS


@pytest.mark.parametrize(
    ("state", "status", "stored"), [("paused", 200, 1), ("connecting", 200, 1), ("disconnected", 410, 0)]
)
async def test_all_but_a_disconnected_integration_keep_their_webhooks(
    state: IntegrationState, status: int, stored: int
) -> None:
    bench = Bench(Book([replace(ACME, state=state)]))

    hubspot = await bench.hubspot(events(62515))
    userflow = await bench.userflow("acme", b"{}", userflow_signature(USERFLOW_SECRET, b"{}"))

    assert (hubspot.status_code, userflow.status_code) == (status, status)
    assert len(bench.shelf.stored) == 2 * stored


async def test_an_account_let_go_by_one_integration_is_served_to_the_one_that_has_it() -> None:
    bench = Bench(Book([replace(ACME, integration="former", state="disconnected", hubspot_secrets=()), ACME]))

    assert (await bench.hubspot(events(62515))).status_code == 200
    assert bench.shelf.integrations == ["acme"]


async def test_an_integration_without_app_secret_says_what_is_missing() -> None:
    bench = Bench(Book([replace(ACME, hubspot_secrets=()), BETA]))

    response = await bench.hubspot(events(62515, 777))

    assert (response.status_code, code(response)) == (401, "no_secret")
    assert "app_secret" in response.json()["message"]


async def test_secrets_that_do_not_open_are_ours_to_mend_so_the_vendor_is_told_to_come_again() -> None:
    bench = Bench(Book([replace(ACME, hubspot_secrets=(), userflow_secrets=(), sealed=True)]))

    hubspot = await bench.hubspot(events(62515))
    userflow = await bench.userflow("acme", b"{}", userflow_signature(USERFLOW_SECRET, b"{}"))

    for response in (hubspot, userflow):
        assert (response.status_code, code(response)) == (503, "sealed")
        assert "PAIRSTREAM_SECRET_KEY" in response.json()["message"]


USERFLOW_REFUSALS: dict[str, tuple[str, bytes, str | None, int, str]] = {
    "no signature": ("acme", b"{}", None, 401, "missing"),
    "no time": ("acme", b"{}", "v1=abc", 401, "malformed"),
    "signed too long ago": ("acme", b"{}", userflow_signature(USERFLOW_SECRET, b"{}", 1_669_724_995), 401, "stale"),
    "signed in the future": ("acme", b"{}", userflow_signature(USERFLOW_SECRET, b"{}", 1_669_725_597), 401, "stale"),
    "another integration's secret": ("beta", b"{}", userflow_signature(USERFLOW_SECRET, b"{}"), 401, "mismatch"),
    "another body": ("acme", b"{}", userflow_signature(USERFLOW_SECRET, b'{"id":1}'), 401, "mismatch"),
    "a time of 5,000 digits": ("acme", b"{}", f"t={'1' * 5_000},v1=ab", 401, "malformed"),
    "a time of 500 digits": ("acme", b"{}", f"t={'1' * 500},v1=ab", 401, "malformed"),
    "a hundred signatures": ("acme", b"{}", f"t={NOW_MS // 1000}" + ",v1=ab" * 100, 401, "malformed"),
}


@pytest.mark.parametrize(
    ("integration", "body", "header", "status", "error"), USERFLOW_REFUSALS.values(), ids=USERFLOW_REFUSALS
)
async def test_what_userflow_is_refused(
    integration: str, body: bytes, header: str | None, status: int, error: str
) -> None:
    bench = Bench()

    response = await bench.userflow(integration, body, header)

    assert (response.status_code, code(response)) == (status, error)
    assert bench.counted == {("userflow", error): 1}
    assert not bench.shelf.stored


@pytest.mark.parametrize("secret", ["new", "old"])
async def test_a_secret_replaced_a_moment_ago_still_counts(secret: str) -> None:
    bench = Bench(Book([replace(ACME, hubspot_secrets=("new", "old"), userflow_secrets=("new", "old"))]))

    hubspot = await bench.hubspot(events(62515), signed(events(62515), secret=secret))
    userflow = await bench.userflow("acme", b"{}", userflow_signature(secret, b"{}"))

    assert (hubspot.status_code, userflow.status_code) == (200, 200)


@pytest.mark.parametrize(("trouble", "status"), [(None, 200), ("the brokers do not answer", 503)])
async def test_health_is_whether_a_webhook_would_be_kept(trouble: str | None, status: int) -> None:
    response = await Bench(shelf=Shelf(trouble=trouble)).call("/health", method="GET")

    assert response.status_code == status
    assert response.json() == ({"status": "ok"} if trouble is None else {"error": "not_ready", "message": trouble})


async def test_the_root_is_one_line_for_whoever_looks() -> None:
    response = await Bench().call("/", method="GET")

    assert response.status_code == 200
    assert response.text.count("\n") == 1


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [("GET", "/webhooks/hubspot", 405, "wrong_method"), ("POST", "/webhooks/other", 404, "no_such_path")],
)
async def test_a_wrong_path_or_method_says_which_are_right(method: str, path: str, status: int, error: str) -> None:
    response = await Bench().call(path, method=method)

    assert (response.status_code, code(response)) == (status, error)
    assert "/webhooks/hubspot" in response.json()["message"]


async def test_nothing_of_a_request_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    bench = Bench(shelf=Shelf(refuses=["acme"]))
    body = b'[{"portalId": 62515, "propertyValue": "annie@example.com"}]'
    headers = signed(body)

    await bench.hubspot(body, headers)
    await bench.hubspot(body, signed(body, secret=OTHER_SECRET))
    await bench.userflow("acme", body, userflow_signature(USERFLOW_SECRET, body))

    ours = "".join(record.getMessage() for record in caplog.records if record.name.startswith("connectors"))
    assert "acme: a webhook of hubspot was not stored" in ours
    for hidden in ("annie", headers["X-HubSpot-Signature-v3"], APP_SECRET, USERFLOW_SECRET):
        assert hidden not in ours
        assert hidden not in repr(ACME)
