"""Rows of a Markdown table, with what would break a cell escaped."""

from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; every row has as many cells as there are heads."""
    lines = [_row(heads), "|" + "---|" * len(heads)]
    for row in rows:
        if len(row) != len(heads):
            raise ValueError(f"a row of {len(row)} cells under {len(heads)} heads")
        lines.append(_row([cell(text) for text in row]))
    return "\n".join(lines)


def cell(text: str) -> str:
    """One line, its bars escaped, its angle brackets outside code spans shown as they are."""
    parts = " ".join(text.split()).split("`")
    shown = [part if inside else part.replace("<", "&lt;") for part, inside in zip(parts, _alternating(), strict=False)]
    return "`".join(shown).replace("|", "\\|")


def code(text: str) -> str:
    """A code span; nothing for nothing."""
    return f"`{text}`" if text else ""


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _alternating() -> Iterable[bool]:
    while True:
        yield False
        yield True
