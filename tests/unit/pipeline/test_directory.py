"""The directory: `sync.integrations` as the receiver needs it, whatever single secret cannot be opened."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from connectors.receiver import Recipient
from pipeline.directory import OLD_SECRET_S, ConfigurationDirectory
from pipeline.secrets import SecretBox, make_key
from schemas.configuration import (
    SIGNING,
    ConnectorState,
    DesiredIntegration,
    IntegrationClaim,
    IntegrationPart,
    IntegrationSettings,
    IntegrationState,
    SystemSettings,
    secret_place,
)

BOX = SecretBox([make_key()])
STRANGE_BOX = SecretBox([make_key()])


@dataclass
class Table:
    """The table of `sync.integrations`, and the clock, in the test's hands."""

    parts: dict[str, IntegrationPart] = field(default_factory=dict)
    now_s: float = 0.0
    reads: int = 0
    unsealed: int = 0

    def __post_init__(self) -> None:
        self.directory = ConfigurationDirectory(self._read, self._unseal, lambda: self.now_s)

    def put(self, key: str, part: IntegrationPart | None) -> None:
        if part is None:
            del self.parts[key]
        else:
            self.parts[key] = part
        self.directory.configuration_changed()

    def settings(
        self,
        hubspot: Mapping[str, str],
        name: str = "acme",
        *,
        account: str = "62515",
        state: IntegrationState = "active",
        box: SecretBox = BOX,
    ) -> None:
        sealed = {kind: box.seal(text, secret_place(name, "hubspot", kind)) for kind, text in hubspot.items()}
        section = SystemSettings(account, secrets=sealed)
        userflow = SystemSettings("production", secrets={"api_key": BOX.seal("never looked at", "")})
        settings = IntegrationSettings(1, 1, 1, state, "a1", "done", None, "", section, userflow)
        self.put(f"{name}/settings", IntegrationPart(name, settings=settings))

    def webhook_secret(self, text: str | None, name: str = "acme", box: SecretBox = BOX) -> None:
        sealed = None if text is None else box.seal(text, secret_place(name, "userflow", SIGNING))
        state = ConnectorState(1, 1, 1, "ok", webhook_secret=sealed)
        self.put(f"{name}/userflow", IntegrationPart(name, connector=state))

    def _read(self) -> dict[str, IntegrationPart]:
        self.reads += 1
        return dict(self.parts)

    def _unseal(self, sealed: bytes, place: str) -> str:
        self.unsealed += 1
        return BOX.open(sealed, place)


def test_an_integration_is_found_by_name_and_by_account_with_its_secrets_open() -> None:
    table = Table()
    table.settings({"app_secret": "app-1"})
    table.webhook_secret("hook-1")

    acme = Recipient("acme", "active", "62515", ("app-1",), ("hook-1",))
    assert table.directory.recipient("acme") == acme
    assert table.directory.of_account("62515") == (acme,)
    assert table.directory.recipient("other") is None
    assert table.directory.of_account("1") == ()


def test_other_parts_are_no_integrations() -> None:
    table = Table()
    section = SystemSettings("62515")
    desired = DesiredIntegration("a1", "active", "", section, section, 0)
    table.put("acme/desired", IntegrationPart("acme", desired=desired))
    table.put("claim/hubspot/62515", IntegrationPart("acme", claim=IntegrationClaim("acme")))
    table.webhook_secret("hook-1")

    assert table.directory.recipient("acme") is None
    assert table.directory.of_account("62515") == ()


@pytest.mark.parametrize(
    ("secrets", "expected"),
    [
        ({"app_secret": "app-1", "client_secret": "client-1"}, ("app-1",)),
        ({"client_secret": "client-1"}, ("client-1",)),
        ({"token": "token-1"}, ()),
    ],
)
def test_what_signs_hubspot_webhooks(secrets: dict[str, str], expected: tuple[str, ...]) -> None:
    table = Table()
    table.settings(secrets)

    found = table.directory.recipient("acme")

    assert found is not None
    assert (found.hubspot_secrets, found.userflow_secrets, found.sealed) == (expected, (), False)


def test_the_table_is_read_once_for_each_change_and_a_secret_opened_once() -> None:
    table = Table()
    table.settings({"app_secret": "app-1"})
    table.directory.recipient("acme")
    table.directory.of_account("62515")
    assert (table.reads, table.unsealed) == (1, 1)

    table.settings({"app_secret": "app-2"}, "beta", account="777")
    assert table.directory.recipient("beta") is not None
    assert (table.reads, table.unsealed) == (2, 2)


@pytest.mark.parametrize(
    ("box", "state", "sealed"),
    [(BOX, "active", False), (STRANGE_BOX, "active", True), (STRANGE_BOX, "disconnected", False)],
)
def test_whether_a_secret_stays_sealed_is_known(box: SecretBox, state: IntegrationState, sealed: bool) -> None:
    table = Table()
    table.settings({"app_secret": "app-1"}, state=state, box=box)

    assert table.directory.has_sealed() is sealed


def test_a_seal_that_was_copied_to_another_integration_does_not_open_there() -> None:
    table = Table()
    table.settings({"app_secret": "app-1"})
    assert table.directory.recipient("acme") is not None
    stolen = table.parts["acme/settings"].settings
    assert stolen is not None

    table.put("beta/settings", IntegrationPart("beta", settings=stolen))

    found = table.directory.recipient("beta")
    assert found is not None
    assert (found.hubspot_secrets, found.sealed) == ((), True)


def test_changes_show_at_once() -> None:
    table = Table()
    table.settings({"app_secret": "app-1"})
    assert len(table.directory.of_account("62515")) == 1

    table.settings({"app_secret": "app-1"}, account="777", state="paused")
    assert table.directory.of_account("62515") == ()
    assert [one.state for one in table.directory.of_account("777")] == ["paused"]

    table.put("acme/settings", None)
    assert table.directory.recipient("acme") is None


def test_the_disconnected_one_of_an_account_is_listed_beside_the_one_that_has_it() -> None:
    table = Table()
    table.settings({}, "former", state="disconnected")
    table.settings({"app_secret": "app-1"}, "acme")

    states = {one.integration: one.state for one in table.directory.of_account("62515")}

    assert states == {"former": "disconnected", "acme": "active"}


def test_a_secret_that_does_not_open_is_logged_once_and_concerns_one_integration(
    caplog: pytest.LogCaptureFixture,
) -> None:
    table = Table()
    table.settings({"app_secret": "app-1"}, "acme", box=STRANGE_BOX)
    table.settings({"app_secret": "app-2"}, "beta", account="777")
    with caplog.at_level(logging.ERROR):
        acme, beta = table.directory.recipient("acme"), table.directory.recipient("beta")
        table.settings({"app_secret": "app-3"}, "beta", account="777")
        table.directory.recipient("acme")

    assert acme is not None and beta is not None
    assert (acme.sealed, acme.hubspot_secrets) == (True, ())
    assert (beta.sealed, beta.hubspot_secrets) == (False, ("app-2",))
    assert [record.getMessage() for record in caplog.records] == [
        "acme: PAIRSTREAM_SECRET_KEY does not open its secrets: webhooks are refused"
    ]


def test_a_webhook_secret_that_does_not_open_is_seen_too() -> None:
    table = Table()
    table.settings({"app_secret": "app-1"})
    table.webhook_secret("hook-1", box=STRANGE_BOX)

    found = table.directory.recipient("acme")

    assert found == Recipient("acme", "active", "62515", ("app-1",), (), sealed=True)


def test_a_replaced_secret_counts_until_what_it_signed_is_stale() -> None:
    table = Table()
    table.settings({"app_secret": "app-1"})
    table.webhook_secret("hook-1")
    table.directory.recipient("acme")

    table.webhook_secret("hook-2")
    replaced = table.directory.recipient("acme")
    table.now_s = OLD_SECRET_S + 1
    later = table.directory.recipient("acme")

    assert replaced is not None and later is not None
    assert replaced.userflow_secrets == ("hook-2", "hook-1")
    assert (later.userflow_secrets, later.hubspot_secrets) == (("hook-2",), ("app-1",))


@pytest.mark.parametrize(("account", "state"), [("777", "active"), ("62515", "disconnected")])
def test_a_secret_of_another_account_or_a_former_connection_counts_no_more(
    account: str, state: IntegrationState
) -> None:
    table = Table()
    table.settings({"app_secret": "app-1"})
    table.directory.recipient("acme")

    table.settings({"app_secret": "app-2"}, account=account, state=state)
    found = table.directory.recipient("acme")

    assert found is not None
    assert found.hubspot_secrets == ("app-2",)


def test_secrets_do_not_show() -> None:
    table = Table()
    table.settings({"app_secret": "app-1"})
    found = table.directory.recipient("acme")

    assert found is not None and "app-1" not in repr(replace(found, userflow_secrets=("hook-1",)))
    assert "hook-1" not in repr(replace(found, userflow_secrets=("hook-1",)))
