"""`NAME_FILE`: what a file gives, and how one that gives nothing is refused without a word of its content."""

from pathlib import Path

import pytest

from pipeline.config import SettingsInvalid, load_settings, unknown_variables
from pipeline.secret_files import MOST_BYTES, SecretFileUnusable, secret
from pipeline.secrets import make_key

HOME = {"HOME": "/home/ada"}


def file(folder: Path, content: bytes) -> str:
    path = folder / "mounted"
    path.write_bytes(content)
    return str(path)


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n"])
def test_the_line_s_end_is_no_part_of_it(tmp_path: Path, end: str) -> None:
    path = file(tmp_path, f" pa55 word {end}".encode())

    assert secret("TOKEN", {"TOKEN_FILE": path}) == " pa55 word "


def test_without_a_file_it_is_the_variable() -> None:
    assert secret("TOKEN", {"TOKEN": "a", "TOKEN_FILE": " "}) == "a"
    assert secret("TOKEN", {"TOKEN": ""}) is None


def test_both_at_once_are_refused_by_their_names(tmp_path: Path) -> None:
    with pytest.raises(SecretFileUnusable, match="TOKEN_FILE: set beside TOKEN"):
        secret("TOKEN", {"TOKEN": "pa55", "TOKEN_FILE": file(tmp_path, b"w0rd")})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\n", "`mounted` is empty"),
        (b"pa55\xff", "no UTF-8"),
        (b"pa55" * MOST_BYTES, "more than 65536 bytes"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_gives_nothing_is_named_and_not_shown(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = str(tmp_path / "mounted") if content is None else file(tmp_path, content)
    with pytest.raises(SecretFileUnusable) as caught:
        secret("TOKEN", {"TOKEN_FILE": path})

    assert words in str(caught.value)
    assert str(caught.value).startswith("TOKEN_FILE: ")
    assert "pa55" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(SecretFileUnusable, match="cannot be read"):
        secret("TOKEN", {"TOKEN_FILE": str(tmp_path)})


def test_settings_take_their_secrets_from_files(tmp_path: Path) -> None:
    keys = [make_key(), make_key()]
    settings = load_settings(HOME | {"PAIRSTREAM_SECRET_KEY_FILE": file(tmp_path, ",".join(keys).encode() + b"\n")})

    assert list(settings.secret_keys) == keys
    assert set(keys) <= set(settings.hidden)


@pytest.mark.parametrize(
    "name",
    [
        "PAIRSTREAM_SECRET_KEY",
        "KAFKA_SASL_PASSWORD",
        "KAFKA_SSL_KEY_PASSWORD",
        "SCHEMA_REGISTRY_URL",
        "SCHEMA_REGISTRY_PROXY_URL",
        "PAIRSTREAM_API_PROXY_URL",
        "PAIRSTREAM_NOTIFY_URL",
        "PAIRSTREAM_NOTIFY_SECRET",
    ],
)
def test_every_setting_that_may_hold_a_secret_has_a_file(tmp_path: Path, name: str) -> None:
    assert not unknown_variables({f"{name}_FILE": "x"})
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(HOME | {f"{name}_FILE": str(tmp_path / "mounted")})

    assert caught.value.problems == (
        f"{name}_FILE: `mounted` cannot be read (No such file or directory). "
        "Fix: name a file that this process may read.",
    )


def test_other_settings_have_none() -> None:
    (warning,) = unknown_variables({"PAIRSTREAM_PARTITIONS_FILE": "x"})

    assert "PAIRSTREAM_PARTITIONS_FILE is set but means nothing" in warning


def test_a_wrong_value_from_a_file_is_refused_like_any_other(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(HOME | {"PAIRSTREAM_SECRET_KEY_FILE": file(tmp_path, b"n0-key")})

    assert "PAIRSTREAM_SECRET_KEY: key 1 of 1 is not 32 bytes" in str(caught.value)
    assert "n0-key" not in str(caught.value)
