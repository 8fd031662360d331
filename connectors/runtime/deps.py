"""The parts that a connector is given from outside."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from connectors.clock import Clock
from connectors.contract.account import Account, Exchange, Opening
from connectors.contract.feed import FeedSettings
from connectors.http.retry import Uniform
from connectors.kafka.cluster import Cluster
from connectors.kafka.producer import Publisher
from connectors.kafka.table import TableReader
from schemas.codec import Codec
from schemas.configuration import ConnectorStatus
from schemas.seals import Renew
from schemas.spent import Parts
from schemas.traces import Handled


class ConnectorMetrics(Protocol):
    """Writers of a connector's metrics, beside `count`; `pipeline/observability/metrics.py` has them."""

    def api_call(self, system: str, purpose: str, status: int | None, seconds: float) -> None:
        """A request ended, with an answer of that status or none, after so long."""

    def api_limited(self, system: str, limit: str) -> None:
        """An answer said that a limit was met."""

    def api_remaining(self, system: str, integration: str, requests: int) -> None:
        """An answer said how many requests are left."""

    def api_waited(self, system: str, purpose: str, seconds: float) -> None:
        """A request waited so long for its place in the budget."""

    def change_visible(self, system: str, bulk: bool, parts: Parts, integration: str = "") -> None:
        """A value was written to the system so long after its first cause was received, by the parts of its way."""

    def integration_status(self, integration: str, system: str, status: ConnectorStatus) -> None:
        """The system's status in one of this connector's integrations."""

    def forget_integration(self, integration: str) -> None:
        """The integration is another connector's now, or disconnected."""


@dataclass(frozen=True, slots=True)
class ConnectorDeps:
    """Wired in `pipeline/app.py`."""

    cluster: Cluster
    codec: Codec
    publisher: Publisher
    tables: TableReader  # of sync.integrations, sync.mappings, sync.runs and sync.positions, complete
    ordinal: int
    partitions: int
    open_account: Callable[[Opening], Awaitable[Account]]
    exchange_code: Exchange | None  # None: nobody grants access to the system in a browser
    unseal: Callable[[bytes, str], str]  # a seal, and its place
    seal: Callable[[str, str], bytes]  # a text, and its place
    key_id: str  # which key seals
    renew_seal: Renew  # the same secret sealed with that key
    read_to_end: Callable[[], Awaitable[None]]  # until the tables hold what the brokers hold now
    api_url: str | None
    api_version: str
    longest_wait_s: float  # the longest wait that an answer may ask for
    proxy_url: str | None
    webhook_base_url: str
    clock: Clock
    uniform: Uniform
    now_ms: Callable[[], int]
    count: Callable[[str, str, str | None, str, int], None]  # stage, integration, mapping, outcome, how many
    metrics: ConnectorMetrics
    bulk_credit: Callable[[int], Awaitable[None]]
    stop_process: Callable[[str], None]
    reconnected: Callable[[str], Awaitable[None]]  # access was granted anew: ask for a full sync of the integration
    lost: Callable[[str, int, int, int], None]  # records gone before they were read: topic, partition, from, to; blocks
    feeds: FeedSettings = FeedSettings()  # noqa: RUF009 - a frozen value
    traced: Handled | None = None  # told of each record that ends; None: nobody wants to know
