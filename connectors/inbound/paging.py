"""Whether a crawl gets on: the pure judge of its pages, for a system may page in a circle for ever."""

from typing import Final

from connectors.contract.errors import PAGE_EMPTY
from connectors.contract.source import ObjectPage

CURSOR_REPEATED: Final = "paging_cursor_repeated"
PAGE_REPEATED: Final = "paging_page_repeated"


class PagingProgress:
    """The pages of one crawl so far; a number for each is kept, so that a crawl of a million objects costs a megabyte.

    A type is listed in one order, so that no two pages begin with the same object unless the list began again.
    """

    def __init__(self) -> None:
        self._cursors: set[int] = set()
        self._first_ids: set[int] = set()

    def turn(self, page: ObjectPage) -> str | None:
        """Take the next page; the reason why the crawl must end where the page brings nothing new, else None."""
        first = hash(page.objects[0].object_id) if page.objects else None
        if first is not None and first in self._first_ids:
            return PAGE_REPEATED
        if page.cursor is not None:
            if first is None:
                return PAGE_EMPTY
            if hash(page.cursor) in self._cursors:
                return CURSOR_REPEATED
            self._cursors.add(hash(page.cursor))
        if first is not None:
            self._first_ids.add(first)
        return None
