"""One request as a page sees it: who asks, what the form says, and what is answered."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request

from pipeline.console.access import SignedIn
from pipeline.console.asking import ASKED_BY, asked_from
from pipeline.console.desk import Desk
from pipeline.console.form import Form
from pipeline.console.looks import hidden_again
from schemas.operating import AuditEntry
from schemas.topics import AUDIT

FORM_BYTES: Final = 190_000  # a mapping of 700 fields; the server takes 200,000
FORM_FIELDS: Final = 5_000
FORM_S: Final = 20.0
"""So long a form may take to come: an exchange may last for minutes here, since a page's stream is one."""
TOKEN: Final = "form_token"  # noqa: S105 - a field's name


@dataclass(frozen=True, slots=True)
class Visit:
    """A request of somebody who is signed in, and may ask it."""

    desk: Desk
    request: Request
    who: SignedIn
    form: Form = field(default_factory=Form)

    @property
    def integration(self) -> str:
        return str(self.request.path_params.get("integration", ""))

    def query(self, name: str) -> str:
        return self.request.query_params.get(name, "")

    def acted_on(self, name: str, path: str) -> None:
        """What has that name is over; who asks for it again is led to the path."""
        self.desk.acted.led(self.who.key, self.integration, name, path)

    def over(self, name: str, unless_acted_on: "NotHere") -> "NotHere":
        """Why there is nothing of that name."""
        path = self.desk.acted.path(self.who.key, self.integration, name)
        return unless_acted_on if path is None else Elsewhere(path)

    async def audit(self, action: str, detail: str) -> None:
        """Record what is asked for here; it is with the brokers when this returns."""
        entry = AuditEntry(self.desk.now_ms(), self.integration, action, ASKED_BY.get(), asked_from(), detail)
        await self.desk.publisher.send(AUDIT, self.integration, entry)


@dataclass(frozen=True, slots=True)
class Shown:
    """A page: a template and what it is made of; its blocks `live_<name>` are told anew as they change."""

    template: str
    # Any: what a template takes
    facts: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    large: bool = False  # written in a thread: the event loop, which serves everybody, goes on meanwhile

    def for_a_minute(self, path: str) -> "Shown":
        """The same with values, which the page at that path ends."""
        return replace(self, headers=hidden_again(path))


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file for a spreadsheet: ids and codes, never values."""

    name: str  # of the file, without its ending
    rows: Iterable[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Gone:
    """Elsewhere: what a form that was carried out answers."""

    path: str


@dataclass(frozen=True, slots=True)
class Answered:
    """What a script is told, as JSON."""

    # Any: JSON
    told: Mapping[str, Any]


class NotHere(Exception):
    """There is no such page; the message says what is not there, `nearest` what is, at `path`.

    `meant`: it is a name that is much like what was asked for.
    """

    def __init__(self, what: str, nearest: str = "", path: str = "", *, meant: bool = False) -> None:
        super().__init__(what)
        self.nearest = nearest
        self.path = path
        self.meant = meant


class Elsewhere(NotHere):
    """It is over, and has led to `path`."""

    def __init__(self, path: str) -> None:
        super().__init__("It is over", path=path)


async def form_of(request: Request, most: int = FORM_BYTES, within_s: float = FORM_S) -> Form | None:
    """The form of a request; None for one of more than `most` bytes, one that does not come in time, or none."""
    body = b""
    try:
        async with asyncio.timeout(within_s):
            async for part in request.stream():
                body += part
                if len(body) > most:
                    return None
    except (TimeoutError, ClientDisconnect):
        return None
    try:
        return Form(tuple(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FORM_FIELDS)))
    except ValueError:
        return None
