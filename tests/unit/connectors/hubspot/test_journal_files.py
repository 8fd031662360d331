"""The journal's files are fetched from the public internet alone, a simulator's from this machine."""

import asyncio
from typing import Any

import pytest

from connectors.contract.errors import Misconfigured, Transient
from connectors.http.messages import Headers, Request, Response
from connectors.hubspot.journal_files import JournalFiles


class _FileHost:
    """Answers every file with the same status."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.sent: list[Request] = []

    async def send(self, request: Request) -> Response:
        self.sent.append(request)
        return Response(self.status, Headers(), b"{}")

    def stop(self) -> None:
        """Nobody stops it."""

    async def aclose(self) -> None:
        """Nothing is open."""


class TestAddresses:
    @pytest.mark.parametrize(
        "url",
        [
            "http://files.example.com/1",
            "https://127.0.0.1/1",
            "https://localhost/1",
            "https://169.254.169.254/latest/meta-data",
            "https://10.1.2.3/1",
            "https://[fd00::1]/1",
            "https://[::ffff:10.1.2.3]/1",
            "ftp://files.example.com/1",
            "nonsense",
        ],
    )
    async def test_a_file_that_is_not_of_the_public_internet_is_never_asked_for(self, url: str) -> None:
        host = _FileHost()
        files = JournalFiles("https://api.hubapi.com", opened=lambda *_: host)
        with pytest.raises(Misconfigured) as refused:
            await files.fetch(url)
        assert (refused.value.reason, host.sent) == ("journal_file_not_public", [])

    async def test_a_name_that_leads_into_a_private_network_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def private(*_: Any, **__: Any) -> list[Any]:
            return [(2, 1, 6, "", ("192.168.0.7", 443))]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", private)
        files = JournalFiles("https://api.hubapi.com", opened=lambda *_: _FileHost())
        with pytest.raises(Misconfigured):
            await files.fetch("https://rebound.example.com/1")

    async def test_a_simulators_files_lie_on_this_machine_and_nowhere_else(self) -> None:
        files = JournalFiles("http://127.0.0.1:9", opened=lambda *_: _FileHost())
        assert await files.fetch("http://127.0.0.1:9/1?a=b") == b"{}"
        with pytest.raises(Misconfigured):
            await files.fetch("https://files.example.com/1")

    async def test_an_account_that_is_over_fetches_nothing(self) -> None:
        class Stopped(_FileHost):
            def stop(self) -> None:
                self.status = 0

        files = JournalFiles("http://localhost", opened=lambda *_: Stopped())
        files.stop()
        with pytest.raises(Transient):
            await files.fetch("http://localhost/1")
