"""A table says why it is incomplete: its reader is asked while no broker answers."""

import pytest

from connectors.kafka import table
from connectors.kafka.cluster import Cluster
from connectors.kafka.table import TableIncomplete, TableReader
from schemas.codec import Codec
from schemas.registry import LocalRegistry
from schemas.topics import INTEGRATIONS


def test_an_incomplete_table_comes_with_its_reason_and_what_to_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "TIMEOUT_S", 0.5)  # of asking brokers that are not there
    reader = TableReader(Cluster({"bootstrap.servers": "127.0.0.1:1"}), Codec(LocalRegistry()), (INTEGRATIONS,))

    with pytest.raises(TableIncomplete) as caught:
        reader.start()
    reader.stop()

    assert str(caught.value).startswith("sync.integrations could not be read: ")
    assert "Fix: check KAFKA_BOOTSTRAP_SERVERS and that the brokers run." in str(caught.value)
