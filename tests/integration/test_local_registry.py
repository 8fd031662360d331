"""The schema registry that tests use answers like Confluent's."""

from confluent_kafka.schema_registry import Schema, SchemaRegistryClient

RECORD = '{"type": "record", "name": "Thing", "fields": [{"name": "size", "type": "long"}]}'


def test_a_schema_is_kept_under_one_id(schema_registry_url: str) -> None:
    with SchemaRegistryClient({"url": schema_registry_url}) as client:
        number = client.register_schema("things-value", Schema(RECORD, "AVRO"))
        assert client.register_schema("things-value", Schema(RECORD, "AVRO")) == number
        assert client.get_latest_version("things-value").schema_id == number
