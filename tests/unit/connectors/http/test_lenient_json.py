"""Reading JSON that may hold anything."""

import json

import pytest

from connectors.http.lenient_json import parsed


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


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json(body: bytes) -> None:
    assert parsed(body) is None
