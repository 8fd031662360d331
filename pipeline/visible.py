"""Text of a file or a vendor made safe for a terminal: control characters are escaped, never sent."""

import re
from typing import Final

CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
"""Characters that move a cursor, start an escape sequence, end a line or turn the writing; lone surrogates."""


def visible(text: str) -> str:
    """The text on one line, each control character escaped as in Python: `\\x1b`."""
    return CONTROL.sub(_written_out, text)


def visible_lines(text: str) -> str:
    """The text on several lines, each made visible."""
    return "\n".join(map(visible, text.split("\n")))


def _written_out(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
