"""The simulated account's tokens: granted, refreshed, described, checked."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

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


@dataclass(frozen=True)
class AccessToken:
    """A granted token and its end by the vendor's clock."""

    text: str
    expires_ms: float


class Tokens:
    """Every token issued; `now_ms` is the vendor's clock."""

    def __init__(self, settings: Callable[[], HubSpotSettings], now_ms: Callable[[], int], rng: random.Random) -> None:
        self._settings, self._now_ms, self._rng = settings, now_ms, rng
        self._granted: dict[str, AccessToken] = {}
        self._refresh: str | None = None
        self._revoked = False

    @property
    def refresh_token(self) -> str:
        """The refresh token in force."""
        return self._refresh or self._settings().oauth_refresh_token

    def state(self, token: str) -> str:
        """`static`, `valid`, `expired` or `unknown`."""
        if token in self._settings().static_tokens:
            return "static"
        granted = self._granted.get(token)
        if granted is None:
            return "unknown"
        return "valid" if granted.expires_ms > self._now_ms() else "expired"

    def expire_all(self) -> None:
        """End every access token now."""
        self._granted = {text: AccessToken(text, 0) for text in self._granted}

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
                if self._revoked or form.get("refresh_token") != self.refresh_token:
                    return _refused("invalid_grant", "BAD_REFRESH_TOKEN", "missing or invalid refresh token")
            case "authorization_code":
                if form.get("code") != settings.oauth_authorization_code:
                    return _refused("invalid_grant", "BAD_AUTH_CODE", "missing or unknown auth code")
                self._revoked = False
            case _:
                return _refused("unsupported_grant_type", "BAD_GRANT_TYPE", "unknown grant type")
        return json_answer(200, self._new_tokens())

    def revoke(self) -> None:
        """Revoke the refresh token; living access tokens stay valid."""
        self._revoked = True

    def info(self, token: str) -> Json:
        """The answer of introspection about a token."""
        granted = self._granted.get(token)
        settings = self._settings()
        if token == self.refresh_token and not self._revoked:
            return {**self._about(token), "active": True, "token_use": "refresh_token"}
        active = granted is not None and granted.expires_ms > self._now_ms()
        left_s = int((granted.expires_ms - self._now_ms()) / 1000) if granted is not None else 0
        about = {"active": active, "token_use": "access_token", "expires_in": left_s, "is_private_distribution": True}
        return {**self._about(token), **about, "hub_domain": f"simulated-{settings.portal_id}.example"}

    def _about(self, token: str) -> Json:
        settings = self._settings()
        return {
            "token": token,
            "token_type": "bearer",
            "client_id": settings.oauth_client_id,
            "hub_id": settings.portal_id,
            "user_id": 98499705,
            "app_id": settings.app_id,
            "scopes": list(settings.scopes or DEFAULT_SCOPES),
        }

    def _new_tokens(self) -> Json:
        settings = self._settings()
        token = f"CSim{self._rng.getrandbits(160):040x}"
        self._granted[token] = AccessToken(token, self._now_ms() + settings.access_token_life_s * 1000)
        if settings.refresh_token_rotates:
            self._refresh = f"refresh-{self._rng.getrandbits(96):024x}"
        return {
            "token_type": "bearer",
            "access_token": token,
            "refresh_token": self.refresh_token,
            "expires_in": int(settings.access_token_life_s),
            "hub_id": settings.portal_id,
            "scopes": list(settings.scopes or DEFAULT_SCOPES),
            "user_id": 98499705,
            "token_use": "access_token",
        }


def _refused(error: str, status: str, text: str) -> Answer:
    return json_answer(400, {"error": error, "error_description": text, "status": status, "message": text})
