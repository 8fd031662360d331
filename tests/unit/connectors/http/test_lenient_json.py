"""Reading JSON that may hold anything."""

import json

import pytest

from connectors.http.lenient_json import as_whole, parsed


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("cut \ud83d", "cut ?"),
        ("\udc00", "?"),
        ("whole \U0001f98a", "whole \U0001f98a"),
        ("plain", "plain"),
        ("é", "é"),
    ],
)
@pytest.mark.parametrize("ascii", [True, False])
def test_a_text_cut_inside_an_emoji_is_unicode_again(text: str, read: str, ascii: bool) -> None:
    """As such it fits into no record: whoever published it would end, again and again."""
    body = json.dumps([{text: [text]}], ensure_ascii=ascii).encode("utf-8", "replace")
    found = parsed(body)
    assert found == [{read: [read]}]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b"[" * 100_000,
        b"[" * 500 + b"]" * 500,
        b'{"a":' * 500 + b"1" + b"}" * 500,
        b"1" * 5_000,
        '{"a": "\\ud800"}'.encode("utf-16"),
    ],
)
def test_what_is_no_json(body: bytes) -> None:
    assert parsed(body) is None


@pytest.mark.parametrize("body", [b'"1\xed\xa0\x80"', b'"1\xff"'])
def test_bytes_that_are_no_unicode_become_texts_that_are(body: bytes) -> None:
    found = parsed(body)
    assert isinstance(found, str)
    assert found.encode()


def test_a_wide_document_is_not_deep() -> None:
    assert parsed(b"[" + b"[[[]]]," * 1_000 + b"[]]") is not None


@pytest.mark.parametrize(
    ("found", "whole"),
    [
        ("12", 12),
        (" -7 ", -7),
        ("9" * 18, 10**18 - 1),
        ("9" * 19, None),
        ("1" * 400, None),
        ("1" * 5_000, None),
        (10**400, None),
        (1e300, None),
        (float("inf"), None),
        (float("nan"), None),
        (True, None),
        ("x", None),
    ],
)
def test_a_whole_number_is_one_that_fits_into_a_record(found: object, whole: int | None) -> None:
    assert as_whole(found) == whole
