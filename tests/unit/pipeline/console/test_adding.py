"""Adding an integration in the browser: the file it stands for, its secrets sealed, and refusals at their fields."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pipeline.console.adding import asked_in, file_of
from pipeline.console.form import Form
from pipeline.integration_file.model import IntegrationFile
from schemas.configuration import ConnectorState, IntegrationClaim, IntegrationPart, IntegrationSettings, SystemSettings
from schemas.topics import INTEGRATIONS
from tests.unit.pipeline.console.fixtures import InMemory, connect, in_memory
from tests.unit.pipeline.console.test_pages import text

BY_TOKEN = {
    "integration": "acme",
    "environment": "production",
    "region": "us",
    "api_key": "ak_secret",
    "account": "12345678",
    "how": "token",
    "token": "pat-na1-secret",
    "source": "poll",
}
BY_OAUTH = BY_TOKEN | {"how": "oauth", "client_id": "my-app", "client_secret": "very-secret", "source": "webhooks"}


def found(fields: dict[str, str]) -> IntegrationFile | dict[str, str]:
    return file_of(asked_in(Form(tuple(fields.items()))))


def scheduler(it: InMemory, apply_state: Any = "done", reason: str | None = None) -> Callable[[str, str, Any], None]:
    """Takes a request into force, or refuses it; `describing`: HubSpot waits for a grant."""

    def changed(topic: str, key: str, row: Any) -> None:
        if topic != INTEGRATIONS or not isinstance(row, IntegrationPart) or row.desired is None:
            return
        desired, done = row.desired, apply_state == "done"
        before = it.tables.get(INTEGRATIONS, f"{row.integration}/settings")
        revision = before.settings.revision + 1 if before is not None else 1
        state: Any = desired.state if done else "disconnected" if apply_state == "failed" else "connecting"
        settings = IntegrationSettings(
            1, revision, revision if done else 0, state, desired.apply_id, apply_state, reason, desired.document,
            desired.hubspot, desired.userflow,
        )  # fmt: skip
        if apply_state == "describing":
            waits = ConnectorState(1, 0, 0, "needs_reconnect", checked_revision=revision, reason="not_granted")
            there = ConnectorState(1, 0, 0, "ok", checked_revision=revision)
            for system, reported in (("hubspot", waits), ("userflow", there)):
                part = IntegrationPart(row.integration, connector=reported)
                it.tables.put(INTEGRATIONS, f"{row.integration}/{system}", part)
        it.tables.put(INTEGRATIONS, f"{row.integration}/settings", IntegrationPart(row.integration, settings=settings))

    return changed


def test_a_token_makes_the_file_that_one_would_write() -> None:
    file = found(BY_TOKEN)
    assert isinstance(file, IntegrationFile)
    assert (file.integration, file.hubspot.account, file.mappings) == ("acme", 12345678, ())
    assert file.hubspot.token is not None and file.hubspot.token.reveal() == "pat-na1-secret"
    assert (file.hubspot.timeline, file.hubspot.source) == ("custom_events", "poll")


def test_an_app_signs_webhooks_with_its_client_secret_unless_another_is_given() -> None:
    for more, secret in (({}, "very-secret"), ({"app_secret": "other"}, "other")):
        file = found(BY_OAUTH | more)
        assert isinstance(file, IntegrationFile) and file.hubspot.oauth is not None
        assert file.hubspot.app_secret is not None and file.hubspot.app_secret.reveal() == secret
        assert file.hubspot.token is None


@pytest.mark.parametrize(
    ("fields", "inputs"),
    [
        ({}, {"integration", "environment", "account", "client_id", "client_secret", "api_key"}),
        (BY_TOKEN | {"token": " "}, {"token"}),
        (BY_TOKEN | {"integration": "Acme Corp"}, {"integration"}),
        (BY_TOKEN | {"account": "acme"}, {"account"}),
        (BY_TOKEN | {"api_key": "a b"}, {"api_key"}),
        (BY_TOKEN | {"source": "journal"}, {"source"}),
        (BY_TOKEN | {"source": "webhooks"}, {""}),
        (BY_OAUTH | {"environment": "ak_live"}, {"environment"}),
    ],
)
def test_what_is_wrong_is_told_at_its_input_and_shows_no_secret(fields: dict[str, str], inputs: set[str]) -> None:
    told = found(fields)
    assert isinstance(told, dict) and set(told) == inputs
    assert not any("secret" in one.replace("client secret", "").replace("app_secret", "") for one in told.values())


async def test_a_token_connects_and_nothing_of_it_is_on_a_page() -> None:
    it = in_memory()
    it.tables.subscribers.append(scheduler(it))
    signed_in = await it.signed_in()
    assert "Add integration" in text((await signed_in.get("/connect")).text)
    answer = await signed_in.send("/connect", **BY_TOKEN)
    assert (answer.status_code, answer.headers["location"]) == (303, "/i/acme")
    ((_, key, part),) = it.publisher.sent
    assert key == "acme/desired" and part.desired.hubspot.secrets == {"token": b"sealed for acme/hubspot/token"}
    for path in ("/i/acme", "/i/acme/connection", "/i/acme/mappings"):
        shown = (await signed_in.get(path)).text
        assert not any(one in shown for one in ("ak_secret", "pat-na1-secret", "sealed for"))
    assert "Set up a mapping" in (await signed_in.get("/i/acme")).text
    assert "Nothing is mapped yet" in (await signed_in.get("/")).text


async def test_an_app_leads_to_hubspot() -> None:
    it = in_memory()
    it.tables.subscribers.append(scheduler(it, "describing"))
    signed_in = await it.signed_in()
    answer = await signed_in.send("/connect", **BY_OAUTH)
    assert answer.headers["location"].startswith("/i/acme/connection/grant/")
    link = next(part.link for _, key, part in it.publisher.sent if key == "acme/link")
    assert "oauth" in link.scopes and "crm.objects.contacts.write" in link.scopes
    assert "Connect with HubSpot" in (await signed_in.get(answer.headers["location"])).text


async def test_a_refusal_keeps_the_form_but_no_secret() -> None:
    it = in_memory()
    it.tables.subscribers.append(scheduler(it, "failed", "userflow: needs reconnect: api_key_rejected"))

    def forget(topic: str, key: str, row: Any) -> None:
        if key == "acme/desired" and row is None:
            it.tables.put(INTEGRATIONS, "acme/settings", None)

    async def send_bytes(topic: str, key: str, value: Any) -> None:
        it.tables.put(topic, key, None)

    it.tables.subscribers.append(forget)
    it.publisher.send_bytes = send_bytes  # type: ignore[attr-defined]
    answer = await (await it.signed_in()).send("/connect", **BY_TOKEN)
    assert answer.status_code == 422 and "Nothing was connected." in text(answer.text)
    assert 'value="12345678"' in answer.text and "ak_secret" not in answer.text and "pat-na1" not in answer.text
    assert it.tables.get(INTEGRATIONS, "acme/settings") is None


async def test_a_name_and_an_account_that_are_there_already_are_refused_before_anything_is_asked() -> None:
    it = in_memory()
    connect(it)
    claim = IntegrationPart("acme", claim=IntegrationClaim("acme"))
    it.tables.put(INTEGRATIONS, "claim/hubspot/12345678", claim)
    signed_in = await it.signed_in()
    taken = await signed_in.send("/connect", **BY_TOKEN)
    assert taken.status_code == 422 and "There is an integration of this name already" in taken.text
    claimed = await signed_in.send("/connect", **BY_TOKEN | {"integration": "other"})
    assert claimed.status_code == 422 and "already claimed by integration acme" in claimed.text
    assert it.publisher.sent == []


async def test_a_key_is_replaced_and_the_others_keep_their_seals() -> None:
    it = in_memory()
    there = SystemSettings("12345678", {"client_id": "app"}, {"client_secret": b"old", "refresh_token": b"old grant"})
    connect(it, hubspot=there, userflow=SystemSettings("production", {"claim": "c1"}, {"api_key": b"old key"}))
    signed_in = await it.signed_in()
    page = await signed_in.get("/i/acme/connection/keys")
    assert "Userflow API key" in page.text and "HubSpot client secret" in page.text and "old" not in page.text
    assert "token" not in re.findall(r'name="(\w+)" type="password"', page.text)
    assert (await signed_in.send("/i/acme/connection/keys", api_key=" ")).status_code == 422
    assert (await signed_in.send("/i/acme/connection/keys", api_key="a b")).status_code == 422
    assert it.publisher.sent == []
    it.tables.subscribers.append(scheduler(it))
    answer = await signed_in.send("/i/acme/connection/keys", api_key="ak_new", client_secret="")
    assert answer.headers["location"] == "/i/acme/connection"
    ((_, _, part),) = it.publisher.sent
    assert part.desired.hubspot == there
    assert part.desired.userflow.secrets == {"api_key": b"sealed for acme/userflow/api_key"}
    assert part.desired.userflow.options["claim"] != "c1"


async def test_a_key_that_is_refused_replaces_nothing() -> None:
    it = in_memory()
    connect(it, userflow=SystemSettings("production", {}, {"api_key": b"old key"}))

    def refuse(topic: str, key: str, row: Any) -> None:
        if key == "acme/desired":
            now = it.tables.get(INTEGRATIONS, "acme/settings").settings
            refused = replace(now, apply_id=row.desired.apply_id, apply_state="failed", reason="userflow: no")
            it.tables.put(INTEGRATIONS, "acme/settings", IntegrationPart("acme", settings=refused))

    it.tables.subscribers.append(refuse)
    answer = await (await it.signed_in()).send("/i/acme/connection/keys", api_key="ak_new")
    assert answer.status_code == 422 and "Nothing was replaced. userflow: no" in text(answer.text)
    assert it.tables.get(INTEGRATIONS, "acme/settings").settings.userflow.secrets == {"api_key": b"old key"}


async def test_an_operator_adds_nothing() -> None:
    it = in_memory()
    signed_in = await it.signed_in("operator")
    assert (await signed_in.get("/connect")).status_code == 403
    assert (await signed_in.send("/connect", **BY_TOKEN)).status_code == 403
