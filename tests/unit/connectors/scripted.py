"""A transport whose answers a test makes: for what no simulator answers."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from connectors.http.messages import Headers, Request, Response

DATE = "Tue, 15 Nov 2022 08:12:31 GMT"


def answer(body: object, status: int = 200) -> Response:
    """An answer with a date; a body of bytes as it is, any other as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status, Headers({"date": DATE}.items()), raw)


@dataclass
class Scripted:
    """Answers each request as the script does, and keeps it."""

    script: Callable[[Request], Response]
    sent: list[Request] = field(default_factory=list)

    async def send(self, request: Request) -> Response:
        self.sent.append(request)
        return self.script(request)

    def stop(self) -> None:
        """Nobody stops it."""

    async def aclose(self) -> None:
        """Nothing is open."""
