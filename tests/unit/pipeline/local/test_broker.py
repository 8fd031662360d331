"""The broker's settings and ports, without a JVM."""

import socket
from pathlib import Path

import pytest

from pipeline.local.broker import POM, BrokerSettings, LocalBroker, Ports, choose_ports, server_properties
from pipeline.local.errors import JavaMissing, StartFailed
from pipeline.local.jars import cache_name
from pipeline.local.ports import LOOPBACK, free_port, is_free


def settings_of(text: str) -> dict[str, str]:
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def test_one_broker_replicates_nothing() -> None:
    settings = settings_of(server_properties(Path("data"), Ports(1, 2)))
    copies = {name: value for name, value in settings.items() if "replication.factor" in name or name.endswith("isr")}
    assert len(copies) >= 6
    assert set(copies.values()) == {"1"}


def test_it_listens_on_the_loopback_address_only() -> None:
    settings = settings_of(server_properties(Path("data"), Ports(21092, 21093)))
    assert settings["listeners"] == "PLAINTEXT://127.0.0.1:21092,CONTROLLER://127.0.0.1:21093"


def test_sessions_of_the_roles_are_allowed() -> None:
    settings = settings_of(server_properties(Path("data"), Ports(1, 2)))
    assert int(settings["group.min.session.timeout.ms"]) <= 6000


def test_the_port_used_before_is_used_again() -> None:
    before = Ports(free_port(), free_port())
    assert choose_ports(0, before) == before


def test_a_port_taken_meanwhile_is_not() -> None:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not is_free(port)
        assert choose_ports(0, Ports(port, free_port())).broker != port


def test_the_port_asked_for_goes_first() -> None:
    assert choose_ports(4321, Ports(free_port(), free_port())).broker == 4321


def test_both_listeners_never_share_a_port() -> None:
    port = free_port()
    ports = choose_ports(port, Ports(free_port(), port))
    assert ports.broker == port
    assert ports.controller != port


def test_without_java_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(JavaMissing):
        LocalBroker(BrokerSettings(tmp_path / "kafka")).start()
    assert not (tmp_path / "kafka").exists()


# Formats, says something, and dies.
DYING_JAVA = """#!/bin/sh
case "$*" in
  -version) echo 'openjdk version "17.0.1"' >&2 ;;
  *StorageTool*) ;;
  *) echo "no space left"; exit 1 ;;
esac
"""


def test_a_broker_that_dies_shows_its_last_lines_and_frees_the_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text(DYING_JAVA)
    java.chmod(0o755)
    (tmp_path / "cache" / "pairstream" / cache_name(POM.read_bytes())).mkdir(parents=True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    for _ in range(2):
        with pytest.raises(StartFailed, match=r"(?s)ended while starting.*no space left"):
            LocalBroker(BrokerSettings(tmp_path / "kafka")).start()
