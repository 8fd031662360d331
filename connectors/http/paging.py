"""Whether a list gets on: the pure judge of its pages, for a system may page in a circle for ever."""

from typing import Final

from connectors.contract.errors import PAGE_EMPTY, Refused

CURSOR_REPEATED: Final = "paging_cursor_repeated"
PAGE_REPEATED: Final = "paging_page_repeated"
WITHOUT_END: Final = "paging_without_end"
MOST_PAGES: Final = 500
"""Of a list of definitions, which is kept whole: 50,000 of them are more than any account has."""


class PagingProgress:
    """The pages of one list so far; a number for each is kept, so that a crawl of a million objects costs a megabyte.

    A list has one order, so that no two pages begin with the same item unless it began again.
    """

    def __init__(self, most_pages: int | None = None) -> None:
        """`most_pages`: a list that goes on behind so many has no end; None for lists that may be of any length."""
        self._most_pages = most_pages
        self._pages = 0
        self._cursors: set[int] = set()
        self._firsts: set[int] = set()

    def turn(self, first: str | None, cursor: str | None) -> str | None:
        """Take the next page: its first item, None for an empty page, and its cursor, None at the end.

        Returns the reason why the list must end here, where the page brings nothing new; else None.
        """
        self._pages += 1
        if first is not None and hash(first) in self._firsts:
            return PAGE_REPEATED
        if cursor is not None:
            if first is None:
                return PAGE_EMPTY
            if hash(cursor) in self._cursors:
                return CURSOR_REPEATED
            if self._pages == self._most_pages:
                return WITHOUT_END
            self._cursors.add(hash(cursor))
        if first is not None:
            self._firsts.add(hash(first))
        return None

    def check(self, first: str | None, cursor: str | None) -> None:
        """The same; raises Refused with the reason."""
        reason = self.turn(first, cursor)
        if reason is not None:
            raise Refused(reason)
