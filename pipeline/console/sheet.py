"""Rows as a file for spreadsheets: no cell of it is ever taken for a formula. Pure."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

AT_ONCE: Final = 500
FORMULAS: Final = "=+-@＝＋－＠"  # noqa: RUF001 - wide forms are taken for the plain ones where those are typed
_BLANKS: Final = "".join(chr(code) for code in (*range(0x21), 0x85, 0xA0, 0xFEFF, 0x200B, 0x200E, 0x200F, 0x202E))
_WITHIN: Final = re.compile(f'([;\t\r\n][{re.escape(_BLANKS)}"]*)(?=[{re.escape(FORMULAS)}])')
"""Where a cell would begin that a spreadsheet makes of a part of ours: in half the world its separator is `;`."""


def lines(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The file in parts, as RFC 4180 has it."""
    left = iter(rows)
    while some := list(islice(left, AT_ONCE)):
        written = io.StringIO()
        csv.writer(written).writerows([guarded(cell) for cell in row] for row in some)
        yield written.getvalue()


def guarded(cell: str) -> str:
    """The cell as text: what a spreadsheet might work out begins with an apostrophe, which it shows to nobody."""
    cell = _WITHIN.sub(r"\1'", cell) if cell[:1] not in ("\t", "\r", "\n") else cell[:1] + _WITHIN.sub(r"\1'", cell[1:])
    begins = cell.lstrip(_BLANKS)[:1]
    risky = (begins and begins in FORMULAS) or cell[:1] in ("\t", "\r", "\n")
    return f"'{cell}" if risky else cell
