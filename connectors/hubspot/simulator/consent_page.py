"""The page at which a person grants the app access to an account, in the simulated HubSpot."""

from collections.abc import Callable, Mapping
from html import escape
from typing import Final
from urllib.parse import urlencode

from starlette.routing import Route

from connectors.hubspot.simulator.endpoints import Asked, route
from connectors.hubspot.simulator.oauth import Granted, Tokens
from connectors.hubspot.simulator.settings import HubSpotSettings
from connectors.simulation.calls import Answer

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Simulated HubSpot: connect an app</title></head>
<body><h1>Simulated HubSpot</h1><p>An app asks for access to:</p><ul>{scopes}</ul>
<form method="get" action="/oauth/authorize/decision">{hidden}
{buttons}
<button name="decision" value="deny">Cancel</button></form></body></html>
"""
_ASKED: Final = ("client_id", "redirect_uri", "scope", "state", "code_challenge", "code_challenge_method")


class ConsentPage:
    """Shows what the app asks for, and sends the person back with a code or an error."""

    def __init__(self, settings: Callable[[], HubSpotSettings], tokens: Tokens) -> None:
        self._settings, self._tokens = settings, tokens

    def routes(self) -> list[Route]:
        """Routes at canonical paths."""
        return [
            route("GET", "/oauth/authorize", self._authorize),
            route("GET", "/oauth/authorize/decision", self._decided),
        ]

    async def _authorize(self, asked: Asked) -> Answer:
        settings, query = self._settings(), asked.query
        if query.get("client_id") != settings.oauth_client_id or not query.get("redirect_uri"):
            return _html(400, "<p>Authorization failed: unknown app, or no redirect URL.</p>")
        if settings.pkce_required and query.get("code_challenge_method") != "S256":
            return _html(400, "<p>Authorization failed because the code challenge parameter is missing.</p>")
        if settings.authorize != "page":
            return self._sent_back(query, str(settings.portal_id) if settings.authorize == "allow" else "deny")
        hidden = "".join(
            f'<input type="hidden" name="{name}" value="{escape(query.get(name, ""))}">' for name in _ASKED
        )
        accounts = (settings.portal_id, *settings.other_accounts)
        buttons = "\n".join(
            f'<button name="decision" value="{account}">Connect account {account}</button>' for account in accounts
        )
        scopes = "".join(f"<li>{escape(scope)}</li>" for scope in query.get("scope", "").split())
        return _html(200, _PAGE.format(scopes=scopes, hidden=hidden, buttons=buttons))

    async def _decided(self, asked: Asked) -> Answer:
        return self._sent_back(asked.query, asked.query.get("decision", "deny"))

    def _sent_back(self, query: Mapping[str, str], decision: str) -> Answer:
        """`decision`: the account that was chosen, or `deny`."""
        back = {"state": query.get("state", "")}
        if decision == "deny":
            back |= {"error": "access_denied", "error_description": "The user cancelled"}
        else:
            granted = Granted(int(decision), tuple(query.get("scope", "").split()) or None)
            code = self._tokens.code_for(granted, query["redirect_uri"], query.get("code_challenge") or None)
            back = {"code": code, **back}
        return Answer(302, headers={"location": f"{query['redirect_uri']}?{urlencode(back)}"})


def _html(status: int, body: str) -> Answer:
    return Answer(status, body.encode(), {"content-type": "text/html; charset=utf-8"})
