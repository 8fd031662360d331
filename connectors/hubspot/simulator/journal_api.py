"""The endpoints of the webhooks journal, and the host of its files, which wants no token."""

from collections.abc import Callable

from starlette.routing import Route

from connectors.hubspot.simulator.endpoints import Asked, route
from connectors.hubspot.simulator.errors import ErrorAnswer, invalid
from connectors.hubspot.simulator.journal import Journal, JournalFile
from connectors.hubspot.simulator.settings import HubSpotSettings
from connectors.simulation.calls import Answer, json_answer
from connectors.simulation.clock import iso_z

FILES = "/journal-files/"


class JournalApi:
    """Endpoints over an account's journal."""

    def __init__(self, journal: Journal, settings: Callable[[], HubSpotSettings]) -> None:
        self._journal, self._settings = journal, settings

    def routes(self) -> list[Route]:
        """Routes at canonical paths."""
        journal, subscriptions = "/webhooks-journal/journal-local", "/webhooks-journal/subscriptions"
        return [
            route("GET", journal + "/earliest", self._earliest),
            route("GET", journal + "/latest", self._latest),
            route("GET", journal + "/offset/{offset}/next", self._next),
            route("GET", subscriptions, self._list),
            route("POST", subscriptions, self._put),
            route("DELETE", subscriptions + "/{id}", self._delete),
            route("GET", FILES + "{signature}", self._file),
        ]

    async def _earliest(self, asked: Asked) -> Answer:
        self._check(asked)
        return self._entry(self._journal.earliest(), asked)

    async def _latest(self, asked: Asked) -> Answer:
        self._check(asked)
        return self._entry(self._journal.latest(), asked)

    async def _next(self, asked: Asked) -> Answer:
        self._check(asked)
        return self._entry(self._journal.after(asked.parts["offset"]), asked)

    async def _list(self, asked: Asked) -> Answer:
        return json_answer(200, {"results": self._journal.listed()})

    async def _put(self, asked: Asked) -> Answer:
        return json_answer(200, self._journal.put(asked.body))

    async def _delete(self, asked: Asked) -> Answer:
        self._journal.delete(asked.parts["id"])
        return Answer(204)

    async def _file(self, asked: Asked) -> Answer:
        """As the real host does: the signature in the address is the only key, and a second one is refused."""
        if asked.authorized:
            return Answer(400, b"<Error><Code>InvalidArgument</Code></Error>", {"content-type": "application/xml"})
        file = self._journal.file(asked.parts["signature"])
        if file is None:
            return Answer(403, b"<Error><Code>AccessDenied</Code></Error>", {"content-type": "application/xml"})
        return Answer(200, file.body(), {"content-type": "application/json"})

    def _check(self, asked: Asked) -> None:
        if asked.query.get("installPortalId") != str(self._settings().portal_id):
            raise invalid("installPortalId is not an account of this app")

    def _entry(self, file: JournalFile | None, asked: Asked) -> Answer:
        if file is None:
            return Answer(204)
        signature, ends_ms = self._journal.address(file)
        url = f"{asked.origin}{FILES}{signature}?X-Amz-Signature={signature}%2B"
        return json_answer(200, {"url": url, "expiresAt": iso_z(ends_ms), "currentOffset": file.offset})


def app_only(kind: str) -> bool:
    """Whether an endpoint takes the app's own token, and no account's."""
    return kind.startswith("journal.")


def not_the_apps() -> ErrorAnswer:
    """An account's token at an endpoint of the app."""
    return ErrorAnswer(403, "MISSING_SCOPES", "This endpoint needs a client credentials token.")
