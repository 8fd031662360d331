"""The simulated account's tokens: granted, refreshed, described, checked."""

import base64
import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from connectors.hubspot.simulator.journal import JOURNAL_SCOPES
from connectors.hubspot.simulator.settings import HubSpotSettings
from connectors.simulation.calls import Answer, Json, json_answer

DEFAULT_SCOPES = (
    "oauth",
    "crm.objects.contacts.read",
    "crm.objects.contacts.write",
    "crm.objects.companies.read",
    "crm.objects.companies.write",
    "crm.objects.deals.read",
    "crm.objects.deals.write",
    "crm.objects.custom.read",
    "crm.objects.custom.write",
    "crm.schemas.contacts.read",
    "crm.schemas.contacts.write",
    "crm.schemas.companies.read",
    "crm.schemas.companies.write",
    "crm.schemas.deals.read",
    "crm.schemas.deals.write",
    "crm.schemas.custom.read",
    "tickets",
    "timeline",
)


CODE_LIFE_MS = 600_000


@dataclass(frozen=True)
class Granted:
    """Access that a person granted: to which account, and to what; `scopes` None: whatever the settings say."""

    account: int
    scopes: tuple[str, ...] | None = None


@dataclass(frozen=True)
class AccessToken:
    """A granted token and its end by the vendor's clock."""

    granted: Granted
    expires_ms: float
    of_app: bool = False  # the app's own, of no account


@dataclass(frozen=True)
class Code:
    """What the browser carries back: good for one exchange, by who holds the verifier of its challenge."""

    granted: Granted
    redirect_uri: str
    challenge: str | None
    expires_ms: float


class Tokens:
    """Every token issued; `now_ms` is the vendor's clock."""

    def __init__(self, settings: Callable[[], HubSpotSettings], now_ms: Callable[[], int], rng: random.Random) -> None:
        self._settings, self._now_ms, self._rng = settings, now_ms, rng
        self._access: dict[str, AccessToken] = {}
        self._refresh: dict[str, Granted] = {}  # those issued that hold; the settings' one holds beside them
        self._spent: set[str] = set()  # refresh tokens that were rotated or revoked
        self._codes: dict[str, Code] = {}

    def state(self, token: str) -> str:
        """`static`, `valid`, `app`, `expired` or `unknown`."""
        if token in self._settings().static_tokens:
            return "static"
        access = self._access.get(token)
        if access is None:
            return "unknown"
        if access.expires_ms <= self._now_ms():
            return "expired"
        return "app" if access.of_app else "valid"

    def scopes(self, token: str) -> tuple[str, ...] | None:
        """What a token may do; None: everything."""
        access = self._access.get(token)
        return self._settings().scopes if access is None or access.granted.scopes is None else access.granted.scopes

    def expire_all(self) -> None:
        """End every access token now."""
        self._access = {text: replace(token, expires_ms=0) for text, token in self._access.items()}

    def code_for(self, granted: Granted, redirect_uri: str, challenge: str | None) -> str:
        """The code of a person who agreed."""
        text = f"code-{self._rng.getrandbits(96):024x}"
        self._codes[text] = Code(granted, redirect_uri, challenge, self._now_ms() + CODE_LIFE_MS)
        return text

    def grant(self, form: Mapping[str, str]) -> Answer:
        """The answer of the token endpoint."""
        settings = self._settings()
        if (form.get("client_id"), form.get("client_secret")) != (
            settings.oauth_client_id,
            settings.oauth_client_secret,
        ):
            return _refused("invalid_client", "BAD_CLIENT_SECRET", "missing or invalid client id or secret")
        match form.get("grant_type"):
            case "refresh_token":
                return self._refreshed(form.get("refresh_token", ""))
            case "authorization_code":
                return self._exchanged(form)
            case "client_credentials":
                return self._grant_app(form.get("scope", "").split())
            case _:
                return _refused("unsupported_grant_type", "BAD_GRANT_TYPE", "unknown grant type")

    def _grant_app(self, scopes: Sequence[str]) -> Answer:
        """A token of the app, which has no refresh token and no account."""
        settings = self._settings()
        allowed = (*JOURNAL_SCOPES, *DEFAULT_SCOPES) if settings.app_scopes is None else settings.app_scopes
        if not scopes or not set(scopes) <= set(allowed):
            return _refused("invalid_scope", "BAD_SCOPE", "missing or unknown scope")
        token, ends_ms = f"CApp{self._rng.getrandbits(160):040x}", self._now_ms() + settings.access_token_life_s * 1000
        self._access[token] = AccessToken(Granted(settings.portal_id, tuple(scopes)), ends_ms, of_app=True)
        life = {"token_type": "bearer", "expires_in": int(settings.access_token_life_s)}
        return json_answer(200, {**life, "access_token": token, "scopes": list(scopes), "token_use": "access_token"})

    def revoke(self) -> None:
        """Revoke every refresh token; living access tokens stay valid."""
        self._spent.add(self._settings().oauth_refresh_token)
        self._spent.update(self._refresh)
        self._refresh.clear()

    def info(self, token: str) -> Json:
        """The answer of introspection about a token."""
        refresh = self._holding(token)
        if refresh is not None:
            return {**self._about(token, refresh), "active": True, "token_use": "refresh_token"}
        access = self._access.get(token)
        active = access is not None and access.expires_ms > self._now_ms()
        left_s = int((access.expires_ms - self._now_ms()) / 1000) if access is not None else 0
        granted = access.granted if access is not None else Granted(self._settings().portal_id)
        about = {"active": active, "token_use": "access_token", "expires_in": left_s, "is_private_distribution": True}
        return {**self._about(token, granted), **about, "hub_domain": f"simulated-{granted.account}.example"}

    def _refreshed(self, token: str) -> Answer:
        granted = self._holding(token)
        if granted is None:
            return _refused("invalid_grant", "BAD_REFRESH_TOKEN", "missing or invalid refresh token")
        if not self._settings().refresh_token_rotates:
            return json_answer(200, self._new_tokens(granted, token))
        self._spent.add(token)
        self._refresh.pop(token, None)
        return json_answer(200, self._new_tokens(granted))

    def _exchanged(self, form: Mapping[str, str]) -> Answer:
        settings, text = self._settings(), form.get("code", "")
        code = self._codes.pop(text, None)
        if text == settings.oauth_authorization_code:
            self._spent.discard(settings.oauth_refresh_token)
            return json_answer(200, self._new_tokens(Granted(settings.portal_id), settings.oauth_refresh_token))
        if code is None or code.expires_ms < self._now_ms() or code.redirect_uri != form.get("redirect_uri"):
            return _refused("invalid_grant", "BAD_AUTH_CODE", "missing or unknown auth code")
        if code.challenge is not None and challenge_of(form.get("code_verifier", "")) != code.challenge:
            return _refused("invalid_grant", "BAD_CODE_VERIFIER", "the code verifier does not fit")
        return json_answer(200, self._new_tokens(code.granted))

    def _holding(self, token: str) -> Granted | None:
        """The access that a refresh token stands for, if it holds."""
        settings = self._settings()
        if token in self._spent:
            return None
        return Granted(settings.portal_id) if token == settings.oauth_refresh_token else self._refresh.get(token)

    def _scopes(self, granted: Granted) -> list[str]:
        return list(granted.scopes or self._settings().scopes or DEFAULT_SCOPES)

    def _about(self, token: str, granted: Granted) -> Json:
        settings = self._settings()
        return {
            "token": token,
            "token_type": "bearer",
            "client_id": settings.oauth_client_id,
            "hub_id": granted.account,
            "user_id": 98499705,
            "app_id": settings.app_id,
            "scopes": self._scopes(granted),
        }

    def _new_tokens(self, granted: Granted, refresh_token: str | None = None) -> Json:
        """A new access token, with the refresh token given or a new one."""
        settings = self._settings()
        token = f"CSim{self._rng.getrandbits(160):040x}"
        self._access[token] = AccessToken(granted, self._now_ms() + settings.access_token_life_s * 1000)
        if refresh_token is None:
            refresh_token = f"refresh-{self._rng.getrandbits(96):024x}"
            self._refresh[refresh_token] = granted
        return {
            "token_type": "bearer",
            "access_token": token,
            "refresh_token": refresh_token,
            "expires_in": int(settings.access_token_life_s),
            "hub_id": granted.account,
            "scopes": self._scopes(granted),
            "user_id": 98499705,
            "token_use": "access_token",
        }


def challenge_of(verifier: str) -> str:
    """PKCE's S256."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _refused(error: str, status: str, text: str) -> Answer:
    return json_answer(400, {"error": error, "error_description": text, "status": status, "message": text})
