"""HTTP answers as bytes, right ones and such as no server should send."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any, Final

DRIP_BYTES: Final = 1


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came, and what the simulator answered to it."""

    method: str
    target: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def content(self) -> Any:
        """The simulator's answer as JSON; None where it has none."""
        return json.loads(self.body) if self.body[:1] in (b"{", b"[") else None


@dataclass(frozen=True, slots=True)
class Reply:
    """The bytes of an answer; what follows `reset` never comes, `drip_s` passes between one byte and the next."""

    raw: bytes
    reset: bool = False
    drip_s: float = 0.0


Header = tuple[str, str | bytes]


def reply(status: int, body: bytes, *headers: Header, length: int | None = None, **how: Any) -> Reply:
    """A whole answer, dated now unless `headers` have a date; `length` replaces the true one."""
    named = {name.lower() for name, _ in headers}
    common: list[Header] = [("Content-Length", str(len(body) if length is None else length))]
    if "date" not in named:
        common.append(("Date", formatdate(usegmt=True)))
    if "content-type" not in named:
        common.append(("Content-Type", "application/json"))
    lines = [f"HTTP/1.1 {status} Whatever".encode()]
    for name, value in (*common, *headers):
        lines.append(name.encode() + b": " + (value if isinstance(value, bytes) else value.encode("latin-1")))
    return Reply(b"\r\n".join(lines) + b"\r\n\r\n" + body, **how)


def honest(asked: Asked, *headers: Header) -> Reply:
    """The simulator's answer, with headers on top or in place of its own."""
    own = {"content-length", *(name.lower() for name, _ in headers)}
    return reply(
        asked.status, asked.body, *(one for one in asked.headers.items() if one[0].lower() not in own), *headers
    )


def changed(asked: Asked, content: Any) -> Reply:
    """The simulator's answer with other content."""
    return reply(asked.status, json.dumps(content).encode())
