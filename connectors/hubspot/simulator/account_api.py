"""The endpoints of the account itself: details, tokens, uninstalling, and apps' events on timelines."""

from collections.abc import Callable

from starlette.routing import Route

from connectors.hubspot.simulator.endpoints import Asked, batch_answer, page_answer, route
from connectors.hubspot.simulator.errors import ErrorAnswer
from connectors.hubspot.simulator.events import AppEvents, CustomEvents
from connectors.hubspot.simulator.oauth import Tokens
from connectors.hubspot.simulator.settings import HubSpotSettings
from connectors.simulation.calls import Answer, json_answer


class AccountApi:
    """Endpoints that are not about records. `now_ms` is the vendor's clock."""

    def __init__(
        self,
        settings: Callable[[], HubSpotSettings],
        now_ms: Callable[[], int],
        tokens: Tokens,
        app_events: AppEvents,
        custom_events: CustomEvents,
    ) -> None:
        self._settings, self._now_ms, self._tokens = settings, now_ms, tokens
        self._app_events, self._custom_events = app_events, custom_events

    def routes(self) -> list[Route]:
        """Routes at canonical paths."""
        return [
            route("GET", "/account-info/details", self._details),
            route("POST", "/oauth/token", self._token),
            route("POST", "/oauth/token/introspect", self._introspect),
            route("POST", "/oauth/token/revoke", self._revoke),
            route("GET", "/oauth/access-tokens/{token}", self._token_info),
            route("DELETE", "/oauth/refresh-tokens/{token}", self._revoke),
            route("DELETE", "/appinstalls/external-install", self._uninstall),
            route("POST", "/integrators/timeline/events", self._send_app_event),
            route("POST", "/integrators/timeline/events/batch", self._send_app_events),
            route("GET", "/events/event-definitions", self._list_definitions),
            route("POST", "/events/event-definitions", self._define),
            route("GET", "/events/event-definitions/{name}", self._definition),
            route("POST", "/events/event-definitions/{name}/property", self._define_property),
            route("POST", "/events/send", self._send_custom),
            route("POST", "/events/send/batch", self._send_customs),
        ]

    async def _details(self, asked: Asked) -> Answer:
        settings = self._settings()
        details = {
            "portalId": settings.portal_id,
            "accountType": settings.account_type,
            "timeZone": "UTC",
            "companyCurrency": "EUR",
            "additionalCurrencies": [],
            "utcOffset": "+00:00",
            "utcOffsetMilliseconds": 0,
            "uiDomain": "app.hubspot.com",
            "dataHostingLocation": "na1",
        }
        return json_answer(200, details)

    async def _token(self, asked: Asked) -> Answer:
        return self._tokens.grant(asked.form)

    async def _introspect(self, asked: Asked) -> Answer:
        named = (asked.form.get(name) for name in ("token", "access_token", "refresh_token"))
        return json_answer(200, self._tokens.info(next((token for token in named if token), "")))

    async def _token_info(self, asked: Asked) -> Answer:
        state = self._tokens.state(asked.parts["token"])
        if state != "valid":
            raise ErrorAnswer(404, "OBJECT_NOT_FOUND", "access token is invalid or expired")
        return json_answer(200, self._tokens.info(asked.parts["token"]))

    async def _revoke(self, asked: Asked) -> Answer:
        self._tokens.revoke()
        return Answer(204)

    async def _uninstall(self, asked: Asked) -> Answer:
        self._tokens.revoke()
        self._tokens.expire_all()
        return Answer(204)

    async def _send_app_event(self, asked: Asked) -> Answer:
        return json_answer(200, self._app_events.send([asked.body], self._now_ms())[0])

    async def _send_app_events(self, asked: Asked) -> Answer:
        sent = self._app_events.send(asked.inputs(self._settings().timeline_batch_size), self._now_ms())
        return batch_answer(sent, [], self._now_ms())

    async def _list_definitions(self, asked: Asked) -> Answer:
        found = list(self._custom_events.definitions.values())
        return page_answer(found, None, "/events/v3/event-definitions", len(found))

    async def _definition(self, asked: Asked) -> Answer:
        found = self._custom_events.definitions.get(asked.parts["name"])
        if found is None:
            raise ErrorAnswer(404, "OBJECT_NOT_FOUND", f"No event definition named {asked.parts['name']}")
        return json_answer(200, found)

    async def _define(self, asked: Asked) -> Answer:
        return json_answer(201, self._custom_events.define(asked.body, self._now_ms()))

    async def _define_property(self, asked: Asked) -> Answer:
        return json_answer(201, self._custom_events.define_property(asked.parts["name"], asked.body))

    async def _send_custom(self, asked: Asked) -> Answer:
        self._custom_events.send([asked.body], self._now_ms())
        return Answer(204)

    async def _send_customs(self, asked: Asked) -> Answer:
        self._custom_events.send(asked.inputs(500), self._now_ms())
        return Answer(204)
