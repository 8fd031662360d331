"""What follows when access was granted anew: a full sync is asked for."""

from collections.abc import Callable

from connectors.kafka.producer import Publisher
from connectors.kafka.table import TableReader
from schemas.integrations import settings_of
from schemas.runs import run_request
from schemas.topics import INTEGRATIONS, RUNS


async def ask_after_reconnect(publisher: Publisher, tables: TableReader, now_ms: Callable[[], int], name: str) -> None:
    """Ask for a full sync after access was granted anew: what happened meanwhile was not heard of.

    It may be called twice for one grant: two requests at once are one run.
    """
    settings = settings_of(tables.table(INTEGRATIONS), name)
    if settings is None or not settings.active_revision:
        return  # nothing is in force yet
    request = run_request(name, now_ms(), "reconnect")
    await publisher.send(RUNS, request.run_id, request)
