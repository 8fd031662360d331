"""The setting chooses the store, and says what to install."""

import sys
from pathlib import Path
from typing import Any, cast

import pytest

from connectors.kafka.admin import Admin
from pipeline.agents.disk_rows import DiskRows
from pipeline.agents.rows import MemoryRows
from pipeline.config import Settings, SettingsInvalid, load_settings
from pipeline.row_stores import row_stores

TOPICS = {"objects": "sync.objects-state"}


class Ids:
    """An admin that knows the ids of topics."""

    def topic_ids(self, topics: Any) -> dict[str, str]:
        return {topic: f"id of {topic}" for topic in topics}


def settings(folder: Path, state: str) -> Settings:
    return load_settings(
        {
            "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
            "PAIRSTREAM_STATE_DIR": str(folder),
            "PAIRSTREAM_STATE": state,
            "PAIRSTREAM_ORDINAL": "3",
        }
    )


def test_memory_is_the_default_and_asks_nothing(tmp_path: Path) -> None:
    default = load_settings({"KAFKA_BOOTSTRAP_SERVERS": "kafka:9092", "PAIRSTREAM_STATE_DIR": str(tmp_path)})
    assert isinstance(row_stores(default, cast(Admin, None), TOPICS)("objects", 0), MemoryRows)


def test_each_worker_and_partition_has_a_folder_of_its_own(tmp_path: Path) -> None:
    store = row_stores(settings(tmp_path, "rocksdict"), cast(Admin, Ids()), TOPICS)("objects", 7)
    assert isinstance(store, DiskRows)
    assert (tmp_path / "rows" / "worker-3" / "objects-7").is_dir()
    store.close()


def test_what_is_not_installed_is_said_with_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pipeline.agents.disk_rows", None)
    with pytest.raises(SettingsInvalid, match=r"pip install 'pairstream\[rocksdict\]'"):
        row_stores(settings(tmp_path, "rocksdict"), cast(Admin, Ids()), TOPICS)
