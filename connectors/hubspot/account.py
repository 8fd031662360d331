"""Opens one HubSpot account: transport, budget, credentials, and the source, sink and setup on top of them."""

from dataclasses import replace

from connectors.contract.account import Account, Opening
from connectors.contract.consent import GrantedAccess
from connectors.contract.errors import CredentialsRejected, Misconfigured
from connectors.contract.feed import Feeds
from connectors.contract.sink import MayWrite
from connectors.contract.timeline import Timeline
from connectors.contract.traits import SystemTraits
from connectors.http.budget import Budget, BulkBudget, RequestBudget
from connectors.http.messages import Transport
from connectors.http.ownership import OwnedTransport
from connectors.http.rate_limits import RollingWindow, WindowSettings
from connectors.http.transport import HttpTransport
from connectors.hubspot.app_credentials import AppClient, AppCredentials
from connectors.hubspot.client import HubSpotClient, windowed_budget
from connectors.hubspot.consent import app_of
from connectors.hubspot.credentials import Credentials, OAuthCredentials, StaticToken
from connectors.hubspot.enriching import AssociatedReader
from connectors.hubspot.event_definitions import EventDefinitions
from connectors.hubspot.feeds import JournalFeeds, PollFeeds
from connectors.hubspot.journal import Files, Journal
from connectors.hubspot.journal_files import JournalFiles
from connectors.hubspot.journal_subscriptions import JournalSubscriptions
from connectors.hubspot.known_associates import KnownAssociates
from connectors.hubspot.object_types import ObjectTypes
from connectors.hubspot.protocol import API_URL, Grant
from connectors.hubspot.setup import HubSpotSetup
from connectors.hubspot.sink import HubSpotSink
from connectors.hubspot.source import HubSpotSource
from connectors.hubspot.timeline import AppEvents, CustomEvents
from schemas.topics import HUBSPOT_TIMELINE_EVENTS

CUSTOM_EVENTS = "custom_events"
JOURNAL_WINDOW = WindowSettings(limit=20, interval_s=1.0, in_flight=2, margin=1.0, announced=False)
"""HubSpot counts the journal by the app, 100 requests a second for all accounts: no account takes more than this."""
TRAITS = SystemTraits("hubspot", webhook_path="hubspot", timeline_topic=HUBSPOT_TIMELINE_EVENTS, creates_fields=True)


async def open_account(opening: Opening) -> Account:
    """Sends no request. Secrets: `token`, or `client_id` (also an option), `client_secret`, `refresh_token`.

    Raises Misconfigured `no_credentials`, and CredentialsRejected `not_granted` if nobody has granted access yet.
    """
    api_url = opening.api_url or API_URL
    transport, files = HttpTransport(api_url, proxy_url=opening.proxy_url), JournalFiles(api_url, opening.proxy_url)
    account = assemble(opening, transport, files)

    async def close() -> None:
        await account.close()
        await files.aclose()
        await transport.aclose()

    def stop() -> None:
        files.stop()
        transport.stop()

    return replace(account, close=close, ahead_ms=transport.ahead_ms, stop=stop)


def assemble(opening: Opening, transport: Transport, files: Files | None = None) -> Account:
    """The account on a transport, and a way to the journal's files, that the caller closes."""
    files = files or JournalFiles(opening.api_url or API_URL)
    credentials, name = _credentials(opening), f"{opening.integration}: HubSpot"
    budget = windowed_budget(opening.clock, longest_wait_s=opening.longest_wait_s, name=name)

    def client(way: Transport, places: Budget = budget) -> HubSpotClient:
        return HubSpotClient(way, places, credentials, opening.api_version, opening.metrics)

    def client_for(may_write: MayWrite, bulk: bool) -> HubSpotClient:
        return client(OwnedTransport(transport, may_write, "hubspot"), BulkBudget(budget) if bulk else budget)

    types = ObjectTypes(opening.catalog)
    definitions = EventDefinitions(client(transport), opening.clock)
    custom = opening.options.get("timeline") == CUSTOM_EVENTS
    timeline: Timeline = AppEvents(client_for, opening.catalog)
    if custom:
        timeline = CustomEvents(client_for, opening.catalog, definitions)
    feeds: Feeds | None = None
    subscriptions: JournalSubscriptions | None = None
    if opening.options.get("source") == "poll":
        feeds = PollFeeds(client(transport), opening.catalog, opening.account, opening.feeds)
    elif opening.options.get("source") == "journal":
        journal = _journal_client(opening, transport)
        feeds = JournalFeeds(lambda: Journal(journal, files, opening.account, opening.feeds.journal_interval_s))
        subscriptions = JournalSubscriptions(journal, opening.account)
    # a search tells of no association that moved
    known = None if opening.options.get("source") == "poll" else KnownAssociates(opening.clock.monotonic)
    return Account(
        system="hubspot",
        source=HubSpotSource(client(transport), types, opening.account, known),
        sink=HubSpotSink(client_for, opening.catalog),
        setup=HubSpotSetup(
            client(transport),
            types,
            opening.account,
            definitions if custom else None,
            subscriptions,
            credentials.revocation,
        ),
        close=credentials.close,
        timeline=timeline,
        associated=AssociatedReader(client(transport), types, known),
        feeds=feeds,
        capping=lambda: budget.capping,
        spent=lambda: budget.spent,
        budgets=lambda: budget.vitals(opening.integration, "hubspot"),
    )


def _journal_client(opening: Opening, transport: Transport) -> AppClient:
    """The app itself, which HubSpot counts apart from the account."""
    if opening.secrets.get("token"):
        raise Misconfigured("journal_needs_oauth", needed=("client_id", "client_secret"))
    app, name = app_of(opening), f"{opening.integration}: HubSpot's journal"
    window = RollingWindow(JOURNAL_WINDOW)
    budget = RequestBudget(opening.clock, window, longest_wait_s=opening.longest_wait_s, name=name)
    return AppClient(transport, budget, AppCredentials(app, opening.clock), opening.api_version, opening.metrics)


def _credentials(opening: Opening) -> Credentials:
    token = opening.secrets.get("token")
    if token:
        return StaticToken(token)
    app = app_of(opening)
    refresh_token = opening.secrets.get("refresh_token")
    if not refresh_token:
        raise CredentialsRejected("not_granted")

    async def store(grant: Grant) -> None:
        await opening.store_grant(GrantedAccess(grant.refresh_token, grant.account, grant.scopes))

    return OAuthCredentials(app, refresh_token, store, opening.clock, opening.owned)
