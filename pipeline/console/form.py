"""The fields of a form that was sent. Pure."""

from dataclasses import dataclass
from typing import Final

MOST_DIGITS: Final = 15
"""Past them, Python refuses to read a number of thousands; no count or time of ours is as long."""


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form that was sent; each may be there several times."""

    fields: tuple[tuple[str, str], ...] = ()

    def one(self, name: str) -> str:
        """The field's text; empty where there is none."""
        return next((text for key, text in self.fields if key == name), "")

    def several(self, name: str) -> tuple[str, ...]:
        return tuple(text for key, text in self.fields if key == name)


def whole_number(text: str) -> int | None:
    """The number that somebody wrote; None where it is none, or longer than any of ours."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS else None
