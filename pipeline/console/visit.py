"""One request as a page sees it: who asks, what the form says, and what is answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from pipeline.console.access import SignedIn
from pipeline.console.desk import Desk

FORM_BYTES: Final = 65_536
FORM_FIELDS: Final = 2_000
TOKEN: Final = "form_token"  # noqa: S105 - a field's name


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form that was sent; each may be there several times."""

    fields: tuple[tuple[str, str], ...] = ()

    def one(self, name: str) -> str:
        """The field's text; empty where there is none."""
        return next((text for key, text in self.fields if key == name), "")

    def several(self, name: str) -> tuple[str, ...]:
        return tuple(text for key, text in self.fields if key == name)


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


@dataclass(frozen=True, slots=True)
class Shown:
    """A page: a template and what it is made of; its blocks `live_<name>` are told anew as they change."""

    template: str
    # Any: what a template takes
    facts: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gone:
    """Elsewhere: what a form that was carried out answers."""

    path: str


class NotHere(Exception):
    """There is no such page; the message says what is not there, `nearest` what may have been meant."""

    def __init__(self, what: str, nearest: str = "", path: str = "") -> None:
        super().__init__(what)
        self.nearest = nearest
        self.path = path


async def form_of(request: Request) -> Form | None:
    """The form of a request; None for one that is too large, or none."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > FORM_BYTES:
            return None
    try:
        return Form(tuple(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FORM_FIELDS)))
    except ValueError:
        return None
