"""The provider at which people sign in to the console, as the settings name it, and the road to it."""

import asyncio
from dataclasses import replace
from urllib.parse import urlsplit

from connectors.http.messages import Request, Response
from connectors.http.transport import HttpLimits, HttpTransport
from pipeline.config import Settings
from pipeline.console.oidc import Provider

WITHIN_S = 10.0
LIMITS = HttpLimits(connections=5, answer_bytes=1_000_000)


def provider_of(settings: Settings) -> Provider | None:
    """None where people sign in by links alone."""
    secret = settings.console_oidc_client_secret
    if settings.console_oidc_issuer is None or settings.console_oidc_client_id is None or secret is None:
        return None
    return Provider(
        settings.console_oidc_issuer,
        settings.console_oidc_client_id,
        secret.get_secret_value(),
        settings.console_roles,
        settings.console_oidc_groups_claim,
    )


class Roads:
    """One transport for each host that the provider names."""

    def __init__(self, proxy_url: str | None) -> None:
        self._proxy_url = proxy_url
        self._transports: dict[str, HttpTransport] = {}

    async def fetch(self, url: str, request: Request) -> Response:
        """Raises ConnectorError where there is no answer."""
        parts = urlsplit(url)
        host = f"{parts.scheme}://{parts.netloc}"
        transport = self._transports.get(host)
        if transport is None:
            transport = self._transports[host] = HttpTransport(host, WITHIN_S, LIMITS, proxy_url=self._proxy_url)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        return await transport.send(replace(request, path=path))

    async def close(self) -> None:
        await asyncio.gather(*(one.aclose() for one in self._transports.values()))
