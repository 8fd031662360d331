"""The words of settings: how a variable is named and shown, and the forms that its text may have."""

import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr
from pydantic.fields import FieldInfo

from connectors.http.addresses import is_address
from pipeline.signing_key import key_of

MASK: Final = "***"
PREFIX: Final = "PAIRSTREAM_"
_OWN_NAMES: Final = ("kafka_", "schema_registry_", "hubspot_", "userflow_")
_REPLACED: Final = {"PAIRSTREAM_TRANSACTIONAL_ID_PREFIX": "PAIRSTREAM_PREFIX"}
_PLAIN_WORDS: Final = {"string_pattern_mismatch": "not in the form it needs", "int_parsing": "not a whole number"}
_SHORTEST_SECRET: Final = 16
_USERINFO: Final = re.compile(r"^([A-Za-z]+://)?.*@")


def shown(value: object) -> str:
    """A setting's value as anybody may see it."""
    if value is None or value in ((), ""):
        return "-"
    if isinstance(value, SecretStr):
        return MASK
    if isinstance(value, Mapping):
        return ",".join(f"{name}:{one}" for name, one in value.items()) or "-"
    if isinstance(value, tuple):
        return ",".join(map(shown, value))
    return _USERINFO.sub(rf"\g<1>{MASK}@", str(value))


def variable(name: str) -> str:
    """`partitions` -> `PAIRSTREAM_PARTITIONS`, `kafka_sasl_username` -> `KAFKA_SASL_USERNAME`."""
    return name.upper() if name.startswith(_OWN_NAMES) else f"{PREFIX}{name.upper()}"


def setting(default: Any, meaning: str, example: str, **limits: Any) -> Any:
    # Any is what pydantic's own Field() takes and gives
    return Field(default, description=meaning, examples=[example], **limits)


def roles_by_group(value: object) -> object:
    """`platform:admin,*:viewer` by group; what is no text stays. Raises ValueError for a part that is none."""
    if not isinstance(value, str):
        return value
    found = {}
    for part in filter(None, (one.strip() for one in value.split(","))):
        group, colon, role = part.rpartition(":")
        if not colon or not group.strip():
            raise ValueError(f"`{part}` is no group with its role")
        found[group.strip()] = role.strip()
    return found


def default_state_dir(environment: Mapping[str, str]) -> Path:
    """Where state is kept unless it is said: as XDG says."""
    home = Path(environment.get("HOME") or Path.home())
    return Path(environment.get("XDG_STATE_HOME") or home / ".local/state") / "pairstream"


def is_secret(field: FieldInfo) -> bool:
    """Whether a setting's value is never shown."""
    return "SecretStr" in str(field.annotation)


def problem(error: Mapping[str, Any], given: Mapping[str, Any], fields: Mapping[str, FieldInfo]) -> str:
    """pydantic's error as `VARIABLE: what is wrong, got `text`. Fix: an example`; `fields` by their variables."""
    message = str(error["msg"]).removeprefix("Value error, ")
    if not error["loc"]:
        return f"{message}."
    message = _PLAIN_WORDS.get(error["type"], message[:1].lower() + message[1:])
    name = str(error["loc"][0])
    field = fields[name]
    got = "a value that is not shown" if is_secret(field) else f"`{shown(given[name])}`"
    return f"{name}: {message}, got {got}. Fix: write, for example, {name}={(field.examples or ['...'])[0]}."


def suggestion(name: str, known: Iterable[str]) -> str:
    """How a warning of an unknown variable ends: its successor, or the closest name that is known."""
    if name in _REPLACED:
        return f"; {_REPLACED[name]} took its place"
    # without the prefix that they share, which would make any two of them alike
    tails = {other.removeprefix(PREFIX): other for other in known}
    close = difflib.get_close_matches(name.removeprefix(PREFIX), tails, n=1)
    return f"; did you mean {tails[close[0]]}?" if close else ""


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
        is_port = port.isascii() and port.isdigit() and len(port) < 6 and 0 < int(port) < 65_536
        # a listener's `PLAINTEXT://` is one of its brokers, to one of the two Kafka clients alone
        if not (colon and host and is_port) or "/" in host or any(map(str.isspace, broker)):
            raise ValueError(f"`{shown(broker)}` is no HOST:PORT")
    return ",".join(brokers) or None


def _secret_url(url: SecretStr) -> SecretStr:
    text = url.get_secret_value()
    if not text.lower().startswith(("http://", "https://")):
        raise ValueError("no address that begins with https://")
    _checked_url(text)
    if urlsplit(text).username is not None:
        raise ValueError("an address with a user in it")
    return url


def _long_enough(secret: SecretStr) -> SecretStr:
    if len(key_of(secret.get_secret_value())) < _SHORTEST_SECRET:
        raise ValueError(f"shorter than {_SHORTEST_SECRET} bytes")
    return secret


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


Brokers = Annotated[str | None, AfterValidator(_every_broker)]
Folder = Annotated[Path, AfterValidator(_absolute)]
Port = Annotated[int, Field(ge=0, le=65_535)]
Url = Annotated[str, Field(pattern=r"^[Hh][Tt][Tt][Pp][Ss]?://[^\s/]+"), AfterValidator(_checked_url)]
PublicUrl = Annotated[Url, AfterValidator(_public)]
SecretUrl = Annotated[SecretStr, AfterValidator(_secret_url)]
Secret = Annotated[SecretStr, AfterValidator(_long_enough)]


def upper(value: object) -> object:
    """A word in capitals, however it is written."""
    return value.upper() if isinstance(value, str) else value


def clear(value: object) -> str:
    """A setting's value as text, a secret's in clear."""
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)
