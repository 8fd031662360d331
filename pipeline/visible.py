"""Text of a file or a vendor as a terminal may show it: control characters are written out, never sent."""

import re
from typing import Final

CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
"""What moves a cursor, starts an escape sequence, ends a line or turns the direction of writing; lone surrogates."""


def visible(text: str) -> str:
    """The text on one line, every control character as Python writes it: `\\x1b`."""
    return CONTROL.sub(_written_out, text)


def visible_lines(text: str) -> str:
    """The same for a text that is meant to have lines."""
    return "\n".join(map(visible, text.split("\n")))


def _written_out(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
