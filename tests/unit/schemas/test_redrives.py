"""Headers of dead letters, and of records that are published again from them."""

from dataclasses import dataclass
from typing import Final

import pytest

from schemas.letters import letter_about
from schemas.redrives import Redriven, letter_headers, redriven

AT_MS: Final = 1_700_000_000_000


@dataclass(frozen=True)
class Record:
    """A record with its place."""

    offset: int
    redriven: Redriven | None = None
    topic: str = "hubspot.changes"
    partition: int = 2
    key: str = "acme:1:hubspot:contacts:101"
    value: bytes = b"bytes"


def test_other_peoples_tools_see_reason_and_place() -> None:
    letter = letter_about(Record(41), "objects", "undecodable", "not in the wire format", AT_MS)
    headers = dict(letter_headers(letter, lambda topic: f"staging.{topic}"))
    for names in ("__connect.errors.", "__streams.errors."):
        assert headers[f"{names}topic"] == b"staging.hubspot.changes"
        assert headers[f"{names}partition"] == b"2"
        assert headers[f"{names}offset"] == b"41"
    assert headers["__connect.errors.exception.message"] == b"undecodable: not in the wire format"
    assert headers["__streams.errors.exception"] == b"undecodable"
    assert headers["__connect.errors.stage"] == b"objects"
    assert "pairstream.redrive.count" not in headers


def test_no_header_holds_the_key_or_the_value() -> None:
    letter = letter_about(Record(41), "objects", "undecodable", "a sentence", AT_MS)
    told = b"".join(value for _, value in letter_headers(letter, str))
    assert b"101" not in told and b"bytes" not in told


def test_a_record_that_fails_again_gets_the_letter_that_it_had() -> None:
    first = letter_about(Record(41), "objects", "step_failed", "KeyError in decide:1", AT_MS)
    again = redriven(Redriven(first.id, 1).headers())
    second = letter_about(Record(977, again), "objects", "step_failed", "KeyError in decide:1", AT_MS + 1)
    assert (second.id, second.redrives, second.offset) == (first.id, 1, 977)
    assert dict(letter_headers(second, str))["pairstream.redrive.count"] == b"1"
    assert letter_about(Record(977), "objects", "step_failed", "", AT_MS).id != first.id


@pytest.mark.parametrize(
    "headers", [None, (), [], {}, [("traceparent", b"00-0")], [("pairstream.redrive.count", b"3")]]
)
def test_a_record_that_comes_for_the_first_time(headers: None) -> None:
    assert redriven(headers) is None


@pytest.mark.parametrize(("count", "read"), [(b"2", 2), (b"", 1), (b"-1", 1), ("3", 3), (None, 1), ("²", 1)])
def test_counts_of_strangers_are_read_with_care(count: str | bytes | None, read: int) -> None:
    found = redriven([("pairstream.redrive.of", b"0f"), ("pairstream.redrive.count", count)])
    assert found == Redriven("0f", read)
