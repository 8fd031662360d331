"""Who may come in: one-time links and sessions, kept on `sync.console` by the hashes of their secrets."""

import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from connectors.kafka.table import until_read
from schemas.operating import ConsoleAccess, ConsoleRole
from schemas.topics import CONSOLE

LINK_MS: Final = 10 * 60 * 1000
SESSION_MS: Final = 12 * 60 * 60 * 1000
IDLE_MS: Final = 2 * 60 * 60 * 1000
DAY_MS: Final = 24 * 60 * 60 * 1000
MOST_DAYS: Final = 366
TOKEN_PREFIX: Final = "pst_"  # noqa: S105 - the beginning of any
"""So that scanners of repositories know one."""
RANKS: Final[tuple[ConsoleRole, ...]] = ("viewer", "operator", "admin")
SIGN_IN: Final = "/sign-in"

Why = Literal["unknown", "used", "late"]
Rows = Mapping[str, ConsoleAccess]
Send = Callable[[str, ConsoleAccess | None], Awaitable[object]]
"""Writes a row by its key; None deletes it."""


class NotSignedIn(Exception):
    """The link or code opens nothing."""

    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class NewAccess:
    """A link, session or token that was just made; `secret` stands nowhere else."""

    key: str
    row: ConsoleAccess
    secret: str = field(repr=False)

    def url(self, console_url: str) -> str:
        """Where the link leads. What follows `#` reaches no server, log or proxy."""
        return f"{console_url}{SIGN_IN}#{self.secret}"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who asks: a session in force."""

    key: str
    role: ConsoleRole
    name: str
    form_token: str = field(repr=False)  # stands in each form of this session, and in no other's

    def may(self, role: ConsoleRole) -> bool:
        """Whether this role permits what that one does."""
        return RANKS.index(self.role) >= RANKS.index(role)


def hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def new_link(role: ConsoleRole, name: str, now_ms: int) -> NewAccess:
    """A one-time link."""
    secret = secrets.token_urlsafe(32)
    return NewAccess(f"link/{hashed(secret)}", ConsoleAccess("link", role, name, now_ms, now_ms + LINK_MS), secret)


def new_token(name: str, now_ms: int, days: int) -> NewAccess:
    """What lets a script read what a viewer sees."""
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    row = ConsoleAccess("token", "viewer", name, now_ms, now_ms + days * DAY_MS)
    return NewAccess(f"token/{hashed(secret)}", row, secret)


def over(rows: Rows, now_ms: int) -> list[str]:
    """Keys of rows that open nothing any more."""
    return [key for key, row in rows.items() if row.ends_at_ms <= now_ms]


class Access:
    """The links and sessions of one console."""

    def __init__(self, rows: Callable[[], Rows], send: Send, now_ms: Callable[[], int]) -> None:
        self._rows = rows
        self._send = send
        self._now_ms = now_ms
        self._claims: dict[str, str] = {}  # link -> the claim that stands first on the topic
        self._seen: dict[str, int] = {}  # session -> when it last asked; not kept over a restart

    def changed(self, topic: str, key: str, row: Any) -> None:
        """For every row in the order of the topic, on the table's thread."""
        if topic == CONSOLE and isinstance(row, ConsoleAccess) and row.claimed_by:
            self._claims.setdefault(key, row.claimed_by)

    async def sign_in(self, secret: str) -> NewAccess:
        """Use a link up, and begin a session. Raises NotSignedIn.

        Of two that use one link at once, in whichever processes, the one whose claim stands first gets in.
        """
        key = f"link/{hashed(secret)}"
        row = self._rows().get(key)
        if row is None:
            raise NotSignedIn("unknown")
        if row.claimed_by:
            raise NotSignedIn("used")
        if row.ends_at_ms <= self._now_ms():
            raise NotSignedIn("late")
        claim = secrets.token_hex(8)
        await self._send(key, replace(row, claimed_by=claim))
        await until_read(CONSOLE, lambda: key in self._claims)
        if self._claims[key] != claim:
            raise NotSignedIn("used")
        return await self.begin(row.role, row.name)

    async def begin(self, role: ConsoleRole, name: str) -> NewAccess:
        """Begin a session for somebody who was let in."""
        now_ms = self._now_ms()
        for key in over(self._rows(), now_ms):
            await self._send(key, None)
        secret = secrets.token_urlsafe(32)
        row = ConsoleAccess("session", role, name, now_ms, now_ms + SESSION_MS)
        session = NewAccess(f"session/{hashed(secret)}", row, secret)
        await self._send(session.key, row)
        await until_read(CONSOLE, lambda: session.key in self._rows())
        self._seen[session.key] = now_ms
        return session

    def session(self, secret: str, *, wakes: bool = True) -> SignedIn | None:
        """Whose cookie it is; None where it opens nothing. Without `wakes` the session grows idle all the same."""
        key, now_ms = f"session/{hashed(secret)}", self._now_ms()
        row = self._rows().get(key)
        if row is None or row.kind != "session" or row.ends_at_ms <= now_ms or row.role not in RANKS:
            return None
        if self._is_idle(key):
            return None
        if wakes:
            self._seen[key] = now_ms
        token = hmac.new(secret.encode(), b"pairstream console form", hashlib.sha256).hexdigest()
        return SignedIn(key, row.role, row.name, token)

    def token(self, secret: str) -> SignedIn | None:
        """Whose token it is; None where it opens nothing. It has no form token: with it nothing is changed."""
        key = f"token/{hashed(secret)}"
        row = self._rows().get(key)
        if row is None or row.kind != "token" or row.ends_at_ms <= self._now_ms() or row.role not in RANKS:
            return None
        return SignedIn(key, row.role, row.name, "")

    async def make_token(self, name: str, days: int) -> NewAccess:
        """A token that works from now on."""
        made = new_token(name, self._now_ms(), days)
        await self._send(made.key, made.row)
        await until_read(CONSOLE, lambda: made.key in self._rows())
        return made

    async def end(self, key: str) -> ConsoleAccess | None:
        """End a session or token, here and in every other console; None where there is none."""
        row = self._rows().get(key)
        if row is None or row.kind not in ("session", "token"):
            return None
        await self._send(key, None)
        await until_read(CONSOLE, lambda: key not in self._rows())
        self._seen.pop(key, None)
        return row

    def goes_on(self, signed_in: SignedIn) -> bool:
        """Whether the session is still in force; looking does not keep it awake."""
        row = self._rows().get(signed_in.key)
        return row is not None and row.ends_at_ms > self._now_ms() and not self._is_idle(signed_in.key)

    def _is_idle(self, key: str) -> bool:
        """A session that was never seen here begins to count now."""
        now_ms = self._now_ms()
        return now_ms - self._seen.setdefault(key, now_ms) > IDLE_MS

    async def sign_out(self, signed_in: SignedIn) -> None:
        """End the session, here and in every other console."""
        await self._send(signed_in.key, None)
        await until_read(CONSOLE, lambda: signed_in.key not in self._rows())
        self._seen.pop(signed_in.key, None)
