"""Polls HubSpot where nothing tells of changes: records by their modified time, and the recycling bin.

Follows HubSpot's guide "search the CRM". Search and bin only tell which records changed; they are read like those that
a webhook names, since the index shows old values.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from connectors.contract.errors import Refused
from connectors.contract.feed import DAY_MS, FeedSettings, Kept, Pulled
from connectors.http.lenient_json import time_at
from connectors.http.observed import Observed, observed
from connectors.http.paging import PagingProgress
from connectors.hubspot.bin_listing import BinListing, bin_listing_of
from connectors.hubspot.client import HubSpotClient
from connectors.hubspot.protocol import (
    BATCH_LIMIT,
    OBJECT_TYPE_IDS,
    POLLED_EVENTS,
    Filter,
    Record,
    RecordPage,
    Search,
    list_objects,
    notification_bodies,
    read_objects,
    search_objects,
)
from connectors.hubspot.windows import Pass, Progress, Row, progress_of

MOST_TOLD: Final = 50_000  # records of one type that are remembered, so that they are not told twice
IN_BIN_MS: Final = 90 * DAY_MS
BIN_EMPTIED: Final = "bin_emptied"
"""How long deleted records lie in the bin, and the reason of a gap after that."""
MOST_SHOWN_CHARACTERS: Final = 2_000  # of property names in one search, whose body is bounded
MERGED_IDS: Final = "hs_merged_object_ids"
CONTACTS_MODIFIED: Final = "lastmodifieddate"
MODIFIED: Final = "hs_lastmodifieddate"
"""HubSpot's name of the modified time: contacts have another, and a search by the wrong one finds nothing."""


@dataclass(frozen=True, slots=True)
class Polled:
    """One type of one account, as a poll speaks of it."""

    account: str
    object_type: str

    @property
    def modified(self) -> str:
        """The property that holds the modified time."""
        return CONTACTS_MODIFIED if self.object_type == "contacts" else MODIFIED

    def event(self, happening: str, object_id: str, at_ms: int, **more: object) -> dict[str, object]:
        """An event as a webhook of the generic form would tell it."""
        return {
            "subscriptionType": f"object.{happening}",
            "portalId": self.account,
            "objectTypeId": OBJECT_TYPE_IDS.get(self.object_type, self.object_type),
            "objectId": object_id,
            "occurredAt": at_ms,
            **more,
        }


class Told:
    """What was told lately, at most MOST_TOLD of it; what is forgotten is told once more."""

    def __init__(self, most: int = MOST_TOLD) -> None:
        self._most = most
        self._told: dict[str, int] = {}

    def is_new(self, key: str, at_ms: int = 0) -> bool:
        """Whether this is news; it is told from now on."""
        if self._told.get(key, -1) >= at_ms:
            return False
        _remember(self._told, key, at_ms, self._most)
        return True


def _remember(known: dict[str, int], key: str, number: int, most: int = MOST_TOLD) -> None:
    """Put it last; of more than so many the first is forgotten."""
    known.pop(key, None)
    known[key] = number
    if len(known) > most:
        del known[next(iter(known))]


class ModifiedRecords:
    """The feed of the records of one type that were made, changed, or left by a merge.

    `shown` names the properties that records of other types show of these: only a change of one of them is told to
    those, or every note at a company would be news of all its contacts.
    """

    def __init__(
        self, client: HubSpotClient, polled: Polled, settings: FeedSettings, shown: Callable[[], Sequence[str]] = tuple
    ) -> None:
        self._client = client
        self._polled = polled
        self._settings = settings
        self._shown = shown
        self._values: dict[str, int] = {}  # record -> what others show of it, as it was told last
        self._told, self._merged = Told(), Told()
        self._ahead_ms: int | None = None  # the vendor's clock against ours

    @property
    def object_type(self) -> str:
        return self._polled.object_type

    async def pull(self, kept: Kept | None, now_ms: int) -> Pulled:
        """One search. The first of all asks for the vendor's time alone: what is older, a full sync brings."""
        lag_ms = round(self._settings.index_lag_s * 1000)
        if self._ahead_ms is None:
            self._ahead_ms = await self._vendor_ms() - now_ms
        vendor_ms = now_ms + self._ahead_ms
        known = progress_of(kept.position) if kept is not None else None
        progress = known or Progress(vendor_ms, vendor_ms - lag_ms)
        progress = progress.begun(vendor_ms, lag_ms)
        under_way = progress.under_way
        if under_way is None:
            raise RuntimeError("a search for no pass")
        answer = await self._search(under_way)
        page, self._ahead_ms = answer.answer, answer.at_ms - now_ms
        rows = [Row(record.id, self._modified_ms(record, under_way)) for record in page.records]
        after = progress.after(rows, more=page.after is not None)
        shown = tuple(self._shown())
        events = [
            event for record, row in zip(page.records, rows, strict=True) for event in self._events(record, row, shown)
        ]
        led = after.under_way is None and under_way.kind == "lead"
        wait_s = self._settings.poll_interval_s if led else 0.0
        return Pulled(after.text(), tuple(notification_bodies(POLLED_EVENTS, events)), wait_s=wait_s)

    async def _vendor_ms(self) -> int:
        """The earliest that the vendor's clock may have shown."""
        answer = await self._client.send(observed(search_objects(self.object_type, Search((), limit=1))))
        return answer.at_ms

    async def _search(self, now: Pass) -> Observed[RecordPage]:
        modified = self._polled.modified
        names = (modified, MERGED_IDS, *self._asked())
        if now.after_id is None:
            conditions = (
                Filter(modified, "GTE", str(now.since_ms)),
                Filter(modified, "LTE", str(now.until_ms)),
            )
            search = Search((conditions,), names, sort=modified)
        else:
            conditions = (
                Filter(modified, "EQ", str(now.since_ms)),
                Filter("hs_object_id", "GT", str(now.after_id)),
            )
            search = Search((conditions,), names, sort="hs_object_id")
        return await self._client.send(observed(search_objects(self.object_type, search)))

    def _modified_ms(self, record: Record, now: Pass) -> int:
        """The time by which the index sorts; a record without one counts as of where the search begins."""
        at_ms = time_at(record.fields, self._polled.modified)
        if at_ms is None:
            at_ms = record.updated_at_ms
        return at_ms if at_ms is not None else now.since_ms

    def _asked(self) -> Sequence[str]:
        """The shown properties, unless they are too many for one search."""
        shown = self._shown()
        return shown if sum(map(len, shown)) <= MOST_SHOWN_CHARACTERS else ()

    def _events(self, record: Record, row: Row, shown: Sequence[str]) -> Iterable[dict[str, object]]:
        if not self._told.is_new(record.id, row.modified_ms):
            return
        yield self._polled.event("modification", record.id, row.modified_ms)
        yield from self._shown_changes(record, row, shown)
        merged = (record.fields.get(MERGED_IDS) or "").split(";")
        ids = [id for id in merged if id.isdecimal() and id != record.id and self._merged.is_new(id)]
        if ids:
            yield self._polled.event("merge", record.id, row.modified_ms, newObjectId=record.id, mergedObjectIds=ids)

    def _shown_changes(self, record: Record, row: Row, shown: Sequence[str]) -> Iterable[dict[str, object]]:
        """The shown properties, where one of them is not as it was told last."""
        known = {name: record.fields[name] for name in shown if name in record.fields}
        if not shown or (len(known) == len(shown) and not self._are_new(record.id, known)):
            return
        if len(known) < len(shown):  # not asked for, or not readable: a change without a time is read
            yield {**self._polled.event("propertyChange", record.id, 0, propertyName=shown[0]), "occurredAt": None}
            return
        for name, value in known.items():
            change = {"propertyName": name, "propertyValue": value}
            yield self._polled.event("propertyChange", record.id, row.modified_ms, **change)

    def _are_new(self, record_id: str, values: Mapping[str, str | None]) -> bool:
        number = hash(tuple(sorted(values.items(), key=lambda pair: pair[0])))
        are_new = self._values.get(record_id) != number
        _remember(self._values, record_id, number)
        return are_new


class ArchivedRecords:
    """The feed of the records of one type that went into the recycling bin, or came back from it.

    HubSpot lists the bin by ids and not by time, so it is listed as a whole again and again.
    """

    def __init__(self, client: HubSpotClient, polled: Polled, settings: FeedSettings) -> None:
        self._client = client
        self._polled = polled
        self._settings = settings
        self._before: frozenset[str] | None = None  # ids in the bin when it was last listed whole
        self._seen: set[str] = set()
        self._progress = PagingProgress()
        self._told = Told()

    @property
    def object_type(self) -> str:
        return self._polled.object_type

    async def pull(self, kept: Kept | None, now_ms: int) -> Pulled:
        """One page of the bin; a gap where nobody looked for as long as records lie there."""
        if kept is not None and now_ms - kept.at_ms >= IN_BIN_MS:
            return Pulled(BinListing(now_ms).text(), gap=BIN_EMPTIED)
        listing = bin_listing_of(kept.position) if kept is not None else None
        cursor = listing.cursor if listing is not None else None
        page = await self._client.send(observed(list_objects(self.object_type, (), after=cursor, archived=True)))
        if listing is None:
            listing = BinListing(page.at_ms)  # what was deleted before, a full sync finds
        if cursor is None:
            self._seen, self._progress = set(), PagingProgress()
        self._check(page.answer)
        # a list that ignores what it was asked for shows the living
        binned = [one for one in page.answer.records if one.archived is not False or one.archived_at_ms is not None]
        if len(self._seen) <= MOST_TOLD:  # of a larger bin none is kept
            self._seen |= {record.id for record in binned}
        after = listing.after(page.answer.after, page.at_ms)
        # what may fail comes first: what is told once is told no more where the pull is repeated
        restored = await self._restored() if after.cursor is None else ()
        dated = [(record, record.archived_at_ms) for record in binned]
        events = [
            self._polled.event("deletion", record.id, at_ms if at_ms is not None else page.at_ms)
            for record, at_ms in dated
            if listing.is_news(at_ms) and self._told.is_new(record.id, at_ms or 0)
        ]
        pages_s = len(page.answer.records) / self._settings.patrol_per_s
        wait_s = pages_s if after.cursor is not None else max(pages_s, self._settings.archived_interval_s)
        return Pulled(after.text(), tuple(notification_bodies(POLLED_EVENTS, (*events, *restored))), wait_s=wait_s)

    def _check(self, page: RecordPage) -> None:
        """Refuse a list that goes on and brings nothing new; it is looked into later, from where it stood."""
        if page.after is None:
            return
        reason = self._progress.turn(page.records[0].id if page.records else None, page.after)
        if reason is not None:
            self._progress = PagingProgress()
            raise Refused(reason)

    async def _restored(self) -> Sequence[dict[str, object]]:
        """Records that left the bin alive; no modified time tells of them.

        Known only while this process lives, and for bins of a bounded size: for others a full sync finds them.
        """
        before, now = self._before, frozenset(self._seen)
        left = sorted(before - now) if before is not None else []
        events = []
        for start in range(0, len(left), BATCH_LIMIT):
            ids = left[start : start + BATCH_LIMIT]
            answer = await self._client.send(observed(read_objects(self.object_type, ids, (), purpose="bulk_read")))
            alive = [record for record in answer.answer.results if not record.archived and record.id in ids]
            events += [self._polled.event("restore", record.id, answer.at_ms) for record in alive]
        self._before = now if len(now) <= MOST_TOLD else None
        return events
