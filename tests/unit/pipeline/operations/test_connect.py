"""A link for an integration: when there is one, what its page asks for, and what its end says on the terminal."""

from dataclasses import replace
from typing import Any, cast

import pytest

from pipeline.integration_file.export import to_yaml
from pipeline.operations import connect
from pipeline.operations.connect import VALID_MS, NotConnected, new_link, wait_until_connected
from pipeline.provisioning.scopes import lacking_scopes
from schemas.configuration import (
    NOT_GRANTED,
    ConnectAnswer,
    Description,
    DesiredIntegration,
    IntegrationPart,
    IntegrationSettings,
    KeptGrant,
    Sections,
    SystemSettings,
)
from tests.unit.pipeline.integration_file.files import GOOD, loaded

OAUTH = GOOD.replace("token: ${HUBSPOT_TOKEN}", "oauth: {client_id: a, client_secret: '${HUBSPOT_CLIENT_SECRET}'}")
DEALS = OAUTH + (
    "  - name: deals\n    hubspot: deals\n    userflow: companies\n"
    "    match: {hubspot: dealname, userflow: id}\n    to_userflow: [amount]\n"
)
FILE = loaded(OAUTH)
ACCOUNT = str(FILE.hubspot.account)
SECTION = SystemSettings(ACCOUNT, {"client_id": "a"})
SETTINGS = IntegrationSettings(1, 1, 1, "active", "a", "done", None, to_yaml(FILE), SECTION, SystemSettings("x"))


def parts(settings: IntegrationSettings = SETTINGS, **others: IntegrationPart) -> dict[str, IntegrationPart]:
    rows = {f"acme/{key.replace('_', '/')}": part for key, part in others.items()}
    return {"acme/settings": IntegrationPart("acme", settings=settings), **rows}


class Tables:
    """A table that does not change."""

    def __init__(self, rows: dict[str, IntegrationPart]) -> None:
        self.rows = rows

    def table(self, _: str) -> dict[str, IntegrationPart]:
        return self.rows


def test_a_link_asks_for_what_the_mappings_need_and_holds_no_token() -> None:
    link = new_link("acme", parts(), 1_000)
    assert link.record.expires_at_ms == 1_000 + VALID_MS
    assert link.url("https://sync.acme.com") == f"https://sync.acme.com/oauth/hubspot/start?link={link.token}"
    assert link.token not in repr((link, link.record))
    assert {"oauth", "crm.objects.contacts.read"} <= set(link.record.scopes)
    assert not [scope for scope in link.record.scopes if "deals" in scope]
    assert new_link("acme", parts(), 1_000).record.link != link.record.link


def test_a_link_is_for_what_waits_for_access_on_trial_and_asks_for_what_it_needs() -> None:
    by_token = replace(SETTINGS, hubspot=SystemSettings(ACCOUNT, {}, {"token": b"sealed"}))
    with pytest.raises(NotConnected, match="has a token"):
        new_link("acme", parts(by_token), 1_000)
    tried = Sections(to_yaml(loaded(DEALS)), SystemSettings(ACCOUNT, {"client_id": "a"}), SystemSettings("x"))
    waiting = replace(by_token, apply_id="b", apply_state="proving", trial=tried)
    with pytest.raises(NotConnected, match="has a token"):  # HubSpot has not answered yet
        new_link("acme", parts(waiting), 1_000)
    told = IntegrationPart("acme", description=Description(waiting.tried, NOT_GRANTED))
    link = new_link("acme", parts(waiting, hubspot_trial=told), 1_000)
    assert "crm.objects.deals.read" in link.record.scopes


def test_a_link_asks_for_what_a_refused_file_lacked() -> None:
    asked = DesiredIntegration("b", "active", to_yaml(loaded(DEALS)), SECTION, SystemSettings("x"), 0)
    link = new_link("acme", parts(desired=IntegrationPart("acme", desired=asked)), 1_000)
    assert {"crm.objects.deals.read", "crm.objects.contacts.read"} <= set(link.record.scopes)


def test_what_was_granted_is_held_against_what_is_needed() -> None:
    granted = KeptGrant(ACCOUNT, b"", tuple(new_link("acme", parts(), 0).record.scopes))
    rows = parts(hubspot_grant=IntegrationPart("acme", grant=granted))
    assert lacking_scopes(FILE, rows) == ()
    assert lacking_scopes(loaded(DEALS), rows) == ("crm.objects.deals.read", "crm.schemas.deals.read")
    untold = parts(hubspot_grant=IntegrationPart("acme", grant=replace(granted, scopes=())))
    assert lacking_scopes(loaded(DEALS), untold) == ()
    assert lacking_scopes(loaded(GOOD), rows) == ()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (replace(SETTINGS, state="disconnected"), "`pairstream apply` its file first"),
        (replace(SETTINGS, hubspot=SystemSettings(ACCOUNT)), "write `oauth:` instead of `token:`"),
    ],
)
def test_where_no_link_would_help_it_says_what_would(settings: IntegrationSettings, told: str) -> None:
    with pytest.raises(NotConnected, match=told):
        new_link("acme", parts(settings), 0)


async def test_the_end_of_a_link_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "LATE_S", 0.0)
    link = new_link("acme", parts(), 0).record

    async def end(rows: dict[str, IntegrationPart]) -> ConnectAnswer:
        return await wait_until_connected(cast(Any, Tables(rows)), "acme", link, lambda: VALID_MS - 50)

    answer = ConnectAnswer(link.link, None, ACCOUNT)
    assert await end(parts(hubspot_consent=IntegrationPart("acme", consent=answer))) == answer
    wrong = IntegrationPart("acme", consent=ConnectAnswer(link.link, "wrong_account", "44120018"))
    with pytest.raises(NotConnected, match=f"You chose HubSpot account 44120018; acme belongs to account {ACCOUNT}"):
        await end(parts(hubspot_consent=wrong))
    declined = IntegrationPart("acme", consent=ConnectAnswer(link.link, "declined"))
    with pytest.raises(NotConnected, match=r"Access was declined .* Nothing was changed \(declined\)"):
        await end(parts(hubspot_consent=declined))
    newer = IntegrationPart("acme", link=replace(link, link="newer", asked_at_ms=1))
    with pytest.raises(NotConnected, match="a newer link took the place"):
        await end(parts(link=newer))
    other = IntegrationPart("acme", consent=ConnectAnswer("another link"))
    with pytest.raises(NotConnected, match="nobody granted access in time"):
        await end(parts(hubspot_consent=other))
    for gone in (parts(replace(SETTINGS, state="disconnected")), {}):
        with pytest.raises(NotConnected, match="disconnected meanwhile"):
            await end(gone)
