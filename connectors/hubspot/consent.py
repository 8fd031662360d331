"""Exchanges the code that HubSpot's page gave for a grant, and asks whose access it is."""

from typing import Final

from connectors.contract.account import Opening
from connectors.contract.consent import ConsentCode, GrantedAccess
from connectors.contract.errors import ConnectorError, CredentialsRejected, Misconfigured, Retryable
from connectors.contract.sink import OwnershipLost
from connectors.http.messages import Transport
from connectors.http.ownership import OwnedTransport
from connectors.http.transport import HttpTransport
from connectors.hubspot import protocol
from connectors.hubspot.client import HubSpotClient, windowed_budget
from connectors.hubspot.credentials import StaticToken
from connectors.hubspot.protocol import API_URL, Grant, OAuthApp, TokenInfo

ASK_AGAIN_S: Final = (0.5, 2.0)
"""Waits between questions whose access it is. The code is spent by then, so that the whole cannot be done again."""


async def exchange_code(opening: Opening, code: ConsentCode) -> GrantedAccess:
    """What somebody granted the app; see `connectors.contract.account.Exchange`."""
    transport = HttpTransport(opening.api_url or API_URL, proxy_url=opening.proxy_url)
    try:
        return await granted(opening, code, OwnedTransport(transport, opening.owned, "hubspot", reads_too=True))
    finally:
        await transport.aclose()


async def granted(opening: Opening, code: ConsentCode, transport: Transport) -> GrantedAccess:
    """The same on a transport that the caller closes."""
    app, budget = app_of(opening), windowed_budget(opening.clock, longest_wait_s=opening.longest_wait_s)
    # these calls carry their own credentials
    client = HubSpotClient(transport, budget, StaticToken(""), opening.api_version, opening.metrics)
    grant = await client.send(protocol.exchange_code(app, code.code, code.redirect_uri, code.verifier))
    told = await _introspected(client, opening, app, grant)
    if not told.active:
        raise CredentialsRejected("grant_rejected")
    return GrantedAccess(grant.refresh_token, told.account or grant.account, told.scopes or grant.scopes)


async def _introspected(client: HubSpotClient, opening: Opening, app: OAuthApp, grant: Grant) -> TokenInfo:
    """What HubSpot tells of the token; where it does not answer, what it told with the token itself."""
    for wait_s in (*ASK_AGAIN_S, None):
        try:
            return await client.send(protocol.introspect_token(app, grant.access_token))
        except Retryable:
            if wait_s is not None:
                await opening.clock.sleep(wait_s)
        except (ConnectorError, OwnershipLost):  # where nothing may leave any more: who called gives the grant up
            break
    return TokenInfo(True, grant.account, scopes=grant.scopes)


def app_of(opening: Opening) -> OAuthApp:
    """The app of the file. Raises Misconfigured `no_credentials`."""
    client_id = opening.secrets.get("client_id") or opening.options.get("client_id", "")
    app = OAuthApp(client_id, opening.secrets.get("client_secret", ""))
    if not app.client_id or not app.client_secret:
        raise Misconfigured("no_credentials", needed=("token", "client_id", "client_secret"))
    return app
