"""A look writes nothing anywhere: no state directory, no key, no schema, no topic."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.config import SettingsInvalid, load_settings
from pipeline.process import Process
from pipeline.secrets import NoKeyFits, SecretBox, load_or_make_key, make_key

NOBODY = "127.0.0.1:1"
PLACE = "acme/hubspot/token"
FILE = """\
integration: acme
hubspot: {account: 1, app_secret: "${HUBSPOT_APP_SECRET}", token: "${HUBSPOT_TOKEN}"}
userflow: {environment: production, api_key: "${USERFLOW_API_KEY}"}
mappings:
  - {name: a, hubspot: contacts, userflow: users, match: {hubspot: email, userflow: email}, to_userflow: [jobtitle]}
"""


@pytest.mark.parametrize(
    "words",
    [
        ["doctor"],
        ["topics", "check"],
        ["integration", "list"],
        ["integration", "show", "acme"],
        ["lag"],
        ["lag", "--max-behind", "60s"],
        ["export", "acme"],
        ["plan", "acme.yaml"],
        ["validate", "acme.yaml"],
        ["simulate", "show", "hubspot", "contacts", "1"],
    ],
    ids=lambda words: " ".join(words),
)
def test_no_state_directory_is_made_by_a_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    (tmp_path / "acme.yaml").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("connectors.kafka.reaching.check_reached.__defaults__", (0.2,))
    for name in ("HUBSPOT_APP_SECRET", "HUBSPOT_TOKEN", "USERFLOW_API_KEY"):
        monkeypatch.setenv(name, "value-of-a-secret")
    monkeypatch.setenv("PAIRSTREAM_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", NOBODY)
    monkeypatch.delenv("PAIRSTREAM_SECRET_KEY", raising=False)

    result = CliRunner().invoke(main, words)

    assert result.exit_code == (0 if words[0] == "validate" else 1)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert [path.name for path in tmp_path.iterdir()] == ["acme.yaml"]


def opened(state_dir: Path, *, makes_key: bool) -> Process:
    settings = load_settings({"PAIRSTREAM_STATE_DIR": str(state_dir), "KAFKA_BOOTSTRAP_SERVERS": NOBODY})
    return Process.open(settings, makes_key=makes_key)


def test_a_look_uses_the_key_that_is_there_and_opens_nothing_without_one(tmp_path: Path) -> None:
    without = opened(tmp_path, makes_key=False)
    load_or_make_key(tmp_path)
    sealed = opened(tmp_path, makes_key=True).box.seal("secret", PLACE)

    assert opened(tmp_path, makes_key=False).box.open(sealed, PLACE) == "secret"
    with pytest.raises(NoKeyFits):
        without.box.open(sealed, PLACE)


def test_a_command_with_the_public_key_alone_seals_for_the_roles_and_makes_no_key(tmp_path: Path) -> None:
    key = make_key()
    roles = SecretBox([key])
    given = {"PAIRSTREAM_STATE_DIR": str(tmp_path / "ci"), "KAFKA_BOOTSTRAP_SERVERS": NOBODY}
    ci = Process.open(load_settings({**given, "PAIRSTREAM_PUBLIC_KEY": roles.public_keys[0]}), makes_key=True)

    sealed = ci.seal("secret", PLACE)

    assert roles.open(sealed, PLACE) == "secret"
    assert not ci.box.can_open(sealed, PLACE)
    assert not (tmp_path / "ci").exists()

    both = {**given, "PAIRSTREAM_SECRET_KEY": make_key(), "PAIRSTREAM_PUBLIC_KEY": roles.public_keys[0]}
    with pytest.raises(SettingsInvalid, match="is of none of the keys"):
        Process.open(load_settings(both)).seal("secret", PLACE)


def test_a_command_without_any_key_seals_nothing_and_says_nothing_of_secrets(tmp_path: Path) -> None:
    """What it sealed by a key of its own, no role could open."""
    keyless = opened(tmp_path, makes_key=False)
    with pytest.raises(SettingsInvalid, match="PAIRSTREAM_PUBLIC_KEY to what"):
        keyless.seal("secret", PLACE)
    assert keyless.keyless and not list(tmp_path.iterdir())

    load_or_make_key(tmp_path)
    assert not opened(tmp_path, makes_key=False).keyless


def test_the_public_key_is_printed_where_the_key_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAIRSTREAM_STATE_DIR", str(tmp_path))
    monkeypatch.delenv("PAIRSTREAM_SECRET_KEY", raising=False)
    refused = CliRunner().invoke(main, ["secrets", "public-key"])
    assert refused.exit_code == 1 and "there is no key yet" in refused.output

    key = load_or_make_key(tmp_path)
    assert CliRunner().invoke(main, ["secrets", "public-key"]).output == f"{SecretBox([key]).public_keys[0]}\n"
