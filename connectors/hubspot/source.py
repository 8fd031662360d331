"""Reads one HubSpot account: webhooks into news, records by id, whole types page by page."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from connectors.contract.errors import Missing, Refused
from connectors.contract.source import Gone, ObjectPage, ReadPurpose, Seen, Translated, told_between
from connectors.http.messages import Call
from connectors.hubspot.associated import OBJECT_ID, own_fields
from connectors.hubspot.client import HubSpotClient
from connectors.hubspot.enriching import AssociatedReader
from connectors.hubspot.known_associates import KnownAssociates, note_news
from connectors.hubspot.lookups import read_record, search_ids
from connectors.hubspot.object_types import ObjectTypes
from connectors.hubspot.protocol import (
    BATCH_LIMIT,
    BatchResult,
    Record,
    Search,
    WebhookEvent,
    fits_address,
    list_objects,
    parse_notifications,
    read_objects,
    search_objects,
)
from connectors.hubspot.translate import associated_news, news, seen
from schemas.records import Notification
from schemas.values import FieldDefinition


class HubSpotSource:
    """Follows HubSpot's webhooks and object guides; only events of the portal `account` count."""

    def __init__(
        self, client: HubSpotClient, types: ObjectTypes, account: str, known: KnownAssociates | None = None
    ) -> None:
        """`known` is what reads may rely on of associated records; None: on nothing."""
        self._client = client
        self._types = types
        self._account = account
        self._known = known
        self._associated = AssociatedReader(client, types, known)

    @property
    def read_size(self) -> int:
        return BATCH_LIMIT

    def translate(self, notification: Notification) -> Translated:
        """The news of one webhook request or feed; events of other accounts are unreadable, unmapped fields ignored.

        Raises ValueError if the body is no list of events.
        """
        try:
            batch = parse_notifications(notification.body)
        except Refused as refusal:
            raise ValueError(refusal.reason) from None
        earliest_ms, latest_ms = told_between(notification.received_at_ms)
        earliest_ms = 0 if batch.origin == "poll" else earliest_ms  # which tells modified times of any age
        ours = [_dated(event, earliest_ms, latest_ms) for event in batch.events if event.account == self._account]
        strangers = len(batch.events) - len(ours)
        if self._known is not None:
            for event in ours:
                note_news(self._known, event, self._types)
        own_news = tuple(item for event in ours for item in news(event, self._types))
        associated = tuple(item for event in ours for item in associated_news(event, self._types))
        unreadable = len(batch.unreadable) + strangers
        return Translated(own_news, unreadable=unreadable, associated=associated, origin=batch.origin)

    async def read(self, object_type: str, ids: Sequence[str], purpose: ReadPurpose) -> Sequence[Seen | Gone]:
        """Up to 100 records in one request; an id missing from the answer is read alone, to learn its state.

        Two more requests per associated type whose fields the records show.
        """
        definitions = self._definitions(object_type)
        asked = tuple(dict.fromkeys(ids))
        if not asked:
            return ()
        results = await self._found(read_objects(object_type, asked, tuple(definitions), purpose=purpose), asked)
        shown = {record.id: record for record in results if not record.archived}
        all_of_them = [
            seen(shown[id], definitions) if id in shown else await self._alone(object_type, id, definitions, purpose)
            for id in asked
        ]
        there = [item for item in all_of_them if isinstance(item, Seen)]
        enriched = {item.object_id: item for item in await self._associated.enriched(object_type, there, purpose)}
        return [enriched.get(item.object_id, item) for item in all_of_them]

    async def page(self, object_type: str, cursor: str | None) -> ObjectPage:
        """A hundred records in the order of their ids.

        Where an address cannot name all properties, it lists ids, and a batch read names them in its body.
        """
        definitions = self._definitions(object_type)
        names = tuple(definitions)
        by_batch = not fits_address(names)
        page = await self._client.send(list_objects(object_type, () if by_batch else names, after=cursor))
        records, ids = page.records, [record.id for record in page.records]
        if by_batch and records:
            batch = await self._client.send(read_objects(object_type, ids, names, purpose="bulk_read"))
            there = {record.id: record for record in batch.results}
            records = tuple(there[id] for id in ids if id in there)
        objects = [seen(record, definitions) for record in records if not record.archived]
        enriched = await self._associated.enriched(object_type, objects, "bulk_read")
        return ObjectPage(enriched, page.after, ids[0] if ids else None)

    async def count(self, object_type: str) -> int | None:
        """The total of a search that asks for nothing; its index lags some seconds."""
        page = await self._client.send(search_objects(object_type, Search((), limit=1)))
        return page.total

    async def look_up(
        self, object_type: str, field: FieldDefinition, values: Sequence[str], purpose: ReadPurpose
    ) -> Sequence[Seen]:
        """By id, by a unique property, or by search. Search only finds the ids to read, because its index lags.

        `email` finds a contact by its secondary addresses too.
        """
        if field.name == OBJECT_ID:
            return await self._batch(object_type, [value for value in values if value.isdecimal()], None, purpose)
        if field.unique:
            return await self._batch(object_type, values, field.name, purpose)
        ids = await search_ids(self._client, object_type, field, values)
        parts = [ids[start : start + BATCH_LIMIT] for start in range(0, len(ids), BATCH_LIMIT)]
        return [one for part in parts for one in await self._batch(object_type, part, None, purpose)]

    async def _batch(
        self, object_type: str, values: Sequence[str], id_property: str | None, purpose: ReadPurpose
    ) -> Sequence[Seen]:
        """The existing records, in one request, with their associated fields."""
        if not values:
            return ()
        definitions = self._definitions(object_type)
        asked = tuple(dict.fromkeys(values))
        call = read_objects(object_type, asked, tuple(definitions), id_property=id_property, purpose=purpose)
        results = await self._found(call, asked)
        objects = [seen(record, definitions) for record in results if not record.archived]
        return await self._associated.enriched(object_type, objects, purpose)

    async def _found(self, call: Call[BatchResult], asked: Sequence[str]) -> Sequence[Record]:
        """The records of a batch; a batch of one that is not there may be answered by 404."""
        try:
            return (await self._client.send(call)).results
        except Missing:
            if len(asked) > 1:
                raise
            return ()

    async def _alone(
        self, object_type: str, object_id: str, definitions: Mapping[str, FieldDefinition], purpose: ReadPurpose
    ) -> Seen | Gone:
        record = await read_record(self._client, object_type, object_id, tuple(definitions), purpose)
        return record if isinstance(record, Gone) else seen(record, definitions)

    def _definitions(self, object_type: str) -> Mapping[str, FieldDefinition]:
        catalog = self._types.catalog
        return {name: catalog.definition(object_type, name) for name in own_fields(catalog.wanted(object_type))}


def _dated(event: WebhookEvent, earliest_ms: int, latest_ms: int) -> WebhookEvent:
    """The event without an impossible time: its record is then read instead."""
    if event.occurred_at_ms is None or earliest_ms <= event.occurred_at_ms <= latest_ms:
        return event
    return replace(event, occurred_at_ms=None)
