"""One opened account of a system, and what it is opened with."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from connectors.clock import Clock
from connectors.contract.associations import AssociatedSource
from connectors.contract.catalog import Catalog
from connectors.contract.consent import ConsentCode, GrantedAccess
from connectors.contract.feed import Feeds, FeedSettings
from connectors.contract.metrics import ApiMetrics
from connectors.contract.setup import Setup
from connectors.contract.sink import Sink
from connectors.contract.source import Source
from connectors.contract.timeline import Timeline
from schemas.values import System
from schemas.vitals import BudgetVitals


@dataclass(frozen=True, slots=True)
class Opening:
    """Everything a system is given to open one integration's account."""

    integration: str
    connection: int
    account: str
    options: Mapping[str, str]  # plain settings of the section of the integration file
    secrets: Mapping[str, str] = field(repr=False)  # opened
    catalog: Catalog
    clock: Clock
    api_url: str | None  # None: the vendor's own, by region where it has several
    api_version: str
    webhook_url: str  # where the receiver takes this integration's webhooks
    store_grant: Callable[[GrantedAccess], Awaitable[None]]  # keeps a refresh token before it is used
    incident: Callable[[str, str], Awaitable[None]]  # (stable reason, sentence without field values)
    longest_wait_s: float = 900.0  # the longest wait that an answer may ask for
    proxy_url: str | None = None  # the way to the API, for an address that is not of this machine
    connected: Callable[[str], bool] = lambda _: True  # whether an integration of that name is connected here
    feeds: FeedSettings = FeedSettings()  # noqa: RUF009 - a frozen value
    metrics: ApiMetrics = ApiMetrics()  # noqa: RUF009 - a frozen value
    owned: Callable[[], bool] = lambda: True  # whether this process may renew the grant: two would spend one token


@dataclass(frozen=True, slots=True)
class Account:
    """One opened account or environment."""

    system: System
    source: Source
    sink: Sink
    setup: Setup
    close: Callable[[], Awaitable[None]]
    timeline: Timeline | None = None  # None: the system has no timelines
    associated: AssociatedSource | None = None  # None: no object shows fields of another
    feeds: Feeds | None = None  # None: its news come by webhooks
    ahead_ms: Callable[[], int] = lambda: 0  # by how much the system's clock is ahead of ours, where that lasts
    stop: Callable[[], None] = lambda: None  # from now on no request leaves, not even one that is under way here
    capping: Callable[[], bool] = lambda: False  # whether the system asks for a longer wait than is kept
    spent: Callable[[], float] = lambda: 0.0  # the share of the rate limit that is spent; 0 where none is known
    budgets: Callable[[], tuple[BudgetVitals, ...]] = tuple  # its limits as they are now, for the vital signs


Exchange: TypeAlias = Callable[[Opening, ConsentCode], Awaitable[GrantedAccess]]
"""Exchanges a code by the app's secrets in an opening. Raises ConnectorError; CredentialsRejected for a spent code."""
