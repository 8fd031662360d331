"""The settings: read from the environment once, checked, documented, and never shown when secret."""

import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource

from connectors.contract.feed import FeedSettings
from connectors.http.addresses import is_loopback
from connectors.hubspot.protocol import API_URL, AUTHORIZE_URL
from connectors.kafka.cluster import SEPARATOR
from pipeline.kafka_settings import KafkaSettings
from pipeline.secret_files import SUFFIX, with_files
from pipeline.secrets import is_key, is_public_key
from pipeline.setting_words import (
    PREFIX,
    Folder,
    Port,
    PublicUrl,
    Secret,
    SecretUrl,
    Url,
    clear,
    default_state_dir,
    is_secret,
    problem,
    roles_by_group,
    setting,
    shown,
    suggestion,
    upper,
    variable,
)
from schemas.operating import ConsoleRole
from schemas.topics import TOPICS

_log = logging.getLogger(__name__)
MAKES_KEY: Final = "`openssl rand -base64 32 | tr '+/' '-_'`"
_KAFKA_NAME: Final = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?")
# 249 characters are the most that a topic's name may have
_LONGEST_PREFIX: Final = 249 - len(SEPARATOR) - max(map(len, TOPICS))


class SettingsInvalid(Exception):
    """Some settings must be changed before anything can start; one line per setting, secrets never shown."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Settings(KafkaSettings):
    """All settings; build it by `load_settings`."""

    schema_registry_url: Url | None = setting(
        None,
        "Confluent-compatible registry; unset: packaged ids",
        "http://registry:8081",
        repr=False,  # may hold a password
    )
    schema_registry_proxy_url: Url | None = setting(
        None,
        "a proxy on the way to the registry; unset: none, whatever HTTP_PROXY says",
        "http://proxy.acme.com:3128",
        repr=False,  # may hold a password
    )
    schemas_up_to: int | None = setting(
        None,
        "write records as the release whose newest schema this is, to be able to go back to it; unset: as this one",
        "70",
        ge=1,
    )
    partitions: int = setting(4, "partitions of all co-partitioned topics", "24", ge=1, le=10_000)
    state_dir: Folder = setting(
        Path("~/.local/state/pairstream"),
        "local broker, Faust's data, endpoints.json, key",
        "/var/lib/pairstream",
    )
    state: Literal["memory", "rocksdict"] = setting(
        "memory",
        "where a worker keeps its rows beside Kafka: in memory, or by rocksdict on disk below PAIRSTREAM_STATE_DIR",
        "rocksdict",
    )
    secret_key: Annotated[tuple[SecretStr, ...], NoDecode] = setting(
        (), "keys that encrypt secrets kept in Kafka, newest first; unset: made by `up`", "NEW_KEY,OLD_KEY"
    )
    public_key: str | None = setting(
        None,
        "lets `apply` seal without PAIRSTREAM_SECRET_KEY, in CI say; what `pairstream secrets public-key` prints",
        "X25519_KEY",
    )
    receiver_port: Port = setting(8080, "where webhooks arrive; 0: any free port", "8080")
    console_port: Port = setting(8090, "where the console answers; 0: any free port", "8090")
    health_port: Port = setting(0, "where this process answers /health/live and /ready; 0: any free port", "8070")
    bind_host: str = setting("127.0.0.1", "the address the receiver and /health bind", "0.0.0.0")
    console_bind_host: str = setting("127.0.0.1", "the address the console binds", "0.0.0.0")
    console_url: PublicUrl | None = setting(
        None, "where browsers find the console, if not at its port on this machine", "https://console.acme.com"
    )
    console_mappings: Literal["save", "propose"] = setting(
        "save", "save: mappings are saved in the console; propose: it shows the file to be applied elsewhere", "propose"
    )
    console_oidc_issuer: Url | None = setting(
        None, "the provider at which people sign in to the console, by OpenID Connect", "https://login.acme.com"
    )
    console_oidc_client_id: str | None = setting(None, "the console's name there", "pairstream")
    console_oidc_client_secret: SecretStr | None = setting(None, "its secret there", "a-long-random-text")
    console_oidc_groups_claim: str = setting("groups", "the claim that names somebody's groups", "groups")
    console_roles: Annotated[Mapping[str, ConsoleRole], NoDecode, BeforeValidator(roles_by_group)] = setting(
        {},
        "what each group may in the console: viewer, operator or admin; `*`: everybody whom the provider knows",
        "platform:admin,crm-ops:operator,*:viewer",
    )
    public_url: PublicUrl | None = setting(
        None,
        "where the vendors reach the receiver; unset: the receiver's port on this machine",
        "https://sync.acme.com",
    )
    hubspot_webhook_bytes: int = setting(
        1_000_000, "the largest body of a HubSpot webhook that is read", "1000000", ge=10_000, le=40_000_000
    )
    userflow_webhook_bytes: int = setting(
        1_000_000, "the largest body of a Userflow webhook that is read", "1000000", ge=10_000, le=40_000_000
    )
    receiver_connections: int = setting(
        500, "connections the receiver holds open; strangers' are closed first", "500", ge=10, le=100_000
    )
    hubspot_api_url: Url = setting(API_URL, "HubSpot's API", API_URL)
    hubspot_api_version: str = setting(
        "2026-03", "HubSpot's API version", "2026-03", pattern=r"^(20[0-9]{2}-[0-9]{2}|v[0-9])$"
    )
    hubspot_authorize_url: Url | None = setting(
        None,
        "HubSpot's page at which people grant access; unset: its own, or /oauth/authorize of another HUBSPOT_API_URL",
        "https://app.hubspot.com/oauth/authorize",
    )
    hubspot_oauth_pkce: bool = setting(
        True, "whether a grant in the browser is bound to it by PKCE; HubSpot asks some apps for it", "true"
    )
    userflow_api_url: Url | None = setting(None, "Userflow's API; unset: by region", "https://api.userflow.com")
    api_proxy_url: Url | None = setting(
        None,
        "a proxy on the way to both APIs; unset: none, whatever HTTP_PROXY says",
        "http://proxy.acme.com:3128",
        repr=False,  # may hold a password
    )
    allow_http_api: bool = setting(
        False, "whether an API may be called by http:// on another machine, tokens and all", "true"
    )
    longest_wait_s: int = setting(
        900,
        "the longest wait that a vendor may ask for, in seconds; a longer one is cut to it, with a log line",
        "900",
        ge=1,
    )
    notify_url: SecretUrl | None = setting(
        None, "where changes of state are told; unset: nowhere", "https://alerts.acme.com/pairstream"
    )
    notify_secret: Secret | None = setting(
        None,
        "what signs them, by HMAC-SHA256; needed by PAIRSTREAM_NOTIFY_URL",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    )
    prefix: str = setting(
        "", "starts every name on the brokers, so that several installations may share them; unset: none", "staging"
    )
    ordinal: int = setting(0, "the number of this process among those of its role: `<role>-<ordinal>`", "0", ge=0)
    bulk_credit: int = setting(
        300, "bulk records that may be unfinished in the workers at first; it follows how fast they end", "300", ge=1
    )
    lookup_interval_s: int = setting(900, "seconds between lookups of one match value", "900", ge=1)
    event_hold_s: int = setting(900, "seconds an event waits for its pair", "900", ge=0)
    changes_retention_days: int = setting(7, "days that changes can be replayed", "7", ge=1)
    full_sync_interval_s: int = setting(86_400, "seconds between scheduled full syncs; 0: none", "86400", ge=0)
    full_sync_most_emptied: float = setting(
        0.2, "the share of pairs that a full sync may empty a field of without asking; 1: any", "0.2", ge=0, le=1
    )
    journal_interval_s: float = setting(
        2.0, "seconds between looks into HubSpot's journal, where `source: journal`", "2", ge=0.1, le=3_600
    )
    poll_interval_s: float = setting(
        10.0, "seconds between searches for what changed in HubSpot, where `source: poll`", "10", ge=0.1, le=86_400
    )
    poll_index_lag_s: float = setting(
        300.0,
        "seconds after which HubSpot's search surely knows of a change; until then what changed is searched once more",
        "300",
        ge=1,
        le=86_400,
    )
    poll_archived_interval_s: float = setting(
        60.0, "seconds between looks into HubSpot's recycling bin, where `source: poll`", "60", ge=0.1, le=86_400
    )
    patrol_objects_per_s: float = setting(
        20.0, "objects of one type read a second where only reading tells of a change", "20", gt=0, le=10_000
    )
    poll_seen_interval_s: float = setting(
        30.0, "seconds between reads of the users last seen, where Userflow has `source: poll`", "30", ge=0.1, le=86_400
    )
    poll_most_seen: int = setting(1_000, "users last seen that are read at once, at most", "1000", ge=100, le=100_000)
    traces: Literal["off", "otlp"] = setting(
        "off", "whether spans are sent by OpenTelemetry, to where its own OTEL_ variables say", "otlp"
    )
    log_format: Literal["text", "json"] = setting("text", "how log lines are written", "json")
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(upper)] = setting(
        "INFO", "the least log level written", "INFO"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment is an argument of `load_settings`; nothing else is read."""
        return (init_settings,)

    @field_validator("prefix")
    @classmethod
    def _fit_for_kafka(cls, prefix: str) -> str:
        if not _KAFKA_NAME.fullmatch(prefix):
            raise ValueError("only letters, digits, `.`, `_` and `-`, a letter or digit first and last")
        if len(prefix) > _LONGEST_PREFIX:
            raise ValueError(f"{len(prefix)} characters, and Kafka's names leave {_LONGEST_PREFIX}")
        return prefix

    @field_validator("secret_key", mode="before")
    @classmethod
    def _split_keys(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("secret_key")
    @classmethod
    def _usable_keys(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for number, key in enumerate(keys, 1):
            if not is_key(key.get_secret_value()):
                raise ValueError(
                    f"key {number} of {len(keys)} is not 32 bytes in url-safe base64, as {MAKES_KEY} prints them"
                )
        return keys

    @field_validator("public_key")
    @classmethod
    def _usable_public_key(cls, key: str | None) -> str | None:
        if key is not None and not is_public_key(key):
            raise ValueError("not 32 bytes in url-safe base64, as `pairstream secrets public-key` prints them")
        return key

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.schemas_up_to is not None and self.schema_registry_url is not None:
            raise ValueError(
                f"{variable('schemas_up_to')}: its ids are the packaged ones, and with SCHEMA_REGISTRY_URL an earlier "
                "release reads every schema from the registry. Fix: unset it"
            )
        for name in ("hubspot_api_url", "userflow_api_url"):
            url = getattr(self, name)
            if url and not self._may_call(url):
                raise ValueError(
                    f"{variable(name)}: `{shown(url)}` would carry tokens and people's fields in clear. "
                    f"Fix: write it with https://, or set {variable('allow_http_api')}=true if that network is yours"
                )
        if self.notify_url and not self._may_call(clear(self.notify_url)):
            raise ValueError(
                f"{variable('notify_url')}: it would carry what is wrong in clear. "
                f"Fix: write it with https://, or set {variable('allow_http_api')}=true if that network is yours"
            )
        if self.notify_url and not self.notify_secret:
            raise ValueError(f"{variable('notify_secret')}: needed by {variable('notify_url')}. Fix: set it")
        if self.console_oidc_issuer and not self._may_call(self.console_oidc_issuer):
            raise ValueError(
                f"{variable('console_oidc_issuer')}: `{shown(self.console_oidc_issuer)}` would carry codes in clear. "
                "Fix: write it with https://"
            )
        lacking = [*self._missing_for_oidc()]
        if lacking:
            raise ValueError(
                f"{', '.join(map(variable, lacking))}: needed by {variable('console_oidc_issuer')}. Fix: set it"
            )
        missing = list(self.missing_for_kafka())
        if missing:
            raise ValueError(
                f"{', '.join(map(variable, missing))}: needed by the other KAFKA_ settings. Fix: set what is missing"
            )
        if self.receiver_port and self.receiver_port == self.console_port:
            raise ValueError(
                f"PAIRSTREAM_CONSOLE_PORT: {self.console_port} is the receiver's port as well. Fix: choose another"
            )
        return self

    def _may_call(self, url: str) -> bool:
        return url.lower().startswith("https:") or is_loopback(url) or self.allow_http_api

    def _missing_for_oidc(self) -> Iterator[str]:
        if self.console_oidc_issuer:
            needed = ("console_oidc_client_id", "console_oidc_client_secret", "console_roles")
            yield from (name for name in needed if not getattr(self, name))

    @property
    def webhook_base_url(self) -> str:
        """The public URL, without a slash at the end; it is part of HubSpot's signature."""
        return (self.public_url or f"http://127.0.0.1:{self.receiver_port}").rstrip("/")

    @property
    def authorize_page(self) -> str:
        """HubSpot's page at which people grant access; with another API, such as the simulator's, the page there."""
        if self.hubspot_authorize_url is not None:
            return self.hubspot_authorize_url
        own = self.hubspot_api_url.rstrip("/") == API_URL
        return AUTHORIZE_URL if own else f"{self.hubspot_api_url.rstrip('/')}/oauth/authorize"

    @property
    def feeds(self) -> FeedSettings:
        """How often systems are asked that send no webhooks."""
        return FeedSettings(
            journal_interval_s=self.journal_interval_s,
            poll_interval_s=self.poll_interval_s,
            index_lag_s=self.poll_index_lag_s,
            archived_interval_s=self.poll_archived_interval_s,
            patrol_per_s=self.patrol_objects_per_s,
            seen_interval_s=self.poll_seen_interval_s,
            most_seen=self.poll_most_seen,
        )

    @property
    def secret_keys(self) -> tuple[str, ...]:
        """The keys in clear, newest first, for `SecretBox`."""
        return tuple(key.get_secret_value() for key in self.secret_key)

    @property
    def hidden(self) -> tuple[str, ...]:
        """Every secret of the settings in clear, for the masking of log lines."""
        values = (getattr(self, name) for name in type(self).model_fields)
        alone = (value for value in values if isinstance(value, SecretStr))
        return (*self.secret_keys, *(secret.get_secret_value() for secret in alone))

    def member_id(self, role: str) -> str:
        """The static member id (`group.instance.id`) of this process in a role."""
        return f"{role}-{self.ordinal}"

    def kafka_client_config(self, local_broker: str | None = None) -> dict[str, str]:
        """librdkafka's connection properties; `local_broker` (host:port) stands in where no brokers are set.

        Raises Misconfigured when there are no brokers at all.
        """
        servers = self.kafka_bootstrap_servers or local_broker
        if not servers:
            raise SettingsInvalid(
                "KAFKA_BOOTSTRAP_SERVERS: not set, and no local broker is running. "
                "Fix: set it, for example KAFKA_BOOTSTRAP_SERVERS=kafka:9092, or run `pairstream up`."
            )
        if problems := list(self.unusable_certificates()):
            raise SettingsInvalid(*problems)
        return self.client_properties(servers)


def load_settings(environment: Mapping[str, str]) -> Settings:
    """The settings that the environment gives; an empty variable counts as unset.

    Logs a warning for each unknown PAIRSTREAM_ variable. Raises Misconfigured naming every wrong variable.
    """
    for warning in unknown_variables(environment):
        _log.warning("%s", warning)
    environment, unusable = with_files(environment, secret_variables())
    if unusable:
        raise SettingsInvalid(*unusable)
    given: dict[str, Any] = {name: text for name in _variables() if (text := environment.get(name, "").strip())}
    given.setdefault("PAIRSTREAM_STATE_DIR", default_state_dir(environment))
    try:
        return Settings(**given)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False)
        raise SettingsInvalid(*(problem(dict(error), given, _variables()) for error in problems)) from None


def unknown_variables(environment: Mapping[str, str]) -> tuple[str, ...]:
    """One sentence per unknown PAIRSTREAM_ variable, with its successor or the closest name."""
    known = (*_variables(), *(name + SUFFIX for name in secret_variables()))
    return tuple(
        f"{name} is set but means nothing{suggestion(name, known)}"
        for name in sorted(environment)
        if name.startswith(PREFIX) and name not in known
    )


def secret_variables() -> tuple[str, ...]:
    """The variables that may stand in a file: secrets, and addresses that may hold a password."""
    return tuple(name for name, field in _variables().items() if is_secret(field) or not field.repr)


def _variables() -> Mapping[str, FieldInfo]:
    return {variable(name): field for name, field in Settings.model_fields.items()}
