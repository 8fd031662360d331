"""One command from a shell with other settings: refused with both values, before anything of it is in Kafka."""

import uuid
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from connectors.kafka.admin import Admin
from connectors.kafka.cluster import Cluster
from connectors.kafka.settings import reader_config
from pipeline.commands.session import with_kafka
from pipeline.config import load_settings
from pipeline.operations.installation import SettingsDiffer
from pipeline.process import Process
from schemas.configuration import INSTALLATION
from schemas.topics import INTEGRATIONS
from tests.kafka import Kafka, fresh_prefix

REGISTRY = "http://127.0.0.1:9"  # nothing answers there, and nothing has to


def environment(kafka: Kafka, prefix: str, state_dir: Path, **more: str) -> dict[str, str]:
    return {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "PAIRSTREAM_PREFIX": prefix,
        "PAIRSTREAM_STATE_DIR": str(state_dir),
        **more,
    }


def records(cluster: Cluster, topic: str) -> int:
    """How many records the topic has ever held."""
    consumer = Consumer({**reader_config(cluster), "group.id": uuid.uuid4().hex})
    try:
        partitions = consumer.list_topics(cluster.physical(topic)).topics[cluster.physical(topic)].partitions
        places = [TopicPartition(cluster.physical(topic), number) for number in partitions]
        return sum(consumer.get_watermark_offsets(place)[1] for place in places)
    finally:
        consumer.close()


@pytest.mark.parametrize(("roles", "shell"), [("registry", "packaged"), ("packaged", "registry")])
def test_a_command_with_another_source_of_schema_ids_writes_nothing(
    kafka: Kafka,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    roles: str,
    shell: str,
) -> None:
    prefix = fresh_prefix()
    cluster = kafka.cluster(prefix)
    Admin(cluster).apply_topics(4, 1)
    given = {"registry": {"SCHEMA_REGISTRY_URL": REGISTRY}, "packaged": {}}
    process = Process.open(load_settings(environment(kafka, prefix, tmp_path, **given[roles])))
    process.start(process.tables(), records=True).stop()
    assert records(cluster, INTEGRATIONS) == 1
    again = process.start(process.tables(), records=True)
    assert again.get(INTEGRATIONS, INSTALLATION).installation.schema_ids == roles
    again.stop()

    for name, value in environment(kafka, prefix, tmp_path, **given[shell]).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        with_kafka(_never)
    assert ended.value.code == 1
    told = capsys.readouterr().err
    assert f"`{roles}` in this installation, and `{shell}`" in told
    assert records(cluster, INTEGRATIONS) == 1

    role = Process.open(load_settings(environment(kafka, prefix, tmp_path, **given[shell])))
    with pytest.raises(SettingsDiffer):
        role.start(role.followed_tables(), records=True)


async def _never(*_: object) -> None:
    raise AssertionError("the command went on")
