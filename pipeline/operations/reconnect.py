"""What follows when access was granted anew: a full sync is asked for."""

from collections.abc import Callable

from connectors.kafka.producer import Publisher
from connectors.kafka.table import TableReader
from pipeline.operations import full_sync
from pipeline.operations.in_force import settings_of
from schemas.topics import INTEGRATIONS, MAPPINGS


async def ask_after_reconnect(publisher: Publisher, tables: TableReader, now_ms: Callable[[], int], name: str) -> None:
    """Ask for a full sync after access was granted anew: what happened meanwhile was not heard of.

    The one place where a reconnect leads to a run; it may be called twice for one grant.
    """
    settings = settings_of(tables.table(INTEGRATIONS), name)
    if settings is None or settings.state != "active":
        return  # paused: resuming derives every pair, and a full sync is asked for by hand or by the clock
    run_id = full_sync.new_run_id(now_ms())
    try:
        requests = full_sync.crawls(name, settings, tables.table(MAPPINGS).values(), run_id, now_ms())
    except full_sync.NotStarted:
        return  # nothing is in force yet
    await full_sync.start(publisher, name, requests)
