"""Reads a Userflow environment: webhooks in neutral words, objects by id, whole object types."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Final, TypeVar

from connectors.contract.account import Opening
from connectors.contract.catalog import Catalog
from connectors.contract.errors import OTHER_OBJECT, PAGE_EMPTY, Refused
from connectors.contract.source import (
    MOST_FOUND,
    Gone,
    News,
    ObjectPage,
    ReadPurpose,
    Seen,
    Translated,
    told_between,
)
from connectors.http.observed import Observed
from connectors.http.paging import PagingProgress
from connectors.userflow import protocol
from connectors.userflow.client import ObservingClient
from connectors.userflow.translate import (
    EMAIL_FIELD,
    ID_FIELD,
    USERS,
    field_value,
    kind_of,
    object_type_of,
    wanted_fields,
)
from schemas.records import ActivityEvent, Notification, StampedValue
from schemas.values import FieldDefinition

T = TypeVar("T")

READ_SIZE = 10
NO_SUCH_ID_STATUSES = (400, 414, 422)
NO_SUCH_FILTER: Final = "no_such_filter"


class UserflowSource:
    """One environment as a Source."""

    def __init__(self, opening: Opening, client: ObservingClient) -> None:
        self._integration, self._connection = opening.integration, opening.connection
        self._catalog = opening.catalog
        self._client = client

    @property
    def read_size(self) -> int:
        """Userflow has no batch read: as many single reads at once as the budget allows."""
        return READ_SIZE

    def translate(self, notification: Notification) -> Translated:
        """The news of a user, a company or an event; nothing for an object type outside every mapping.

        Raises ValueError if the body is no Userflow notification.
        """
        try:
            deliveries = protocol.parse_notifications(notification.body)
        except Refused as refusal:
            raise ValueError(refusal.reason) from refusal
        told = [self._told(delivery, notification.received_at_ms) for delivery in deliveries]
        return Translated(
            [news for one in told for news in one.news],
            [event for one in told for event in one.activity],
            sum(one.unreadable for one in told),
        )

    def _told(self, delivery: protocol.WebhookDelivery, received_ms: int) -> Translated:
        """One delivery; a time that cannot be its own counts as none, and its object is then read."""
        earliest_ms, latest_ms = told_between(received_ms)
        if delivery.created_at_ms is not None and not earliest_ms <= delivery.created_at_ms <= latest_ms:
            delivery = replace(delivery, created_at_ms=None)
        if delivery.named is not None:
            return self._news(delivery, *delivery.named)
        if delivery.event is not None:
            event = delivery.event
            if event.time_ms is not None and event.time_ms > latest_ms:
                event = replace(event, time_ms=None)
            return self._activity(event, delivery.created_at_ms or received_ms)
        return Translated()

    async def read(self, object_type: str, ids: Sequence[str], purpose: ReadPurpose) -> Sequence[Seen | Gone]:
        """One GET per object; the first error ends the others and is raised."""
        return await _together([self._read(object_type, id, purpose) for id in ids])

    async def page(self, object_type: str, cursor: str | None) -> ObjectPage:
        """Up to 100 objects, oldest first; `cursor` is the last id of the page before.

        Raises Refused: `cursor_gone` if that object was deleted meanwhile, because no other cursor continues the page;
        `paging_page_empty` if an empty page claims that others follow.
        """
        seen = await self._client.send(protocol.list_objects(kind_of(object_type), starting_after=cursor))
        if seen.answer.more and seen.answer.next_cursor is None:
            raise Refused(PAGE_EMPTY)  # no object to continue from, and the type is not wholly read
        objects = tuple(seen_of(record, seen, self._catalog) for record in seen.answer.records)
        return ObjectPage(objects, seen.answer.next_cursor, seen.answer.first_id)

    async def count(self, object_type: str) -> int | None:
        """How many fit one page; Userflow tells no totals, and of more than a page nothing is known."""
        seen = await self._client.send(protocol.list_objects(kind_of(object_type)))
        return None if seen.answer.more else len(seen.answer.records)

    async def look_up(
        self, object_type: str, field: FieldDefinition, values: Sequence[str], purpose: ReadPurpose
    ) -> Sequence[Seen]:
        """Find by id, or users by email: Userflow offers nothing else."""
        if field.name == ID_FIELD:
            read = await self.read(object_type, values, purpose)
            return [one for one in read if isinstance(one, Seen)]
        if (object_type, field.name) != (USERS, EMAIL_FIELD):
            raise Refused(NO_SUCH_FILTER)
        try:
            by_email = await _together([self._with_email(value, purpose) for value in values])
        except Refused as refusal:
            if refusal.reason != NO_SUCH_FILTER or purpose == "live_read":
                raise
            return await self._in_the_whole_list(frozenset(map(_folded, values)))
        return [one for users in by_email for one in users]

    async def _in_the_whole_list(self, emails: AbstractSet[str]) -> Sequence[Seen]:
        """The users with one of the emails, where no filter finds them: for a full sync, which alone can wait."""
        found, cursor, progress = list[Seen](), None, PagingProgress()
        while True:
            page = await self.page(USERS, cursor)
            found += [
                one
                for one in page.objects
                if EMAIL_FIELD in one.fields and _folded(one.fields[EMAIL_FIELD].value) in emails
            ]
            if page.cursor is None:
                return found
            progress.check(page.first_id, page.cursor)
            cursor = page.cursor

    async def _with_email(self, email: str, purpose: ReadPurpose) -> Sequence[Seen]:
        """The server may ignore the filter and list the environment's first users: compare each record's own email.

        Raises Refused `no_such_filter` where it does and others follow: they may hold the email, and of several the one
        that was found first would pass for the only one.
        """
        call = protocol.list_objects("users", email=email, limit=MOST_FOUND, purpose=purpose)
        seen = await self._client.send(call)
        records = seen.answer.records
        holders = [one for one in records if _folded(one.attributes.get(EMAIL_FIELD)) == _folded(email)]
        if seen.answer.more and len(holders) < len(records):
            raise Refused(NO_SUCH_FILTER)
        return [seen_of(record, seen, self._catalog) for record in holders]

    async def _read(self, object_type: str, id: str, purpose: ReadPurpose) -> Seen | Gone:
        try:
            seen = await self._client.send(protocol.get_object(kind_of(object_type), id, purpose=purpose))
        except Refused as refusal:
            if refusal.reason != "invalid_id" and refusal.status not in NO_SUCH_ID_STATUSES:
                raise
            # ids may come from HubSpot fields: one impossible in Userflow must not hold up the others
            seen = self._client.undated(None)
        if seen.answer is None:
            return Gone(id, seen.at_ms, seen.spread_ms)
        if seen.answer.id != id:
            raise Refused(OTHER_OBJECT, object_id=id)  # Userflow merges nothing: the owner of these fields is unknown
        return seen_of(seen.answer, seen, self._catalog)

    def _news(self, delivery: protocol.WebhookDelivery, kind: protocol.Kind, id: str) -> Translated:
        object_type, at_ms, record = object_type_of(kind), delivery.created_at_ms, delivery.record
        if object_type not in self._catalog.object_types:
            return Translated()
        if at_ms is not None and delivery.deleted:
            return Translated([News(object_type, id, "deleted", {}, at_ms, 0, complete=True)])
        if at_ms is None or record is None:
            # without a time or attributes a notification proves only that the object is worth a read
            of_deletion = delivery.deleted
            return Translated(
                [News(object_type, id, "upserted", {}, at_ms or 0, 0, complete=False, of_deletion=of_deletion)]
            )
        fields = _stamped(record, self._catalog, at_ms, 0)
        return Translated([News(object_type, record.id, "upserted", fields, at_ms, 0, complete=True)])

    def _activity(self, event: protocol.Event, notified_at_ms: int) -> Translated:
        """The user's and the company's activity; attributes keep their JSON kind, so texts like times stay texts."""
        if not (event.user_id or event.group_id):
            return Translated(unreadable=1)
        attributes = {name: field_value(raw) for name, raw in event.attributes.items()}
        at_ms = notified_at_ms if event.time_ms is None else event.time_ms
        named = (self._integration, self._connection, event.id, event.name)
        events = [
            ActivityEvent(*named, user_id or None, company_id or None, at_ms, attributes)
            for user_id, company_id in ((event.user_id, None), (None, event.group_id))
        ]
        return Translated(
            activity=[one for one in events if one.object_id and one.object_type in self._catalog.object_types]
        )


def seen_of(record: protocol.Record, seen: Observed[object], catalog: Catalog) -> Seen:
    """A record of an answer, with the fields that the catalog wants."""
    fields = _stamped(record, catalog, seen.at_ms, seen.spread_ms)
    return Seen(record.id, fields, seen.at_ms, seen.spread_ms)


def _stamped(record: protocol.Record, catalog: Catalog, at_ms: int, spread_ms: int) -> Mapping[str, StampedValue]:
    values = wanted_fields(record, catalog)
    return {name: StampedValue(value, at_ms, spread_ms) for name, value in values.items()}


def _folded(email: object) -> str:
    return email.strip().lower() if isinstance(email, str) else ""


async def _together(reads: Sequence[Coroutine[object, object, T]]) -> Sequence[T]:
    """Run all at once; raise the first error only after all have ended, so that none outlives the call."""
    answers = await asyncio.gather(*reads, return_exceptions=True)
    good = [answer for answer in answers if not isinstance(answer, BaseException)]
    if len(good) < len(answers):
        raise next(answer for answer in answers if isinstance(answer, BaseException))
    return good
