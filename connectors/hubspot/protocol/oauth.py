"""Tokens and the account behind them.

Follows HubSpot's guides "manage OAuth tokens" and "account information".
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from connectors.contract.errors import CredentialsRejected, Misconfigured, Transient
from connectors.http.answers import content
from connectors.http.lenient_json import JsonObject, as_object, flag_at, parsed, text_at, texts_at, whole_at
from connectors.http.messages import Call, Request, Response, form_request
from connectors.hubspot.protocol.answers import accept, call
from connectors.hubspot.protocol.paths import ACCOUNT, OAUTH

AUTHORIZE_URL = "https://app.hubspot.com/oauth/authorize"
"""The page at which people grant access; accounts in other regions are led on from there."""
ACCESS_TOKEN_LIFE_S = 1_800


@dataclass(frozen=True, slots=True)
class OAuthApp:
    """The app that asks for access."""

    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Grant:
    """The answer to a token request; store `refresh_token`, which may differ from the one sent."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in_s: int = ACCESS_TOKEN_LIFE_S
    account: str | None = None
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """HubSpot's description of an OAuth token."""

    active: bool
    account: str | None = None
    app_id: str | None = None
    scopes: tuple[str, ...] = ()
    expires_in_s: int | None = None


@dataclass(frozen=True, slots=True)
class TokenAccount:
    """The account of a token; `type` is a word such as STANDARD or DEVELOPER_TEST."""

    id: str
    type: str = ""


def authorize_url(
    page: str, client_id: str, redirect_uri: str, state: str, scopes: Sequence[str], challenge: str | None = None
) -> str:
    """The address where a person grants access in a browser; `challenge` is PKCE's, by SHA-256.

    HubSpot documents `code_verifier` for the token alone; its page asks some apps for a challenge (reported by users).
    """
    query = {"client_id": client_id, "redirect_uri": redirect_uri, "scope": " ".join(scopes), "state": state}
    if challenge is not None:
        query |= {"code_challenge": challenge, "code_challenge_method": "S256"}
    return f"{page}?{urlencode(query, quote_via=quote)}"


def exchange_code(app: OAuthApp, code: str, redirect_uri: str, verifier: str | None = None) -> Call[Grant]:
    """The first tokens, for the code that the browser returns; a code works once."""
    form = _form(app, "authorization_code") | {"code": code, "redirect_uri": redirect_uri}
    return _grant_call(form if verifier is None else form | {"code_verifier": verifier})


def refresh_token(app: OAuthApp, token: str) -> Call[Grant]:
    """A new access token; raises CredentialsRejected if the grant was revoked."""
    return _grant_call(_form(app, "refresh_token") | {"refresh_token": token})


def revoke_token(app: OAuthApp, refresh_token: str) -> Call[None]:
    """Give up a grant: its refresh token counts no more, access tokens live on for their half hour.

    Raises CredentialsRejected where it was given up before.
    """
    request = form_request(f"{OAUTH}/revoke", _token_form(app, "refresh_token", refresh_token), "write")
    return Call(request, _accept, "control")


def client_credentials(app: OAuthApp, scopes: Sequence[str]) -> Call[Grant]:
    """A token of the app itself, for its journal; raises CredentialsRejected if the app may not have these scopes."""
    return _grant_call(_form(app, "client_credentials") | {"scope": " ".join(scopes)})


def introspect_token(app: OAuthApp, access_token: str) -> Call[TokenInfo]:
    """The permissions of an OAuth access token; HubSpot has no such call for static tokens."""
    request = form_request(f"{OAUTH}/introspect", _token_form(app, "access_token", access_token), "read")

    def parse(response: Response) -> TokenInfo:
        _accept(response)
        return _token_info(response)

    return Call(request, parse, "control")


def account_details() -> Call[TokenAccount]:
    """The account of the current token."""
    return call(Request("GET", ACCOUNT), _account, "control")


def _form(app: OAuthApp, grant_type: str) -> dict[str, str]:
    return {"grant_type": grant_type, "client_id": app.client_id, "client_secret": app.client_secret}


def _token_form(app: OAuthApp, kind: str, token: str) -> dict[str, str]:
    """The form of a call about one token, which stands in it as `token` and under its kind."""
    return {
        "client_id": app.client_id,
        "client_secret": app.client_secret,
        "token_type_hint": kind,
        "token": token,
        kind: token,
    }


def _grant_call(form: dict[str, str]) -> Call[Grant]:
    def parse(response: Response) -> Grant:
        _accept(response)
        return _grant(response, form.get("refresh_token", ""))

    return Call(form_request(OAUTH, form, "read"), parse, "control")


def _accept(response: Response) -> None:
    """The token endpoint rejects a grant or app by a 400 or 401 with a body of its own form."""
    if response.status in (400, 401):
        error = as_object(parsed(response.body))
        if text_at(error, "error") in ("invalid_client", "unauthorized_client"):
            raise Misconfigured("oauth_app_rejected", status=response.status)
        raise CredentialsRejected("grant_rejected", status=response.status)
    accept(response, "read")


def _grant(response: Response, sent: str) -> Grant:
    raw = content(response)
    access = text_at(raw, "access_token")
    if not access:
        raise Transient("unreadable_answer", status=response.status)
    return Grant(
        access,
        text_at(raw, "refresh_token") or sent,
        max(whole_at(raw, "expires_in") or 0, 0) or ACCESS_TOKEN_LIFE_S,
        text_at(raw, "hub_id"),
        _scopes(raw),
    )


def _scopes(raw: JsonObject) -> tuple[str, ...]:
    """As a list, or as OAuth itself has them: one text under `scope`."""
    told = texts_at(raw, "scopes") or texts_at(raw, "scope")
    return tuple(scope for text in told for scope in text.replace(",", " ").split())


def _token_info(response: Response) -> TokenInfo:
    raw = content(response)
    return TokenInfo(
        flag_at(raw, "active") or raw.get("active") is None,  # which the token that it was just given with is
        text_at(raw, "hub_id"),
        text_at(raw, "app_id"),
        _scopes(raw),
        whole_at(raw, "expires_in"),
    )


def _account(response: Response) -> TokenAccount:
    raw = content(response)
    id = text_at(raw, "portalId")
    if not id:
        raise Transient("unreadable_answer", status=response.status)
    return TokenAccount(id, text_at(raw, "accountType") or "")
