"""Polls a Userflow environment without webhooks: the users and companies that were active lately are read again.

Userflow keeps no time of a change. What somebody does in the product moves `last_seen_at`, by which lists can be
ordered; every other change is found by the patrol of the whole type.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from connectors.contract.catalog import Catalog
from connectors.contract.errors import Refused, Transient
from connectors.contract.feed import Feed, FeedSettings, Kept, Pulled
from connectors.contract.source import Seen
from connectors.http.lenient_json import as_object, parsed, text_at, time_at, whole_at
from connectors.userflow import protocol
from connectors.userflow.client import ObservingClient
from connectors.userflow.source import seen_of
from connectors.userflow.translate import kind_of

LAST_SEEN: Final = "last_seen_at"
SEEN: Final = "/seen"
OVERLAP_MS: Final = 60_000
"""How far each round looks behind the one before: a user may be seen before what was done shows in the attributes."""
UNORDERED_S: Final = 3_600.0
"""The wait after a list by `last_seen_at` was refused, or began with objects that were never seen."""


@dataclass(frozen=True, slots=True)
class Round:
    """One round: all objects seen after `since_ms`, latest first; `newest_ms` is the latest of them."""

    since_ms: int = 0
    newest_ms: int = 0
    read: int = 0
    cursor: str | None = None

    def after(self, seen_ms: Sequence[int | None], cursor: str | None, most: int) -> "Round":
        """After a page, by the times of its objects in order; a round that begins anew has no cursor.

        An object that was never seen ends the round: the list cannot go on behind it.
        """
        known = [at_ms for at_ms in seen_ms if at_ms is not None]
        newest_ms, read = max((self.newest_ms, *known)), self.read + len(seen_ms)
        oldest_ms = known[-1] if known and len(known) == len(seen_ms) else None
        if cursor is None or oldest_ms is None or oldest_ms < self.since_ms - OVERLAP_MS or read >= most:
            return Round(newest_ms)
        return Round(self.since_ms, newest_ms, read, cursor)

    def text(self) -> str:
        """The same as text, to be kept."""
        kept = {"since": self.since_ms, "newest": self.newest_ms, "read": self.read, "cursor": self.cursor}
        return json.dumps(kept, separators=(",", ":"))


def round_of(text: str) -> Round:
    """What `Round.text` made; a first round for anything else."""
    raw = as_object(parsed(text.encode()))
    return Round(
        whole_at(raw, "since") or 0, whole_at(raw, "newest") or 0, whole_at(raw, "read") or 0, text_at(raw, "cursor")
    )


class RecentlySeen:
    """The feed of objects of one type that were active lately."""

    def __init__(self, client: ObservingClient, catalog: Catalog, object_type: str, settings: FeedSettings) -> None:
        self._client = client
        self._catalog = catalog
        self._object_type = object_type
        self._settings = settings

    @property
    def object_type(self) -> str:
        return self._object_type

    async def pull(self, kept: Kept | None, now_ms: int) -> Pulled:
        """One page, the latest first."""
        now = round_of(kept.position) if kept is not None else Round()
        order = f"-attributes.{LAST_SEEN}"
        call = protocol.list_objects(kind_of(self._object_type), starting_after=now.cursor, order_by=order)
        try:
            page = await self._client.send(call)
        except (Refused, Transient) as error:
            if error.status is None or error.status >= 502:
                raise
            # no such order here, or the object of the cursor is gone or was never seen
            wait_s = UNORDERED_S if now.cursor is None else self._settings.seen_interval_s
            return Pulled(Round(now.since_ms).text(), wait_s=wait_s)
        records = page.answer.records
        objects: Sequence[Seen] = [seen_of(record, page, self._catalog) for record in records]
        times = [time_at(record.attributes, LAST_SEEN) for record in records]
        after = now.after(times, page.answer.next_cursor, self._settings.most_seen)
        never_seen = now.cursor is None and bool(records) and times[0] is None
        wait_s = 0.0 if after.cursor is not None else UNORDERED_S if never_seen else self._settings.seen_interval_s
        return Pulled(after.text(), objects=objects, wait_s=wait_s)


class UserflowFeeds:
    """One feed for each mapped type, and a patrol of each."""

    def __init__(self, client: ObservingClient, catalog: Catalog, settings: FeedSettings) -> None:
        self._client = client
        self._catalog = catalog
        self._settings = settings

    def names(self) -> Sequence[str]:
        return tuple(f"{object_type}{SEEN}" for object_type in self._catalog.object_types)

    def open(self, name: str) -> Feed:
        return RecentlySeen(self._client, self._catalog, name.removesuffix(SEEN), self._settings)

    def patrolled(self) -> Sequence[str]:
        return self._catalog.object_types
