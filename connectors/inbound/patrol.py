"""A patrol: a whole object type crawled slowly, again and again, for changes that are no news anywhere.

HubSpot's associations move no modified date, and Userflow lists nobody by the time of a change.
"""

from typing import Final

from connectors.contract.errors import CURSOR_GONE, Refused
from connectors.contract.feed import Kept, Pulled
from connectors.contract.source import Source
from connectors.http.paging import PagingProgress

AT_LEAST_S: Final = 1.0  # between pages, however short: an empty type is no tight loop


class Patrol:
    """The feed of one object type; `per_s` bounds the objects read."""

    def __init__(self, source: Source, object_type: str, per_s: float) -> None:
        self._source = source
        self._object_type = object_type
        self._per_s = per_s
        self._progress = PagingProgress()

    @property
    def object_type(self) -> str:
        return self._object_type

    async def pull(self, kept: Kept | None, now_ms: int) -> Pulled:
        """The next page; from the beginning after the last, or where the cursor's object is gone."""
        cursor = (kept.position if kept is not None else "") or None
        try:
            page = await self._source.page(self._object_type, cursor)
        except Refused as error:
            if error.reason != CURSOR_GONE or cursor is None:
                raise
            return self._from_the_beginning()
        if self._progress.turn(page.first_id, page.cursor) is not None:
            return self._from_the_beginning()
        if page.cursor is None:
            self._progress = PagingProgress()
        wait_s = max(len(page.objects) / self._per_s, AT_LEAST_S if page.cursor is None else 0.0)
        return Pulled(page.cursor or "", objects=page.objects, wait_s=wait_s)

    def _from_the_beginning(self) -> Pulled:
        self._progress = PagingProgress()
        return Pulled("", wait_s=AT_LEAST_S)
