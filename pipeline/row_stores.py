"""Where a worker's rows lie: in memory, or on disk by `PAIRSTREAM_STATE`."""

from collections.abc import Callable, Mapping

from connectors.kafka.admin import Admin
from pipeline.agents.rows import MemoryRows
from pipeline.agents.state import RowStore
from pipeline.config import Settings, SettingsInvalid

OpenRows = Callable[[str, int], RowStore]


def row_stores(settings: Settings, admin: Admin, state_topics: Mapping[str, str]) -> OpenRows:
    """Opens the store of a stage's partition; `state_topics` has each stage's topic. Blocks.

    Raises SettingsInvalid where the store's library is not installed, BrokersUnreachable.
    """
    if settings.state == "memory":
        return lambda *_: MemoryRows()
    try:
        from pipeline.agents.disk_rows import DiskRows, shared_cache
    except ImportError:
        raise SettingsInvalid(
            "PAIRSTREAM_STATE=rocksdict needs a package that is not installed: pip install 'pairstream[rocksdict]'"
        ) from None
    ids, cache = admin.topic_ids(state_topics.values()), shared_cache()
    folder = settings.state_dir / "rows" / settings.member_id("worker")
    return lambda stage, partition: DiskRows(folder / f"{stage}-{partition}", ids[state_topics[stage]], cache)
