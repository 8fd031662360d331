"""The Kafka edge: with `schemas/registry.py` the only importer of confluent_kafka."""
