"""Which refresh token is the newest, and that each is kept before it is used, once."""

import asyncio
from dataclasses import replace

import pytest

from connectors.contract.account import Opening
from connectors.contract.consent import GrantedAccess
from connectors.runtime.grants import Granting, GrantKeeper, fingerprint, follows, newest
from schemas.configuration import ConnectorState, IntegrationPart, KeptGrant
from schemas.topics import INTEGRATIONS
from tests.unit.connectors.runtime.runners import WELL, Vendor, settings_part
from tests.unit.connectors.runtime.running import Member, running, until


@pytest.mark.parametrize(
    ("account", "origin", "in_file", "counts"),
    [
        ("1", "", None, True),  # granted in the browser, and the file has none
        ("1", fingerprint("first"), "first", True),  # came of the file's
        ("1", fingerprint("first"), "second", False),  # the file was given another since
        ("1", "", "first", False),
        ("1", fingerprint("first"), None, True),  # the file has none any more
        ("", fingerprint("first"), "first", True),  # the system did not say whose it is
        ("2", "", None, False),  # of another account
    ],
)
def test_the_newest_token_is_known(account: str, origin: str, in_file: str | None, counts: bool) -> None:
    assert follows(KeptGrant(account, b"", origin=origin), Granting("1", "app", in_file)) is counts


def test_access_to_another_app_never_counts() -> None:
    kept = KeptGrant("1", b"", client="app")
    assert follows(kept, Granting("1", "app", None))
    assert not follows(kept, Granting("1", "other app", None))


def test_of_two_grants_the_one_that_was_granted_last_counts() -> None:
    """A refused trial of another app left its grant behind, and what was in force was opened with it."""
    former, later = KeptGrant("1", b"", granted_at_ms=1, client="app"), KeptGrant("1", b"", granted_at_ms=2)
    wanted = Granting("1", "app", None)
    assert newest({"grant": former, "trial-grant": later}, wanted) == "trial-grant"
    assert newest({"grant": former, "trial-grant": replace(later, client="other app")}, wanted) == "grant"
    assert newest({"grant": former, "trial-grant": former}, wanted) == "grant"
    assert newest({"trial-grant": replace(later, account="2")}, wanted) is None


def test_what_a_refused_trial_leaves_counts_for_nothing_in_force() -> None:
    """It was renewed last; of an app whose answers name no account it counted for another account too."""
    in_force = KeptGrant("1", b"", client="app", link="a", granted_at_ms=1)
    tried = KeptGrant("", b"", client="app", origin=fingerprint("pasted"), granted_at_ms=2)
    assert newest({"grant": in_force, "trial-grant": tried}, Granting("1", "app", None)) == "grant"
    assert newest({"grant": in_force, "trial-grant": tried}, Granting("1", "app", "pasted")) == "trial-grant"


def test_what_a_refused_trial_made_of_its_files_token_never_counts_before_what_is_in_force() -> None:
    """In force is a file that names none, by access that came of a token which it named once."""
    before = KeptGrant("1", b"", client="app", origin=fingerprint("once"), granted_at_ms=1)
    refused = KeptGrant("1", b"", client="app", origin=fingerprint("pasted"), granted_at_ms=2)
    assert newest({"grant": before, "trial-grant": refused}, Granting("1", "app", None)) == "grant"


async def test_access_whose_answer_names_no_account_is_kept_for_the_one_that_was_wanted() -> None:
    kept: list[KeptGrant] = []

    async def publish(grant: KeptGrant) -> None:
        kept.append(grant)

    keeper = GrantKeeper(publish, lambda text: text.encode(), Granting("2", "app", "pasted"), lambda: 7)
    await keeper.keep(GrantedAccess("second"))
    assert [grant.account for grant in kept] == ["2"]
    assert not follows(kept[0], Granting("1", "app", None))


async def test_what_is_known_is_not_kept_again() -> None:
    kept: list[KeptGrant] = []

    async def publish(grant: KeptGrant) -> None:
        kept.append(grant)

    keeper = GrantKeeper(publish, lambda text: text.encode(), Granting("1", "app", "first"), lambda: 7)
    for access in (
        GrantedAccess("first", "1", ("oauth",)),
        GrantedAccess("first", "1", ("oauth",)),
        GrantedAccess("first"),
        GrantedAccess("first", "1", ("oauth", "timeline")),
        GrantedAccess("second"),
    ):
        await keeper.keep(access)
    assert [(grant.refresh_token, grant.scopes) for grant in kept] == [
        (b"first", ("oauth",)),
        (b"first", ("oauth", "timeline")),
        (b"second", ("oauth", "timeline")),
    ]
    assert {(grant.account, grant.origin, grant.granted_at_ms) for grant in kept} == {("1", fingerprint("first"), 7)}
    again = GrantKeeper(
        publish, lambda text: text.encode(), Granting("1", "app", "first"), lambda: 8, (kept[-1], "second")
    )
    await again.keep(GrantedAccess("second", "1", ("oauth", "timeline")))
    assert len(kept) == 3


async def test_a_token_that_could_not_be_kept_is_kept_at_the_next_time() -> None:
    kept: list[KeptGrant] = []
    away = True

    async def publish(grant: KeptGrant) -> None:
        if away:
            raise OSError("brokers away")
        kept.append(grant)

    keeper = GrantKeeper(publish, lambda text: text.encode(), Granting("1", "", None), lambda: 7)
    with pytest.raises(OSError, match="brokers away"):
        await keeper.keep(GrantedAccess("first", "1"))
    away = False
    await keeper.keep(GrantedAccess("first", "1"))
    assert [grant.refresh_token for grant in kept] == [b"first"]


class OpenedVendor(Vendor):
    """Notes the refresh token that it is opened with."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[str | None] = []

    def opened(self, opening: Opening) -> None:
        self.given.append(opening.secrets.get("refresh_token"))


@pytest.mark.parametrize(
    ("in_file", "kept", "given"),
    [
        (b"", None, "of an earlier build"),
        (b"", KeptGrant(WELL, b"granted"), "granted"),
        (b"file", KeptGrant(WELL, b"granted", origin=fingerprint("file")), "granted"),
        (b"newer file", KeptGrant(WELL, b"granted", origin=fingerprint("file")), "newer file"),
    ],
)
async def test_an_account_is_opened_with_the_newest_token(
    members: list[Member], in_file: bytes, kept: KeptGrant | None, given: str
) -> None:
    vendor = OpenedVendor()
    async with running(members, {WELL: vendor}) as it:
        await until(lambda: bool(vendor.given))
        rows = it.tables.tables[INTEGRATIONS]
        state = ConnectorState(1, 1, 1, "ok", grant=b"of an earlier build")
        rows[f"{WELL}/userflow"] = IntegrationPart(WELL, connector=state)
        if kept is not None:
            rows[f"{WELL}/userflow/grant"] = IntegrationPart(WELL, grant=kept)
        settings = settings_part(WELL, secret=b"another key").settings
        assert settings is not None
        secrets = {**settings.userflow.secrets, **({"refresh_token": in_file} if in_file else {})}
        changed = replace(settings, userflow=replace(settings.userflow, secrets=secrets))
        rows[f"{WELL}/settings"] = IntegrationPart(WELL, settings=changed)
        it.runner.configuration_changed()
        await until(lambda: len(vendor.given) > 1)
        assert vendor.given[-1] == given


class GivenUp(OpenedVendor):
    """Notes with which token it was opened when a grant was given up."""

    def __init__(self) -> None:
        super().__init__()
        self.given_up: list[str | None] = []

    async def give_up(self) -> None:
        self.given_up.append(self.given[-1])


async def test_access_that_nobody_keeps_is_given_up_by_its_own_token(members: list[Member]) -> None:
    vendor = GivenUp()
    async with running(members, {WELL: vendor}) as it, asyncio.timeout(10):
        await it.publisher.state()
        settings = settings_part(WELL).settings
        assert settings is not None
        await it.runner._opener.give_back(WELL, settings, settings.userflow, GrantedAccess("never-kept"))
    assert vendor.given_up == ["never-kept"]
