"""Settings: the defaults, what is refused and how, and that secrets stay out of sight."""

import logging
from pathlib import Path

import pytest

from connectors.kafka.cluster import Cluster
from pipeline.config import Settings, SettingsInvalid, load_settings, unknown_variables
from pipeline.secrets import make_key
from pipeline.setting_words import shown, variable
from schemas.topics import TOPICS

DOCUMENTED: dict[str, object] = {
    "KAFKA_BOOTSTRAP_SERVERS": None,
    "KAFKA_SECURITY_PROTOCOL": "PLAINTEXT",
    "KAFKA_SASL_MECHANISM": None,
    "KAFKA_SASL_USERNAME": None,
    "KAFKA_SASL_PASSWORD": None,
    "KAFKA_SSL_CA_LOCATION": None,
    "KAFKA_SSL_CERTIFICATE_LOCATION": None,
    "KAFKA_SSL_KEY_LOCATION": None,
    "KAFKA_SSL_KEY_PASSWORD": None,
    "SCHEMA_REGISTRY_URL": None,
    "SCHEMA_REGISTRY_PROXY_URL": None,
    "PAIRSTREAM_SCHEMAS_UP_TO": None,
    "PAIRSTREAM_PARTITIONS": 4,
    "PAIRSTREAM_STATE_DIR": Path("/home/ada/.local/state/pairstream"),
    "PAIRSTREAM_STATE": "memory",
    "PAIRSTREAM_SECRET_KEY": (),
    "PAIRSTREAM_PUBLIC_KEY": None,
    "PAIRSTREAM_RECEIVER_PORT": 8080,
    "PAIRSTREAM_CONSOLE_PORT": 8090,
    "PAIRSTREAM_HEALTH_PORT": 0,
    "PAIRSTREAM_BIND_HOST": "127.0.0.1",
    "PAIRSTREAM_CONSOLE_BIND_HOST": "127.0.0.1",
    "PAIRSTREAM_CONSOLE_URL": None,
    "PAIRSTREAM_CONSOLE_MAPPINGS": "save",
    "PAIRSTREAM_CONSOLE_OIDC_ISSUER": None,
    "PAIRSTREAM_CONSOLE_OIDC_CLIENT_ID": None,
    "PAIRSTREAM_CONSOLE_OIDC_CLIENT_SECRET": None,
    "PAIRSTREAM_CONSOLE_OIDC_GROUPS_CLAIM": "groups",
    "PAIRSTREAM_CONSOLE_ROLES": {},
    "PAIRSTREAM_PUBLIC_URL": None,
    "HUBSPOT_WEBHOOK_BYTES": 1_000_000,
    "USERFLOW_WEBHOOK_BYTES": 1_000_000,
    "PAIRSTREAM_RECEIVER_CONNECTIONS": 500,
    "HUBSPOT_API_URL": "https://api.hubapi.com",
    "HUBSPOT_API_VERSION": "2026-03",
    "HUBSPOT_AUTHORIZE_URL": None,
    "HUBSPOT_OAUTH_PKCE": True,
    "USERFLOW_API_URL": None,
    "PAIRSTREAM_API_PROXY_URL": None,
    "PAIRSTREAM_ALLOW_HTTP_API": False,
    "PAIRSTREAM_LONGEST_WAIT_S": 900,
    "PAIRSTREAM_NOTIFY_URL": None,
    "PAIRSTREAM_NOTIFY_SECRET": None,
    "PAIRSTREAM_PREFIX": "",
    "PAIRSTREAM_ORDINAL": 0,
    "PAIRSTREAM_BULK_CREDIT": 300,
    "PAIRSTREAM_LOOKUP_INTERVAL_S": 900,
    "PAIRSTREAM_EVENT_HOLD_S": 900,
    "PAIRSTREAM_CHANGES_RETENTION_DAYS": 7,
    "PAIRSTREAM_FULL_SYNC_INTERVAL_S": 86_400,
    "PAIRSTREAM_FULL_SYNC_MOST_EMPTIED": 0.2,
    "PAIRSTREAM_JOURNAL_INTERVAL_S": 2.0,
    "PAIRSTREAM_POLL_INTERVAL_S": 10.0,
    "PAIRSTREAM_POLL_INDEX_LAG_S": 300.0,
    "PAIRSTREAM_POLL_ARCHIVED_INTERVAL_S": 60.0,
    "PAIRSTREAM_PATROL_OBJECTS_PER_S": 20.0,
    "PAIRSTREAM_POLL_SEEN_INTERVAL_S": 30.0,
    "PAIRSTREAM_POLL_MOST_SEEN": 1_000,
    "PAIRSTREAM_TRACES": "off",
    "PAIRSTREAM_LOG_FORMAT": "text",
    "PAIRSTREAM_LOG_LEVEL": "INFO",
}
HOME = {"HOME": "/home/ada"}
SASL = {
    "KAFKA_BOOTSTRAP_SERVERS": "kafka-1:9093,kafka-2:9093",
    "KAFKA_SECURITY_PROTOCOL": "sasl_ssl",
    "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
    "KAFKA_SASL_USERNAME": "ada",
    "KAFKA_SASL_PASSWORD": "pa55word",
    "KAFKA_SSL_CA_LOCATION": "/etc/ca.pem",
}


def refused(environment: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(HOME | environment)
    assert str(caught.value).splitlines() == list(caught.value.problems)
    return list(caught.value.problems)


def test_an_empty_environment_gives_the_documented_defaults() -> None:
    settings = load_settings(HOME)

    assert {variable(name): getattr(settings, name) for name in Settings.model_fields} == DOCUMENTED


def test_the_process_environment_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAIRSTREAM_PARTITIONS", "7")

    assert load_settings(HOME).partitions == 4


def test_values_come_from_the_environment_and_empty_ones_do_not_count() -> None:
    settings = load_settings({"PAIRSTREAM_PARTITIONS": " 24 ", "HUBSPOT_API_URL": "", "PAIRSTREAM_LOG_LEVEL": "debug"})

    assert (settings.partitions, settings.hubspot_api_url) == (24, "https://api.hubapi.com")
    assert settings.log_level == "DEBUG"


def test_the_state_directory_follows_xdg_unless_it_is_named() -> None:
    xdg = HOME | {"XDG_STATE_HOME": "/state"}

    assert load_settings(xdg).state_dir == Path("/state/pairstream")
    assert load_settings(xdg | {"PAIRSTREAM_STATE_DIR": "/data"}).state_dir == Path("/data")


def test_the_public_url_is_the_receivers_port_unless_it_is_named() -> None:
    assert load_settings({"PAIRSTREAM_RECEIVER_PORT": "81"}).webhook_base_url == "http://127.0.0.1:81"
    assert load_settings({"PAIRSTREAM_PUBLIC_URL": "https://a.test/b/"}).webhook_base_url == "https://a.test/b"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("https://Sync.Acme.COM", "https://sync.acme.com"),
        ("HTTPS://sync.acme.com:443/", "https://sync.acme.com"),
        ("http://sync.acme.com:80//", "http://sync.acme.com"),
        ("https://sync.acme.com:8443", "https://sync.acme.com:8443"),
        ("https://sync.acme.com/Pairstream/", "https://sync.acme.com/Pairstream"),
        ("https://[2001:DB8::1]:443", "https://[2001:db8::1]"),
    ],
)
def test_the_public_url_has_one_form_however_it_is_written(written: str, meant: str) -> None:
    assert load_settings({"PAIRSTREAM_PUBLIC_URL": written}).webhook_base_url == meant


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://me@sync.acme.com", "a user"),
        ("https://sync.acme.com/?a=1", "`?`"),
        ("https://sync.acme.com/#a", "`#`"),
        ("http://[x", "a port of 1 to 65535"),
        ("http://sync.acme.com:99999", "a port of 1 to 65535"),
        ("http://sync.acme.com:0", "a port of 1 to 65535"),
        ("https://müller.test", "in ASCII letters"),
    ],
)
def test_a_public_url_that_no_vendor_can_call_is_refused(url: str, reason: str) -> None:
    [problem] = refused({"PAIRSTREAM_PUBLIC_URL": url})

    assert problem.startswith("PAIRSTREAM_PUBLIC_URL: ")
    assert reason in problem
    assert "Fix: write" in problem


@pytest.mark.parametrize("name", ["HUBSPOT_API_URL", "USERFLOW_API_URL", "SCHEMA_REGISTRY_URL"])
@pytest.mark.parametrize("url", ["http://127.0.0.1:99999", "https://[x", "https://x y", "https://x/\ta"])
def test_an_address_that_no_request_can_be_sent_to_is_refused_at_the_start(name: str, url: str) -> None:
    [problem] = refused({name: url})

    assert problem.startswith(f"{name}: no address")


def test_packaged_ids_bound_nothing_where_a_registry_gives_others() -> None:
    assert load_settings(HOME | {"PAIRSTREAM_SCHEMAS_UP_TO": "70"}).schemas_up_to == 70
    [problem] = refused({"PAIRSTREAM_SCHEMAS_UP_TO": "70", "SCHEMA_REGISTRY_URL": "http://localhost:8081"})
    assert problem.startswith("PAIRSTREAM_SCHEMAS_UP_TO: its ids are the packaged ones")


@pytest.mark.parametrize("name", ["HUBSPOT_API_URL", "USERFLOW_API_URL"])
def test_tokens_do_not_travel_in_clear_unless_a_setting_allows_it(name: str) -> None:
    elsewhere = {name: "http://gateway.acme.com:8080"}

    [problem] = refused(elsewhere)
    assert problem.startswith(f"{name}: `http://gateway.acme.com:8080` would carry tokens")
    assert "Fix: write it with https://, or set PAIRSTREAM_ALLOW_HTTP_API=true" in problem
    load_settings(HOME | elsewhere | {"PAIRSTREAM_ALLOW_HTTP_API": "true"})
    for url in ("https://gateway.acme.com", "http://127.0.0.1:9001", "http://localhost:9001", "http://[::1]:9001"):
        load_settings(HOME | {name: url})
    assert refused({name: "http://localhost.acme.com"})


def test_a_proxys_password_is_not_shown() -> None:
    settings = load_settings(HOME | {"PAIRSTREAM_API_PROXY_URL": "http://me:pa55word@proxy:3128"})

    assert "pa55word" not in repr(settings)
    assert "pa55word" not in shown(settings.api_proxy_url)


def test_a_member_is_named_after_its_role_and_number() -> None:
    assert load_settings({"PAIRSTREAM_ORDINAL": "2"}).member_id("worker") == "worker-2"


def test_every_secret_of_the_settings_is_hidden_from_the_log() -> None:
    key = make_key()
    settings = load_settings(SASL | {"PAIRSTREAM_SECRET_KEY": key, "KAFKA_SSL_KEY_PASSWORD": "key-pass"})

    assert set(settings.hidden) == {key, "pa55word", "key-pass"}


def test_a_list_of_keys_keeps_its_order() -> None:
    new, old = make_key(), make_key()

    assert load_settings({"PAIRSTREAM_SECRET_KEY": f"{new}, {old},"}).secret_keys == (new, old)


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        (
            {"PAIRSTREAM_PARTITIONS": "four"},
            "PAIRSTREAM_PARTITIONS: not a whole number, got `four`. Fix: write, for example, PAIRSTREAM_PARTITIONS=24.",
        ),
        (
            {"PAIRSTREAM_PARTITIONS": "0"},
            "PAIRSTREAM_PARTITIONS: input should be greater than or equal to 1, got `0`. "
            "Fix: write, for example, PAIRSTREAM_PARTITIONS=24.",
        ),
        (
            {"PAIRSTREAM_RECEIVER_PORT": "70000"},
            "PAIRSTREAM_RECEIVER_PORT: input should be less than or equal to 65535, got `70000`. "
            "Fix: write, for example, PAIRSTREAM_RECEIVER_PORT=8080.",
        ),
        (
            {"PAIRSTREAM_LOG_FORMAT": "xml"},
            "PAIRSTREAM_LOG_FORMAT: input should be 'text' or 'json', got `xml`. "
            "Fix: write, for example, PAIRSTREAM_LOG_FORMAT=json.",
        ),
        (
            {"HUBSPOT_API_VERSION": "newest"},
            "HUBSPOT_API_VERSION: not in the form it needs, got `newest`. "
            "Fix: write, for example, HUBSPOT_API_VERSION=2026-03.",
        ),
        (
            {"SCHEMA_REGISTRY_URL": "me:pa55@registry"},
            "SCHEMA_REGISTRY_URL: not in the form it needs, got `***@registry`. "
            "Fix: write, for example, SCHEMA_REGISTRY_URL=http://registry:8081.",
        ),
        (
            {"PAIRSTREAM_SECRET_KEY": "pa55word"},
            "PAIRSTREAM_SECRET_KEY: key 1 of 1 is not 32 bytes in url-safe base64, "
            "as `openssl rand -base64 32 | tr '+/' '-_'` prints them, got a value that is not shown. "
            "Fix: write, for example, PAIRSTREAM_SECRET_KEY=NEW_KEY,OLD_KEY.",
        ),
        (
            {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "PLAIN"},
            "KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD: needed by the other KAFKA_ settings. Fix: set what is missing.",
        ),
        (
            {"KAFKA_SSL_KEY_LOCATION": "/a.key"},
            "KAFKA_SSL_CERTIFICATE_LOCATION: needed by the other KAFKA_ settings. Fix: set what is missing.",
        ),
        (
            {"PAIRSTREAM_CONSOLE_PORT": "8080"},
            "PAIRSTREAM_CONSOLE_PORT: 8080 is the receiver's port as well. Fix: choose another.",
        ),
    ],
)
def test_a_wrong_setting_is_named_with_its_remedy(environment: dict[str, str], message: str) -> None:
    assert refused(environment) == [message]


def test_every_wrong_setting_is_named_at_once() -> None:
    assert len(refused({"PAIRSTREAM_PARTITIONS": "x", "PAIRSTREAM_ORDINAL": "-1", "USERFLOW_API_URL": "x"})) == 3


def test_two_free_ports_may_both_be_zero() -> None:
    assert load_settings({"PAIRSTREAM_RECEIVER_PORT": "0", "PAIRSTREAM_CONSOLE_PORT": "0"}).console_port == 0


def test_every_setting_is_shown_and_no_secret() -> None:
    key = make_key()
    settings = load_settings(
        SASL | {"PAIRSTREAM_SECRET_KEY": key, "SCHEMA_REGISTRY_URL": "https://me:pa55@registry:8081"}
    )
    told = {variable(name): shown(getattr(settings, name)) for name in Settings.model_fields}

    assert list(told) == list(DOCUMENTED)
    assert told["SCHEMA_REGISTRY_URL"] == "https://***@registry:8081"
    for secret in (key, "pa55"):
        assert secret not in str(told)
        assert secret not in repr(settings)


def test_an_unknown_variable_is_a_warning_with_the_closest_name(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        load_settings(HOME | {"PAIRSTREAM_PARTITION": "8", "OTHER_VARIABLE": "x"})

    assert caplog.messages == ["PAIRSTREAM_PARTITION is set but means nothing; did you mean PAIRSTREAM_PARTITIONS?"]


def test_a_variable_that_was_replaced_names_what_took_its_place() -> None:
    assert unknown_variables({"PAIRSTREAM_TRANSACTIONAL_ID_PREFIX": "staging"}) == (
        "PAIRSTREAM_TRANSACTIONAL_ID_PREFIX is set but means nothing; PAIRSTREAM_PREFIX took its place",
    )


@pytest.mark.parametrize("prefix", ["staging", "a", "Team-7.eu_west", "x" * 225])
def test_a_prefix_that_kafka_takes_is_taken(prefix: str) -> None:
    settings = load_settings(HOME | {"PAIRSTREAM_PREFIX": prefix})

    cluster = Cluster({}, settings.prefix)
    assert max(len(cluster.physical(topic)) for topic in TOPICS) <= 249


@pytest.mark.parametrize(
    ("prefix", "why"),
    [
        ("größe", "only letters, digits, `.`, `_` and `-`, a letter or digit first and last"),
        ("my team", "only letters, digits, `.`, `_` and `-`, a letter or digit first and last"),
        ("-staging", "only letters, digits, `.`, `_` and `-`, a letter or digit first and last"),
        ("staging.", "only letters, digits, `.`, `_` and `-`, a letter or digit first and last"),
        ("x" * 226, "226 characters, and Kafka's names leave 225"),
    ],
)
def test_a_prefix_that_kafka_would_refuse_is_refused(prefix: str, why: str) -> None:
    assert refused({"PAIRSTREAM_PREFIX": prefix}) == [
        f"PAIRSTREAM_PREFIX: {why}, got `{prefix}`. Fix: write, for example, PAIRSTREAM_PREFIX=staging."
    ]


def test_a_variable_close_to_none_gets_no_suggestion() -> None:
    assert unknown_variables({"PAIRSTREAM_XYZZY_QQQ": "1"}) == ("PAIRSTREAM_XYZZY_QQQ is set but means nothing",)


NOTIFY = {"PAIRSTREAM_NOTIFY_URL": "https://alerts.test/hook", "PAIRSTREAM_NOTIFY_SECRET": "0123456789abcdef"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"PAIRSTREAM_NOTIFY_SECRET": ""}, "PAIRSTREAM_NOTIFY_SECRET: needed by PAIRSTREAM_NOTIFY_URL"),
        ({"PAIRSTREAM_NOTIFY_SECRET": "tooshort-9"}, "shorter than 16 bytes"),
        ({"PAIRSTREAM_NOTIFY_SECRET": "whsec_not base64"}, "no base64"),
        ({"PAIRSTREAM_NOTIFY_URL": "http://alerts.test/hook-9"}, "PAIRSTREAM_ALLOW_HTTP_API=true"),
        ({"PAIRSTREAM_NOTIFY_URL": "https://ada:pass-9@alerts.test/"}, "with a user in it"),
        ({"PAIRSTREAM_NOTIFY_URL": "ftp://alerts.test/hook-9"}, "no address"),
    ],
)
def test_notices_need_a_safe_url_and_what_signs_them(changes: dict[str, str], words: str) -> None:
    (problem,) = refused(NOTIFY | changes)

    assert words in problem
    assert not any(text in problem for text in ("hook-9", "pass-9", "tooshort-9", "alerts.test"))


def test_the_url_of_notices_is_as_secret_as_its_key() -> None:
    settings = load_settings(NOTIFY | {"PAIRSTREAM_NOTIFY_URL": "http://127.0.0.1:9/hook"})

    assert {"http://127.0.0.1:9/hook", "0123456789abcdef"} <= set(settings.hidden)
    assert "9/hook" not in shown(settings.notify_url)
