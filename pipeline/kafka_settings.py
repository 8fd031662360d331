"""The settings of the connection to the brokers, and what librdkafka is told of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from pipeline.certificates import certificate_problems
from pipeline.setting_words import Brokers, clear, setting, upper, variable


class KafkaSettings(BaseSettings):
    """Those of `Settings` that begin with KAFKA_."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", alias_generator=variable, hide_input_in_errors=True, validate_default=False
    )

    kafka_bootstrap_servers: Brokers = setting(None, "the brokers; unset: a local broker", "kafka:9092")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = setting(
        "PLAINTEXT", "how to talk to the brokers", "SASL_SSL"
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = setting(
        None, "how to log in to the brokers", "SCRAM-SHA-512"
    )
    kafka_sasl_username: str | None = setting(None, "the name to log in with", "pairstream")
    kafka_sasl_password: SecretStr | None = setting(None, "the password to log in with", "...")
    kafka_ssl_ca_location: Path | None = setting(None, "certificates to trust, PEM", "/etc/kafka/ca.pem")
    kafka_ssl_certificate_location: Path | None = setting(None, "our certificate, PEM", "/etc/kafka/client.pem")
    kafka_ssl_key_location: Path | None = setting(None, "our certificate's key, PEM", "/etc/kafka/client.key")
    kafka_ssl_key_password: SecretStr | None = setting(None, "the password of that key", "...")

    @field_validator("kafka_security_protocol", "kafka_sasl_mechanism", mode="before")
    @classmethod
    def _in_capitals(cls, value: object) -> object:
        return upper(value)

    def missing_for_kafka(self) -> Iterator[str]:
        """Names of settings that the others need."""
        if self.kafka_security_protocol.startswith("SASL"):
            needed = ("kafka_sasl_mechanism", "kafka_sasl_username", "kafka_sasl_password")
            yield from (name for name in needed if getattr(self, name) is None)
        if self.kafka_ssl_key_location and not self.kafka_ssl_certificate_location:
            yield "kafka_ssl_certificate_location"
        if self.kafka_ssl_certificate_location and not self.kafka_ssl_key_location:
            yield "kafka_ssl_key_location"

    def unusable_certificates(self) -> Iterator[str]:
        """A sentence for each file that cannot be used, where the brokers are talked to by TLS."""
        if self.kafka_security_protocol.endswith("SSL"):
            yield from certificate_problems(
                self.kafka_ssl_ca_location,
                self.kafka_ssl_certificate_location,
                self.kafka_ssl_key_location,
                clear(self.kafka_ssl_key_password or ""),
            )

    def client_properties(self, servers: str) -> dict[str, str]:
        """librdkafka's connection properties for these brokers."""
        config = {"bootstrap.servers": servers, "security.protocol": self.kafka_security_protocol}
        for name in KafkaSettings.model_fields:
            value = getattr(self, name)
            if name.startswith(("kafka_sasl_", "kafka_ssl_")) and value is not None:
                config[_librdkafka(name)] = clear(value)
        return config


def _librdkafka(name: str) -> str:
    """`kafka_ssl_ca_location` -> `ssl.ca.location`."""
    return name.removeprefix("kafka_").replace("_", ".")
