"""Long lists in pages. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

T = TypeVar("T")
ON_A_PAGE: Final = 100
LONGEST_NUMBER: Final = 6


@dataclass(frozen=True, slots=True)
class Pages:
    """One page of a list."""

    number: int  # from 1
    rows: int  # of the whole list

    @classmethod
    def at(cls, asked: str, rows: int) -> "Pages":
        """The page that an address names; the nearest there is for any other."""
        known = asked.isascii() and asked.isdigit() and len(asked) <= LONGEST_NUMBER
        last = max(1, -(-rows // ON_A_PAGE))
        return cls(min(max(int(asked), 1), last) if known else 1, rows)

    def of(self, rows: Sequence[T]) -> Sequence[T]:
        return rows[self._begin : self._begin + ON_A_PAGE]

    @property
    def told(self) -> str:
        """A range of the whole: its first row, its last, and how many there are."""
        end = min(self._begin + ON_A_PAGE, self.rows)
        return f"{min(self._begin + 1, end):,}–{end:,} of {self.rows:,}"  # noqa: RUF001 - a range

    @property
    def before(self) -> int:
        """0: none."""
        return self.number - 1

    @property
    def after(self) -> int:
        """0: none."""
        return self.number + 1 if self._begin + ON_A_PAGE < self.rows else 0

    @property
    def _begin(self) -> int:
        return (self.number - 1) * ON_A_PAGE
