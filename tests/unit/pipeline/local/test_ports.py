"""Free ports: one that was given to somebody is given to nobody else while its server starts."""

import socket

import pytest

from pipeline.local import ports
from pipeline.local.ports import LOOPBACK, free_port, is_free


def test_a_port_that_was_given_away_is_given_to_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two starts at the same time chose one port, and the second server could not listen."""
    given = free_port()
    monkeypatch.setattr(ports, "_FIRST", given)
    monkeypatch.setattr(ports, "_LAST", given)
    with pytest.raises(OSError, match="no free port"):
        free_port()


def test_the_server_it_was_chosen_for_can_listen() -> None:
    given = free_port()
    assert is_free(given)
    with socket.create_server((LOOPBACK, given)) as server:
        assert not is_free(given)
        with socket.create_connection((LOOPBACK, given)):
            server.accept()[0].close()


def test_a_port_that_somebody_listens_on_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        taken = server.getsockname()[1]
        monkeypatch.setattr(ports, "_FIRST", taken)
        monkeypatch.setattr(ports, "_LAST", taken)
        with pytest.raises(OSError, match="no free port"):
            free_port()
