"""Reads an account's journal: the feed of what its subscriptions tell.

Follows HubSpot's guide "webhook journal APIs". What it answers for an offset that is older than its three days is not
documented: every refusal of an offset counts as that.
"""

import asyncio
from typing import Final, Protocol

from connectors.contract.errors import Missing, Refused, Transient
from connectors.contract.feed import Kept, Pulled
from connectors.hubspot.app_credentials import AppClient
from connectors.hubspot.protocol import JournalEntry, earliest_entry, journal_bodies, next_entry
from connectors.hubspot.protocol.journal import KEPT_MS

BEGINNING: Final = ""
"""The position of a reader that goes on with the earliest entry, because the journal was empty, or anew."""
MOST_TRIES: Final = 6
"""How often a file is fetched that cannot be read, each time by a fresh address; a file host that is away is no try."""
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
            return await self._from(kept.position)
        except (Missing, Refused):
            return Pulled(BEGINNING, gap=EXPIRED)

    async def _from_the_beginning(self) -> Pulled:
        """An empty journal has no earliest entry: that it answers 204 is what was seen, and 404 would say the same."""
        try:
            return await self._from(BEGINNING)
        except Missing:
            return Pulled(BEGINNING, wait_s=self._interval_s)

    async def _from(self, position: str) -> Pulled:
        ask = earliest_entry(self._account) if position == BEGINNING else next_entry(self._account, position)
        entry = await self._client.send(ask)
        if entry is None:
            return Pulled(position, wait_s=self._interval_s)
        wait_s = self._interval_s if entry.offset == position else 0.0  # one entry for ever is no news
        try:
            file = await self._files.fetch(entry.url)
            bodies = await asyncio.to_thread(journal_bodies, file)  # megabytes: the loop is everybody's
        except (Refused, Transient) as error:
            return self._left_out(entry, error)
        return Pulled(entry.offset, bodies, wait_s=wait_s)

    def _left_out(self, entry: JournalEntry, error: Refused | Transient) -> Pulled:
        """Behind a file that cannot be read, once it was tried often enough; else raises Transient."""
        if isinstance(error, Transient) and (error.status is None or error.status >= 500):
            raise error
        before, times = self._tries
        self._tries = entry.offset, times + 1 if before == entry.offset else 1
        if self._tries[1] < MOST_TRIES:
            raise Transient(error.reason, status=error.status)
        return Pulled(entry.offset, wait_s=AFTER_SKIPPING_S, gap=UNREADABLE)
