"""Opens a Userflow environment: one connection pool and one budget behind its source, sink and setup."""

from dataclasses import replace

from connectors.contract.account import Account, Opening
from connectors.contract.errors import Misconfigured
from connectors.contract.sink import MayWrite
from connectors.contract.traits import SystemTraits
from connectors.http.budget import Budget, BulkBudget
from connectors.http.messages import Transport
from connectors.http.ownership import OwnedTransport
from connectors.http.transport import HttpTransport
from connectors.userflow.client import API_URLS, ObservingClient, UserflowClient, adaptive_budget
from connectors.userflow.polling import UserflowFeeds
from connectors.userflow.setup import UserflowSetup, polled
from connectors.userflow.sink import UserflowSink
from connectors.userflow.source import UserflowSource
from schemas.topics import USERFLOW_ACTIVITY

TRAITS = SystemTraits("userflow", webhook_path="userflow/{integration}", activity_topic=USERFLOW_ACTIVITY)


async def open_account(opening: Opening) -> Account:
    """The environment of `secrets["api_key"]`, in `options["region"]`: us (the default) or eu.

    Sends nothing. Raises Misconfigured `api_key_missing`, `unknown_region`.
    """
    api_key = opening.secrets.get("api_key")
    if not api_key:
        raise Misconfigured("api_key_missing")
    transport = HttpTransport(opening.api_url or _api_url(opening), proxy_url=opening.proxy_url)
    return replace(
        assemble(opening, transport, api_key), close=transport.aclose, ahead_ms=transport.ahead_ms, stop=transport.stop
    )


def assemble(opening: Opening, transport: Transport, api_key: str) -> Account:
    """The account on a transport that the caller closes."""
    name = f"{opening.integration}: Userflow"
    budget = adaptive_budget(opening.clock, longest_wait_s=opening.longest_wait_s, name=name)

    def client(way: Transport, places: Budget = budget) -> ObservingClient:
        return ObservingClient(UserflowClient(way, places, api_key, opening.metrics))

    def client_for(may_write: MayWrite, bulk: bool) -> ObservingClient:
        return client(OwnedTransport(transport, may_write, "userflow"), BulkBudget(budget) if bulk else budget)

    source, setup = UserflowSource(opening, client(transport)), UserflowSetup(opening, client(transport))
    feeds = UserflowFeeds(client(transport), opening.catalog, opening.feeds) if polled(opening) else None
    sink = UserflowSink(opening, client_for)
    return Account(
        "userflow",
        source,
        sink,
        setup,
        _nothing,
        feeds=feeds,
        capping=lambda: budget.capping,
        budgets=lambda: budget.vitals(opening.integration, "userflow"),
    )


async def _nothing() -> None:
    """Close nothing: the caller owns the transport."""


def _api_url(opening: Opening) -> str:
    match opening.options.get("region", "us"):
        case "us" | "eu" as region:
            return API_URLS[region]
    raise Misconfigured("unknown_region")
