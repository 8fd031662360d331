"""Reads an account's journal: the feed of what its subscriptions tell.

Follows HubSpot's guide "webhook journal APIs". What it answers for an offset that is older than its three days is not
documented: a refusal of an offset counts as that, unless the journal has just named that very offset.
"""

import asyncio
from typing import Final, Protocol

from connectors.contract.errors import Missing, Refused, Transient
from connectors.contract.feed import Kept, Pulled
from connectors.http.paging import CURSOR_REPEATED
from connectors.hubspot.app_credentials import AppClient
from connectors.hubspot.protocol import JournalEntry, earliest_entry, journal_bodies, next_entry
from connectors.hubspot.protocol.journal import KEPT_MS

BEGINNING: Final = ""
"""The position of a reader that goes on with the earliest entry, because the journal was empty, or anew."""
MOST_TRIES: Final = 6
"""How often a file is fetched that cannot be read, each time by a fresh address; a file host that is away is no try."""
MOST_PASSED: Final = 10_000
"""Positions that are remembered, to know a journal that leads in a circle."""
AFTER_SKIPPING_S: Final = 600.0
"""The wait after a file was left out: were all of them unreadable, each would ask for a full sync."""

EXPIRED: Final = "journal_expired"
UNPULLED: Final = "journal_gap"
UNREADABLE: Final = "journal_unreadable"
"""Reasons of a gap: the offset is too old, nobody pulled for three days, or one file cannot be read."""


class Files(Protocol):
    """Whatever fetches a presigned file."""

    async def fetch(self, url: str) -> bytes:
        """Its bytes. Raises Transient, Refused, or Misconfigured where no file of that host may be fetched."""
        ...


class Journal:
    """The journal of one account; `interval_s` is the wait after nothing was new."""

    def __init__(self, client: AppClient, files: Files, account: str, interval_s: float) -> None:
        self._client = client
        self._files = files
        self._account = account
        self._interval_s = interval_s
        self._tries: tuple[str, int] = ("", 0)  # an offset, and how often its file could not be read
        self._passed: dict[str, None] = {}  # positions that were read from lately
        self._named = BEGINNING  # the offset that the journal named last
        self._refused = BEGINNING  # the offset that it refused last
        self._refuses_newest = False

    @property
    def object_type(self) -> None:
        return None

    async def pull(self, kept: Kept | None, now_ms: int) -> Pulled:
        """One file at most.

        The very first pull begins with the earliest entry: whatever was told since the subscriptions were made.
        """
        if kept is None:
            return await self._from_the_beginning()
        if now_ms - kept.at_ms >= KEPT_MS:
            return Pulled(BEGINNING, gap=UNPULLED)
        if kept.position == BEGINNING:
            return await self._from_the_beginning()
        try:
            entry = await self._client.send(next_entry(self._account, kept.position))
        except (Missing, Refused):
            return self._nothing_behind(kept.position)
        return await self._pulled(kept.position, entry)

    def _nothing_behind(self, offset: str) -> Pulled:
        """An offset that is refused is too old, unless the journal has named it anew since: then it is the newest.

        A journal that refuses its newest offset, where others answer 204, is known from then on.
        """
        newest = offset == self._named
        self._refuses_newest = self._refuses_newest or (newest and offset == self._refused)
        if newest and self._refuses_newest:
            return Pulled(offset, wait_s=self._interval_s)
        self._refused, self._named = offset, BEGINNING
        self._passed.clear()
        return Pulled(BEGINNING, gap=EXPIRED)

    async def _from_the_beginning(self) -> Pulled:
        """An empty journal has no earliest entry: that it answers 204 is what was seen, and 404 would say the same."""
        self._passed.clear()
        try:
            entry = await self._client.send(earliest_entry(self._account))
        except Missing:
            return Pulled(BEGINNING, wait_s=self._interval_s)
        return await self._pulled(BEGINNING, entry)

    async def _pulled(self, position: str, entry: JournalEntry | None) -> Pulled:
        if entry is None:
            return Pulled(position, wait_s=self._interval_s)
        self._pass(position, entry.offset)
        wait_s = self._interval_s if entry.offset == position else 0.0  # one entry for ever is no news
        try:
            file = await self._files.fetch(entry.url)
            bodies = await asyncio.to_thread(journal_bodies, file)  # megabytes: the loop is everybody's
        except (Refused, Transient) as error:
            return self._left_out(entry, error)
        return Pulled(entry.offset, bodies, wait_s=wait_s)

    def _pass(self, position: str, offset: str) -> None:
        """Go on to an offset. Raises Refused where that leads back to where the journal was read before."""
        if offset != position and offset in self._passed:
            self._passed.clear()
            raise Refused(CURSOR_REPEATED)
        self._passed[position] = None
        if len(self._passed) > MOST_PASSED:
            del self._passed[next(iter(self._passed))]
        self._named = offset

    def _left_out(self, entry: JournalEntry, error: Refused | Transient) -> Pulled:
        """Behind a file that cannot be read, once it was tried often enough; else raises Transient."""
        if isinstance(error, Transient) and (error.status is None or error.status >= 500):
            raise error
        before, times = self._tries
        self._tries = entry.offset, times + 1 if before == entry.offset else 1
        if self._tries[1] < MOST_TRIES:
            raise Transient(error.reason, status=error.status)
        return Pulled(entry.offset, wait_s=AFTER_SKIPPING_S, gap=UNREADABLE)
