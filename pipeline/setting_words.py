"""The words of settings: how a variable is named and shown, and the forms that its text may have."""

import re
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from connectors.http.addresses import is_address

MASK: Final = "***"
PREFIX: Final = "PAIRSTREAM_"
_OWN_NAMES: Final = ("kafka_", "schema_registry_", "hubspot_", "userflow_")
_USERINFO: Final = re.compile(r"^([A-Za-z]+://)?.*@")


def shown(value: object) -> str:
    """A setting's value as anybody may see it."""
    if value is None or value in ((), ""):
        return "-"
    if isinstance(value, SecretStr):
        return MASK
    if isinstance(value, tuple):
        return ",".join(map(shown, value))
    return _USERINFO.sub(rf"\g<1>{MASK}@", str(value))


def variable(name: str) -> str:
    """`partitions` -> `PAIRSTREAM_PARTITIONS`, `kafka_sasl_username` -> `KAFKA_SASL_USERNAME`."""
    return name.upper() if name.startswith(_OWN_NAMES) else f"{PREFIX}{name.upper()}"


def setting(default: Any, meaning: str, example: str, **limits: Any) -> Any:
    # Any is what pydantic's own Field() takes and gives
    return Field(default, description=meaning, examples=[example], **limits)


def _checked_url(text: str) -> str:
    """Refuses an address that no request can be sent to, such as one with the port 99999."""
    if not is_address(text.lower()) or not text.isascii():
        raise ValueError("no address: it needs a host in ASCII letters, and a port of 1 to 65535 if any")
    return text


def _public(url: str) -> str:
    """One form of an address, as the vendors sign it: small letters, no port that goes without saying, no end slash."""
    parts = urlsplit(url)
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("an address with a user, `?` or `#` cannot be a webhook's")
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    usual = {"http": 80, "https": 443}[parts.scheme]
    port = "" if parts.port in (None, usual) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}{parts.path.rstrip('/')}"


def _every_broker(servers: str | None) -> str | None:
    """The list of brokers without spaces: one of the two Kafka clients would take a space for part of a host."""
    brokers = [broker.strip() for broker in (servers or "").split(",") if broker.strip()]
    for broker in brokers:
        host, colon, port = broker.rpartition(":")
        if not (colon and host and port.isdigit() and 0 < int(port) < 65_536) or any(map(str.isspace, broker)):
            raise ValueError(f"`{shown(broker)}` is no HOST:PORT")
    return ",".join(brokers) or None


Brokers = Annotated[str | None, AfterValidator(_every_broker)]
Port = Annotated[int, Field(ge=0, le=65_535)]
Url = Annotated[str, Field(pattern=r"^[Hh][Tt][Tt][Pp][Ss]?://[^\s/]+"), AfterValidator(_checked_url)]
PublicUrl = Annotated[Url, AfterValidator(_public)]
