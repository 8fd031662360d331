"""Where no broker listens, a command says so and ends; a role logs it within seconds, and tries on."""

import logging
from pathlib import Path

import pytest

from connectors.kafka.groups import BrokersUnreachable
from pipeline.commands.role_actions import open_role
from pipeline.commands.session import open_process
from pipeline.local.ports import free_port
from pipeline.process import Process

SETTING = "set KAFKA_BOOTSTRAP_SERVERS to where they listen"


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Where nobody listens."""
    at = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", at)
    monkeypatch.setenv("PAIRSTREAM_STATE_DIR", str(tmp_path))
    monkeypatch.setattr("pipeline.commands.session.set_up", lambda *_, **__: None)  # pytest's handlers stay
    monkeypatch.setattr("pipeline.commands.role_actions.clean_up_on_ctrl_c", lambda: None)
    monkeypatch.setattr("pipeline.commands.role_actions.os.umask", lambda _: None)
    return at


def test_a_role_logs_the_address_and_the_setting_and_goes_on(address: str, caplog: pytest.LogCaptureFixture) -> None:
    """It said nothing for as long as Kafka's client asks: fifteen seconds."""
    assert isinstance(open_role(), Process)
    (told,) = [one for one in caplog.records if one.levelno >= logging.ERROR]
    assert f"no broker at {address} (" in told.getMessage() and SETTING in told.getMessage()


def test_a_command_ends_with_the_same_words(address: str, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(BrokersUnreachable, match=f"no broker at {address} .*{SETTING}"):
        open_process()
    assert not [one for one in caplog.records if one.levelno >= logging.ERROR]
