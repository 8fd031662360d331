"""Keeps the refresh tokens of one integration in Kafka, each before it is used, and says which one is the newest."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final, Literal

from connectors.contract.consent import GrantedAccess
from schemas.configuration import KeptGrant

GrantKey = Literal["grant", "trial-grant"]
"""Access in force, or of an account that an apply tries first: by it the account is opened once it is in force."""

GRANT_KEYS: Final[tuple[GrantKey, ...]] = ("grant", "trial-grant")
_FINGERPRINT: Final = 32  # hexadecimal digits


def fingerprint(refresh_token: str | None) -> str:
    """A text by which a file's refresh token is known again; empty where it has none."""
    return hashlib.sha256(refresh_token.encode()).hexdigest()[:_FINGERPRINT] if refresh_token else ""


def follows(kept: KeptGrant, account: str, in_file: str | None) -> bool:
    """Whether a kept grant is newer than the file's refresh token: it came of that very one, or the file has none.

    A token that was put into the file since is the newer one. Access to another account never counts.
    """
    if kept.account and kept.account != account:
        return False
    return not in_file or kept.origin == fingerprint(in_file)


class GrantKeeper:
    """Publishes what an account's credentials become; `publish` returns once the brokers have it."""

    def __init__(
        self,
        publish: Callable[[KeptGrant], Awaitable[None]],
        seal: Callable[[str], bytes],
        origin: str,
        now_ms: Callable[[], int],
        kept: tuple[KeptGrant, str] | None = None,
    ) -> None:
        """`origin` stands for the token in the file; `kept` is what was opened, with its token, if that was kept."""
        self._publish = publish
        self._seal = seal
        self._origin = origin
        self._now_ms = now_ms
        self._kept = kept

    async def keep(self, access: GrantedAccess) -> None:
        """Keep a refresh token that was just given, unless it is known already with its scopes."""
        known, token = self._kept or (KeptGrant("", b"", origin=self._origin, granted_at_ms=self._now_ms()), "")
        account, scopes = access.account or known.account, access.scopes or known.scopes
        if (token, known.account, known.scopes) == (access.refresh_token, account, scopes):
            return
        sealed = known.refresh_token if token == access.refresh_token else self._seal(access.refresh_token)
        grant = replace(known, account=account, refresh_token=sealed, scopes=scopes)
        await self._publish(grant)
        self._kept = grant, access.refresh_token
