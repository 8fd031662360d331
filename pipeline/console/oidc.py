"""Single sign-on by OpenID Connect: the code flow with PKCE and a nonce, as values; nothing is sent from here.

What was begun stands in a cookie of the browser that began it, so that the answer is taken from nobody else, and no
console has to remember it. https://openid.net/specs/openid-connect-core-1_0.html, sections 3.1.2 and 3.1.3.7
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from connectors.http.addresses import is_loopback
from connectors.http.messages import FORM_CONTENT, Request, Response
from pipeline.console.access import RANKS
from schemas.operating import ConsoleRole

ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "Ed25519", "EdDSA"),
)
"""Signatures by a key that the provider alone has; with `none`, or a shared secret, anybody could make one."""
SCOPES: Final = "openid email profile"
CALLBACK: Final = "/sign-in/oidc/callback"
DISCOVERY: Final = "/.well-known/openid-configuration"
LEEWAY_S: Final = 60
EVERYBODY: Final = "*"


class NotTrusted(Exception):
    """What the provider, or whoever poses as it, said is not taken; the message says why, for the log."""


@dataclass(frozen=True, slots=True)
class Provider:
    """Who says who somebody is, and what its groups may."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    roles: Mapping[str, ConsoleRole]  # by group; `*`: everybody whom the provider knows
    groups_claim: str = "groups"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the provider answers."""

    authorization: str
    token: str
    keys: str


@dataclass(frozen=True, slots=True)
class Begun:
    """One sign-in on its way."""

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)

    @classmethod
    def new(cls) -> "Begun":
        return cls(*(secrets.token_urlsafe(32) for _ in range(3)))

    @classmethod
    def of(cls, cookie: str, state: str) -> "Begun":
        """The sign-in that this browser began. Raises NotTrusted where it began none with that state."""
        parts = cookie.split(".")
        if len(parts) != 3 or not hmac.compare_digest(parts[0].encode(), state.encode()):
            raise NotTrusted("this browser began no such sign-in")
        return cls(*parts)

    @property
    def cookie(self) -> str:
        return f"{self.state}.{self.nonce}.{self.verifier}"


def endpoints(provider: Provider, document: Mapping[str, Any]) -> Endpoints:  # Any: JSON
    """From the provider's discovery document. Raises NotTrusted for another's, or one that would be asked in clear."""
    if document.get("issuer") != provider.issuer:
        raise NotTrusted(f"the document at {provider.issuer}{DISCOVERY} is of another issuer")
    urls = [document.get(name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
    for url in urls:
        if not isinstance(url, str) or not (url.startswith("https://") or is_loopback(url)):
            raise NotTrusted("its document names an endpoint that is not https")
    return Endpoints(*map(str, urls))


def authorize_url(provider: Provider, where: Endpoints, begun: Begun, console_url: str) -> str:
    """Where the browser goes."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(begun.verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": console_url + CALLBACK,
        "scope": SCOPES,
        "state": begun.state,
        "nonce": begun.nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    return f"{where.authorization}{'&' if urlsplit(where.authorization).query else '?'}{urlencode(asked)}"


def token_request(provider: Provider, code: str, begun: Begun, console_url: str) -> Request:
    """Below the token endpoint: the code for an identity."""
    basic = f"{quote(provider.client_id, safe='')}:{quote(provider.client_secret, safe='')}"
    sent = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": console_url + CALLBACK,
        "code_verifier": begun.verifier,
    }
    headers = (
        ("content-type", FORM_CONTENT),
        ("authorization", f"Basic {base64.b64encode(basic.encode()).decode()}"),
    )
    return Request("POST", "", headers=headers, body=urlencode(sent).encode(), kind="write", authorized=False)


def answered(response: Response) -> Mapping[str, Any]:
    """The provider's JSON. Raises NotTrusted for anything else; its words may name a code, so they are not repeated."""
    try:
        told = json.loads(response.body)
    except ValueError:
        told = None
    if response.status != 200 or not isinstance(told, dict):
        raise NotTrusted(f"the provider answered {response.status}")
    return told


def claims(provider: Provider, id_token: object, keys: Mapping[str, Any], nonce: str, now_s: int) -> Mapping[str, Any]:
    """What the provider says of whoever signed in. Raises NotTrusted."""
    if not isinstance(id_token, str):
        raise NotTrusted("there is no identity in the answer")
    wanted = jwt.JWTClaimsRegistry(
        now=now_s,
        leeway=LEEWAY_S,
        iss={"essential": True, "value": provider.issuer},
        aud={"essential": True, "value": provider.client_id},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
        nonce={"essential": True, "value": nonce},
    )
    try:
        token = jwt.decode(id_token, KeySet.import_key_set(dict(keys)), list(ALGORITHMS))  # type: ignore[arg-type]
        wanted.validate(token.claims)
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise NotTrusted(f"the identity is not taken: {type(error).__name__}") from None
    several = isinstance(token.claims["aud"], list) and len(token.claims["aud"]) > 1
    if several and token.claims.get("azp") != provider.client_id:
        raise NotTrusted("the identity was made for another application")
    return token.claims


def role_of(provider: Provider, told: Mapping[str, Any]) -> ConsoleRole | None:
    """The most that the groups permit; None where no group is listed."""
    groups = told.get(provider.groups_claim)
    names = groups if isinstance(groups, list) else [groups]
    found = {role for group, role in provider.roles.items() if group == EVERYBODY or group in names}
    return max(found, key=RANKS.index, default=None)


def name_of(told: Mapping[str, Any]) -> str:
    """Whose it is, for the audit; an address that the provider did not see to be theirs is nobody's name."""
    names = ("email", "preferred_username", "name", "sub")
    found = (told.get(name) for name in names if name != "email" or told.get("email_verified") is not False)
    return next(str(name)[:200] for name in found if name)
