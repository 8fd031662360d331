"""Keeps the refresh tokens of one integration in Kafka, each before it is used, and says which one is the newest."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from connectors.contract.consent import GrantedAccess
from schemas.configuration import KeptGrant

GrantKey = Literal["grant", "trial-grant"]
"""Access in force, or of what an apply tries first: by it the account is opened once that is in force."""

GRANT_KEYS: Final[tuple[GrantKey, ...]] = ("grant", "trial-grant")
_FINGERPRINT: Final = 32  # hexadecimal digits


def fingerprint(refresh_token: str | None) -> str:
    """A text by which a file's refresh token is known again; empty where it has none."""
    return hashlib.sha256(refresh_token.encode()).hexdigest()[:_FINGERPRINT] if refresh_token else ""


@dataclass(frozen=True, slots=True)
class Granting:
    """What access is granted for: a section of settings, as far as grants go."""

    account: str
    client: str  # the client id of its app; empty: the system has no apps
    in_file: str | None  # its file's refresh token

    @property
    def origin(self) -> str:
        """Stands for the token in the file."""
        return fingerprint(self.in_file)


def follows(kept: KeptGrant, wanted: Granting) -> bool:
    """Whether a kept grant is newer than the file's refresh token: it came of that very one, or the file has none.

    A token that was put into the file since is the newer one. Access to another account, or of another app, never
    counts.
    """
    if (kept.account and kept.account != wanted.account) or (kept.client and kept.client != wanted.client):
        return False
    return not wanted.in_file or kept.origin == wanted.origin


def newest(kept: Mapping[GrantKey, KeptGrant], wanted: Granting) -> GrantKey | None:
    """Where the access stands that was granted last; of two alike the one in force, whose token was renewed last.

    Before any other counts what came of the very token that the file names, or of none where it names none, and last
    what a trial made of a token that only its file names: a refused trial leaves its grant behind, and that is newer.
    """

    def rank(key: GrantKey) -> tuple[bool, bool, int]:
        grant = kept[key]
        return grant.origin == wanted.origin, key == "grant" or not grant.origin, grant.granted_at_ms

    return max((key for key in GRANT_KEYS if key in kept and follows(kept[key], wanted)), key=rank, default=None)


class GrantKeeper:
    """Publishes what an account's credentials become; `publish` returns once the brokers have it."""

    def __init__(
        self,
        publish: Callable[[KeptGrant], Awaitable[None]],
        seal: Callable[[str], bytes],
        wanted: Granting,
        now_ms: Callable[[], int],
        kept: tuple[KeptGrant, str] | None = None,
    ) -> None:
        """`kept` is what was opened, with its token, if that was kept."""
        self._publish = publish
        self._seal = seal
        self._wanted = wanted
        self._now_ms = now_ms
        self._kept = kept

    async def keep(self, access: GrantedAccess) -> None:
        """Keep a refresh token that was just given, unless it is known already with its scopes.

        Of the first, where the answer names no account, it is the one that was wanted: without one it would count for
        every account of the app.
        """
        first = KeptGrant(self._wanted.account, b"", origin=self._wanted.origin, granted_at_ms=self._now_ms())
        known, token = self._kept or (first, "")
        account, scopes = access.account or known.account, access.scopes or known.scopes
        if (token, known.account, known.scopes) == (access.refresh_token, account, scopes):
            return
        sealed = known.refresh_token if token == access.refresh_token else self._seal(access.refresh_token)
        grant = replace(known, account=account, refresh_token=sealed, scopes=scopes, client=self._wanted.client)
        await self._publish(grant)
        self._kept = grant, access.refresh_token
