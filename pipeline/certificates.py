"""The certificate files on the way to the brokers: each problem with its setting, which librdkafka would not name."""

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path


def certificate_problems(
    authorities: Path | None, certificate: Path | None, key: Path | None, key_password: str
) -> Iterator[str]:
    """The problems of those that are named; a password of "" keeps OpenSSL from asking on the terminal."""
    context = ssl.create_default_context()
    if authorities is not None and (problem := _unusable(lambda: context.load_verify_locations(authorities))):
        yield f"KAFKA_SSL_CA_LOCATION: {authorities}: {problem}. Fix: name a file of certificates in PEM form."
    if certificate is not None and (problem := _unusable(lambda: _load(context, certificate, key, key_password))):
        yield (
            f"KAFKA_SSL_CERTIFICATE_LOCATION, KAFKA_SSL_KEY_LOCATION: {certificate}, {key}: {problem}. "
            "Fix: name a certificate and its key in PEM form, and KAFKA_SSL_KEY_PASSWORD if it has one."
        )


def _load(context: ssl.SSLContext, certificate: Path, key: Path | None, key_password: str) -> None:
    context.load_cert_chain(certificate, key, key_password)


def _unusable(load: Callable[[], object]) -> str | None:
    """Why a certificate file cannot be loaded; None where it can."""
    try:
        load()
    except ssl.SSLError as error:
        return f"not what is needed ({error.reason or 'unknown reason'})"
    except OSError as error:
        return (error.strerror or "cannot be read").lower()
    return None
