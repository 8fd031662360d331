"""Which refresh token is the newest, and that each is kept before it is used, once."""

import pytest

from connectors.contract.consent import GrantedAccess
from connectors.runtime.grants import GrantKeeper, fingerprint, follows
from schemas.configuration import KeptGrant


@pytest.mark.parametrize(
    ("account", "origin", "in_file", "newest"),
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
def test_the_newest_token_is_known(account: str, origin: str, in_file: str | None, newest: bool) -> None:
    assert follows(KeptGrant(account, b"", origin=origin), "1", in_file) is newest


async def test_what_is_known_is_not_kept_again() -> None:
    kept: list[KeptGrant] = []

    async def publish(grant: KeptGrant) -> None:
        kept.append(grant)

    keeper = GrantKeeper(publish, lambda text: text.encode(), "origin", lambda: 7)
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
    assert {(grant.account, grant.origin, grant.granted_at_ms) for grant in kept} == {("1", "origin", 7)}
    again = GrantKeeper(publish, lambda text: text.encode(), "origin", lambda: 8, (kept[-1], "second"))
    await again.keep(GrantedAccess("second", "1", ("oauth", "timeline")))
    assert len(kept) == 3


async def test_a_token_that_could_not_be_kept_is_kept_at_the_next_time() -> None:
    kept: list[KeptGrant] = []
    away = True

    async def publish(grant: KeptGrant) -> None:
        if away:
            raise OSError("brokers away")
        kept.append(grant)

    keeper = GrantKeeper(publish, lambda text: text.encode(), "", lambda: 7)
    with pytest.raises(OSError, match="brokers away"):
        await keeper.keep(GrantedAccess("first", "1"))
    away = False
    await keeper.keep(GrantedAccess("first", "1"))
    assert [grant.refresh_token for grant in kept] == [b"first"]
