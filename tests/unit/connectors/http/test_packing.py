"""Packed answers: unpacked within their bounds, and refused where they are not what was asked for."""

import gzip
from collections.abc import Iterator

import hypothesis
import hypothesis.strategies as st
import pytest

from connectors.contract.errors import Refused, UnknownResult
from connectors.http.inflating import PIECE_BYTES, Gzip
from connectors.http.messages import Request, json_request
from connectors.http.transport import HttpLimits
from tests.unit.connectors.http.listening import sent, served

ELSEWHERE = "http://192.0.2.1:9"  # of the range that is for documentation: nobody is there
READ = Request("GET", "/users/a%2Fb%40c", (("email", "a+b@example.com"),))
WRITE = json_request("POST", "/users", {"id": "1"}, "write")


def packed(body: bytes, coding: str = "gzip") -> bytes:
    return (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n"
        % (
            coding.encode(),
            len(body),
        )
        + body
    )


async def test_a_packed_answer_is_unpacked() -> None:
    async with served(packed(gzip.compress(b"{}" * 300_000))) as server:
        assert (await sent(server.url, READ)).body == b"{}" * 300_000
    assert "accept-encoding: gzip\r\n" in server.heads[0].lower()


async def test_an_answer_is_bounded_while_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    """2.5 KB became 4 GB in memory before anybody looked at the size."""
    unpacked = list[int]()

    class Counting(Gzip):
        def pieces(self, chunk: bytes) -> Iterator[bytes]:
            for piece in super().pieces(chunk):
                unpacked.append(len(piece))
                yield piece

    monkeypatch.setattr("connectors.http.inflating.Gzip", Counting)
    bomb = gzip.compress(b"0" * 50_000_000)
    async with served(packed(bomb)) as server:
        with pytest.raises(Refused) as caught:
            await sent(server.url, READ, limits=HttpLimits(answer_bytes=1_000_000))
    assert caught.value.reason == "answer_too_large"
    assert sum(unpacked) <= 1_000_000 + PIECE_BYTES


@pytest.mark.parametrize("coding", ["br", "deflate", "gzip, gzip", "gzip, identity"])
async def test_a_coding_that_was_not_asked_for_is_refused(coding: str) -> None:
    async with served(packed(gzip.compress(b"{}"), coding)) as server:
        with pytest.raises(Refused) as caught:
            await sent(server.url, READ)
    assert caught.value.reason == "unknown_coding"


@pytest.mark.parametrize("status", [429, 401, 403, 302, 500, 502, 503, 521])
@pytest.mark.parametrize(("coding", "body"), [("br", b"x"), ("gzip", b"no gzip"), ("", b"0" * 2_000)])
async def test_a_status_counts_however_its_body_is_packed(status: int, coding: str, body: bytes) -> None:
    """A proxy's 503, packed as nobody asked for, was a refusal: its edit ended as a dead letter."""
    answer = packed(body, coding).replace(b" 200 OK", b" %d No" % status)
    async with served(answer) as server:
        found = await sent(server.url, READ, limits=HttpLimits(answer_bytes=1_000))
    assert (found.status, found.body) == (status, b"")


async def test_what_is_not_found_is_known_by_its_body_alone() -> None:
    """An empty 404 says that the object is gone."""
    async with served(packed(b"x", "br").replace(b" 200 OK", b" 404 No")) as server:
        with pytest.raises(Refused, match="unknown_coding"):
            await sent(server.url, READ)


@pytest.mark.parametrize("body", [gzip.compress(b"{}" * 1_000)[:-12], b"no gzip"], ids=["cut off", "no gzip"])
async def test_a_broken_packing_is_a_lost_answer(body: bytes) -> None:
    async with served(packed(body)) as server:
        with pytest.raises(UnknownResult) as caught:
            await sent(server.url, WRITE)
    assert caught.value.reason == "connection_lost"


@hypothesis.given(st.binary(max_size=3_000), st.integers(1, 700))
def test_unpacking_gives_back_what_was_packed_however_it_is_cut(body: bytes, size: int) -> None:
    stream, whole = gzip.compress(body), Gzip()
    chunks = [stream[start : start + size] for start in range(0, len(stream), size)]
    assert b"".join(piece for chunk in chunks for piece in whole.pieces(chunk)) == body
    assert whole.ended
