"""How far each feed of an integration was pulled: rows of `sync.positions`, written by the integration's owner alone.

A row that a former owner keeps late is an older position: news are repeated, none is left out.
"""

from collections.abc import Callable

from connectors.contract.feed import Kept
from connectors.session.context import IntegrationContext
from schemas.records import SourcePosition
from schemas.topics import POSITIONS


class Positions:
    """What was kept under this connection; `row` finds the newest row of a key."""

    def __init__(self, context: IntegrationContext, row: Callable[[str], SourcePosition | None]) -> None:
        self._context = context
        self._row = row
        self._own: dict[str, Kept] = {}  # a table hears of our own rows later than we do

    def kept(self, feed: str) -> Kept | None:
        """None where nothing was kept, or only under an earlier connection."""
        if feed in self._own:
            return self._own[feed]
        row = self._row(self._key(feed))
        if row is None or row.connection != self._context.connection:
            return None
        return Kept(row.position, row.at_ms)

    async def keep(self, feed: str, kept: Kept) -> None:
        """Returns once the brokers have it."""
        context = self._context
        row = SourcePosition(context.integration, context.connection, context.system, feed, kept.position, kept.at_ms)
        await context.publish(POSITIONS, self._key(feed), row)
        self._own[feed] = kept

    def _key(self, feed: str) -> str:
        return f"{self._context.integration}/{self._context.system}/{feed}"
