"""The parts that a connector is given from outside."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from connectors.clock import Clock
from connectors.contract.account import Account, Opening
from connectors.http.retry import Uniform
from connectors.kafka.cluster import Cluster
from connectors.kafka.producer import Publisher
from connectors.kafka.table import TableReader
from schemas.codec import Codec


@dataclass(frozen=True, slots=True)
class ConnectorDeps:
    """Wired in `pipeline/app.py`."""

    cluster: Cluster
    codec: Codec
    publisher: Publisher
    tables: TableReader  # of sync.integrations and sync.mappings, complete
    ordinal: int
    partitions: int
    open_account: Callable[[Opening], Awaitable[Account]]
    unseal: Callable[[bytes, str], str]  # a seal, and its place
    seal: Callable[[str, str], bytes]  # a text, and its place
    api_url: str | None
    api_version: str
    proxy_url: str | None
    webhook_base_url: str
    clock: Clock
    uniform: Uniform
    now_ms: Callable[[], int]
    count: Callable[[str, str | None, str, int], None]
    bulk_credit: Callable[[int], Awaitable[None]]
    stop_process: Callable[[str], None]
    lost: Callable[[str, int, int, int], None]  # records gone before they were read: topic, partition, from, to; blocks
