"""The settings of the brokers: what librdkafka is told of them, and what it could not use."""

import datetime as dt
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from pipeline.config import SettingsInvalid, load_settings
from tests.unit.pipeline.test_config import HOME, SASL, refused


def authority(folder: Path) -> Path:
    """A file with one certificate that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ca")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    moment = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    builder = builder.serial_number(1).not_valid_before(moment).not_valid_after(moment + dt.timedelta(days=9_000))
    path = folder / "ca.pem"
    path.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    return path


def test_the_kafka_properties_are_those_of_librdkafka(tmp_path: Path) -> None:
    path = authority(tmp_path)
    assert load_settings({**SASL, "KAFKA_SSL_CA_LOCATION": str(path)}).kafka_client_config("local:1") == {
        "bootstrap.servers": "kafka-1:9093,kafka-2:9093",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "ada",
        "sasl.password": "pa55word",
        "ssl.ca.location": str(path),
    }


def test_certificates_that_cannot_be_loaded_are_named_by_their_setting(tmp_path: Path) -> None:
    """librdkafka names no setting, and a traceback ended the command."""
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("no certificate")
    for path, why in ((tmp_path / "none.pem", "no such file"), (tmp_path, "is a directory"), (garbage, "not what is")):
        with pytest.raises(SettingsInvalid, match=rf"^KAFKA_SSL_CA_LOCATION: {path}: {why}.* Fix: "):
            load_settings({**SASL, "KAFKA_SSL_CA_LOCATION": str(path)}).kafka_client_config()
    client = {"KAFKA_SSL_CERTIFICATE_LOCATION": str(authority(tmp_path)), "KAFKA_SSL_KEY_LOCATION": str(garbage)}
    with pytest.raises(SettingsInvalid, match=r"^KAFKA_SSL_CERTIFICATE_LOCATION, KAFKA_SSL_KEY_LOCATION: .* Fix: "):
        load_settings({**HOME, "KAFKA_SECURITY_PROTOCOL": "SSL", **client}).kafka_client_config("kafka:9092")


def test_a_local_broker_stands_in_where_none_is_set() -> None:
    assert load_settings(HOME).kafka_client_config("127.0.0.1:19092") == {
        "bootstrap.servers": "127.0.0.1:19092",
        "security.protocol": "PLAINTEXT",
    }


def test_no_broker_at_all_is_an_error_with_a_way_out() -> None:
    with pytest.raises(SettingsInvalid, match=r"KAFKA_BOOTSTRAP_SERVERS: not set.*run `pairstream up`"):
        load_settings(HOME).kafka_client_config()


@pytest.mark.parametrize("broker", ["http://b1:9092", "PLAINTEXT://b1:9092", "b1:²", "b1:" + "9" * 5_000, "b1:", ":1"])
def test_what_is_no_broker_to_both_clients_is_refused(broker: str) -> None:
    [problem] = refused({"KAFKA_BOOTSTRAP_SERVERS": f"kafka:9092,{broker}"})
    assert "is no HOST:PORT" in problem
