"""Text of a file or a vendor made safe for a terminal or a page: control characters are escaped, never sent."""

import re
from typing import Final

CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
"""Characters that move a cursor, start an escape sequence, end a line or turn the writing; lone surrogates."""

_LINES: Final = "\t\n\r"
_RIGHT_TO_LEFT: Final = re.compile(
    "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefe\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
_FIRST_STRONG, _ISOLATE_ENDS = "\u2068", "\u2069"


def visible(text: str) -> str:
    """The text on one line, each control character escaped as in Python: `\\x1b`."""
    return CONTROL.sub(_written_out, text)


def visible_lines(text: str) -> str:
    """The text on several lines, each made visible."""
    return "\n".join(map(visible, text.split("\n")))


def isolated(text: str) -> str:
    """The text for a page: no control character but ends of lines, and right-to-left letters turn nothing around it."""
    shown = CONTROL.sub(lambda found: found[0] if found[0] in _LINES else _written_out(found), text)
    return f"{_FIRST_STRONG}{shown}{_ISOLATE_ENDS}" if _RIGHT_TO_LEFT.search(shown) else shown


def _written_out(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
