"""The way to a schema registry: none of the environment's proxies, and the one that is named."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from schemas.registry import RemoteRegistry

NOBODY = "http://127.0.0.1:1"


@contextmanager
def registry() -> Iterator[tuple[str, list[str]]]:
    """A server that knows no schema, and what it was asked for; a proxy is asked for whole addresses."""
    asked: list[str] = []

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            self.rfile.read(int(self.headers["content-length"]))
            body = json.dumps({"error_code": 40401, "message": "Subject not found"}).encode()
            self.send_response(404)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, NOBODY)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


def test_the_environments_proxy_is_no_way_to_the_registry() -> None:
    with registry() as (url, asked):
        remote = RemoteRegistry(url)
        with remote._client:
            assert not remote.has("sync.receipts", "Receipt")
        assert asked[0].startswith("/subjects/sync.receipts-value")


def test_a_proxy_that_is_named_is_the_way() -> None:
    with registry() as (proxy, asked):
        remote = RemoteRegistry("http://registry.invalid:8081", proxy_url=proxy)
        with remote._client:
            assert not remote.has("sync.receipts", "Receipt")
        assert asked[0].startswith("http://registry.invalid:8081/subjects/")
