"""Reads the fields that records show of associated ones: first the associated ids, then those records' fields.

Follows HubSpot's guide "associate records".
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from connectors.contract.associations import AssociatedFields, ReaderIdsPage
from connectors.contract.errors import MISSING_SCOPES, Misconfigured, Missing, Transient
from connectors.contract.source import Gone, ReadPurpose, Seen
from connectors.http.observed import observed
from connectors.hubspot.associated import associated_fields, id_field, shown_by, shown_name, the_one
from connectors.hubspot.client import HubSpotClient
from connectors.hubspot.known_associates import AssociatePlace, Fields, KnownAssociates, Link
from connectors.hubspot.lookups import read_record
from connectors.hubspot.object_types import ObjectTypes
from connectors.hubspot.protocol import (
    BATCH_LIMIT,
    AssociationsRead,
    Record,
    list_associations,
    read_associations,
    read_objects,
)
from connectors.hubspot.translate import field_value, stamp, stored_value, tells
from schemas.records import StampedValue
from schemas.values import FieldDefinition


@dataclass(frozen=True, slots=True)
class _Lost:
    """What a record shows whose associate is not there."""

    other: str  # the associate's id
    fields: Fields


class AssociatedReader:
    """Reads one account's associated fields, but for live reads only those that nothing vouches for any more."""

    def __init__(self, client: HubSpotClient, types: ObjectTypes, known: KnownAssociates | None = None) -> None:
        """`known` is what it may rely on; None: on nothing that was read before."""
        self._client = client
        self._catalog = types.catalog
        self._known = known or KnownAssociates(lambda: 0.0)
        self._relies = known is not None

    def doubt(self, object_type: str, object_ids: Iterable[str]) -> None:
        """Read anew what these objects show."""
        others = tuple(associated_fields(self._catalog.wanted(object_type)))
        for object_id in object_ids:
            self._known.doubted(object_type, object_id, others)

    async def enriched(self, object_type: str, objects: Sequence[Seen], purpose: ReadPurpose) -> list[Seen]:
        """The same records with the fields and ids of their associated ones."""
        for other, names in associated_fields(self._catalog.wanted(object_type)).items():
            kind = AssociatePlace(object_type, other, names)
            shown, unsettled = await self._permitted(kind, [seen.object_id for seen in objects], purpose)
            objects = [
                _showing(seen, shown[seen.object_id], kind, unsettled=seen.object_id in unsettled)
                if seen.object_id in shown
                else seen
                for seen in objects
            ]
        return list(objects)

    def shown_by(self, object_type: str) -> Sequence[str]:
        return tuple(shown_by(self._catalog, object_type))

    def id_field(self, object_type: str) -> str:
        return id_field(object_type)

    async def shown(
        self, object_type: str, object_id: str, notified: Fields, purpose: ReadPurpose
    ) -> Sequence[AssociatedFields]:
        """One request; a notified value wins if the record was modified before it, or is too new to be read."""
        by_type = shown_by(self._catalog, object_type)
        if not by_type:
            return ()
        names = tuple(dict.fromkeys(name for wanted in by_type.values() for name in wanted))
        record = await read_record(self._client, object_type, object_id, names, purpose)
        kinds = [AssociatePlace(mapped, object_type, wanted) for mapped, wanted in by_type.items()]
        if isinstance(record, Gone):
            at_ms, spread_ms = record.at_ms, record.spread_ms
            values = [_with_newer({}, kind, notified) for kind in kinds]
        else:
            at_ms, spread_ms = stamp(record.updated_at_ms, record.observed)
            values = [_with_newer(self._values(kind, record), kind, notified) for kind in kinds]
        return [
            AssociatedFields(kind.object_type, fields, at_ms, spread_ms)
            for kind, fields in zip(kinds, values, strict=True)
            if fields
        ]

    async def showing(
        self, object_type: str, object_id: str, by_type: str, cursor: str | None, purpose: ReadPurpose
    ) -> ReaderIdsPage:
        """Up to 500 ids, under any association label: only the other side knows which one is shown."""
        try:
            page = await self._client.send(
                list_associations(object_type, object_id, by_type, after=cursor, purpose=purpose)
            )
        except Missing:
            return ReaderIdsPage((), None)
        return ReaderIdsPage([association.to_id for association in page.to], page.after)

    async def _permitted(
        self, kind: AssociatePlace, ids: Sequence[str], purpose: ReadPurpose
    ) -> tuple[Mapping[str, Fields], AbstractSet[str]]:
        """As `_shown_of`; of a type that may not be read nothing is known, and the records themselves still are."""
        try:
            return await self._shown_of(kind, ids, purpose)
        except Misconfigured as error:
            if error.reason != MISSING_SCOPES:
                raise
            return {object_id: {} for object_id in ids}, frozenset()

    async def _shown_of(
        self, kind: AssociatePlace, ids: Sequence[str], purpose: ReadPurpose
    ) -> tuple[Mapping[str, Fields], AbstractSet[str]]:
        """The fields each record shows, and the records of which that is not settled.

        A record that shows one that is not there is asked once more for its associations. An associate that is not in
        the recycling bin either may have been made, by a merge say, later than what a lagging read shows.
        """
        shown, lost = await self._shown_once(kind, ids, purpose)
        if not lost:
            return shown, frozenset()
        again, lost = await self._shown_once(kind, list(lost), purpose, anew=True)
        in_bin = await self._in_bin(kind, {one.other for one in lost.values()}, purpose)
        fields = {object_id: one.fields for object_id, one in lost.items()}
        return shown | again | fields, {object_id for object_id, one in lost.items() if one.other not in in_bin}

    async def _in_bin(self, kind: AssociatePlace, ids: AbstractSet[str], purpose: ReadPurpose) -> AbstractSet[str]:
        """Those of the ids whose records are archived."""
        found, wanted = set[str](), sorted(ids)
        for start in range(0, len(wanted), BATCH_LIMIT):
            batch = wanted[start : start + BATCH_LIMIT]
            answer = await self._client.send(read_objects(kind.other, batch, (), archived=True, purpose=purpose))
            found |= {record.id for record in answer.results if record.archived is not False}
        return found

    async def _shown_once(
        self, kind: AssociatePlace, ids: Sequence[str], purpose: ReadPurpose, *, anew: bool = False
    ) -> tuple[dict[str, Fields], dict[str, _Lost]]:
        """Two maps: the fields of each record whose associate exists or that has none; empty fields for the others.

        What is still vouched for is not read; `anew` reads all.
        """
        if not ids:
            return {}, {}
        anew = anew or not self._relies or purpose != "live_read"
        links = {} if anew else self._known.links(kind, ids)
        links |= await self._links(kind, [id for id in ids if id not in links], purpose)
        wanted = {link.other for link in links.values() if link.other is not None}
        fields = {} if anew else self._known.fields(kind, wanted)
        fields |= await self._fields(kind, wanted - fields.keys(), purpose)
        there: dict[str, Fields] = {}
        lost: dict[str, _Lost] = {}
        for object_id, link in links.items():
            if link.other is None or link.other in fields:
                there[object_id] = self._group(kind, link, fields.get(link.other or ""))
            else:
                lost[object_id] = _Lost(link.other, self._group(kind, link, None))
        return there, lost

    async def _links(self, kind: AssociatePlace, ids: Sequence[str], purpose: ReadPurpose) -> Mapping[str, Link]:
        if not ids:
            return {}
        begun = self._known.now()
        answer = await self._client.send(
            observed(read_associations(kind.object_type, kind.other, list(ids), purpose=purpose))
        )
        chosen = _chosen(answer.answer, ids)
        links = {object_id: Link(other, answer.at_ms, answer.spread_ms) for object_id, other in chosen.items()}
        self._known.keep_links(kind, links, begun)
        return links

    async def _fields(self, kind: AssociatePlace, ids: Iterable[str], purpose: ReadPurpose) -> Mapping[str, Fields]:
        begun = self._known.now()
        records = await self._records(kind, ids, purpose)
        fields = {other_id: self._values(kind, record) for other_id, record in records.items()}
        self._known.keep_fields(kind, fields, begun)
        return fields

    async def _records(self, kind: AssociatePlace, ids: Iterable[str], purpose: ReadPurpose) -> Mapping[str, Record]:
        """The existing records; an id missing from the batch is read alone."""
        wanted, records = sorted(ids), dict[str, Record]()
        for start in range(0, len(wanted), BATCH_LIMIT):
            batch = wanted[start : start + BATCH_LIMIT]
            answer = await self._client.send(read_objects(kind.other, batch, kind.names, purpose=purpose))
            records |= {record.id: record for record in answer.results if not record.archived}
            for missing in set(batch) - records.keys():
                alone = await read_record(self._client, kind.other, missing, kind.names, purpose)
                if isinstance(alone, Record):
                    records[missing] = alone
        return records

    def _group(self, kind: AssociatePlace, link: Link, fields: Fields | None) -> Fields:
        """The values by their modified time, so that a rename is ordered; the associated id as of the answer."""
        name = id_field(kind.other)
        if fields is None or link.other is None:
            return {one: StampedValue(None, link.at_ms, link.spread_ms) for one in (name, *self._names(kind))}
        shown_id = field_value(link.other, self._catalog.definition(kind.object_type, name).type)
        return {**fields, name: StampedValue(shown_id, link.at_ms, link.spread_ms)}

    def _values(self, kind: AssociatePlace, record: Record) -> dict[str, StampedValue]:
        at_ms, spread_ms = stamp(record.updated_at_ms, record.observed)
        types = {
            own: self._catalog.definition(kind.object_type, shown_name(kind.other, own)).type for own in kind.names
        }
        return {
            shown_name(kind.other, own): StampedValue(
                stored_value(record, FieldDefinition(own, type_)), at_ms, spread_ms
            )
            for own, type_ in types.items()
            if tells(record, own)
        }

    def _names(self, kind: AssociatePlace) -> Iterable[str]:
        return (shown_name(kind.other, own) for own in kind.names)


def _showing(seen: Seen, shown: Fields, kind: AssociatePlace, *, unsettled: bool) -> Seen:
    """The record with its associated fields; a field missing from the associated record stays unknown."""
    names = (shown_name(kind.other, own) for own in kind.names)
    unknown = tuple(name for name in names if name not in shown)
    return replace(
        seen,
        fields={**seen.fields, **shown},
        unknown=(*seen.unknown, *unknown),
        unsettled=(*seen.unsettled, *shown) if unsettled else seen.unsettled,
    )


def _chosen(read: AssociationsRead, ids: Iterable[str]) -> Mapping[str, str | None]:
    """The associate each record shows; a record whose associations could not be read is left out, which means unknown.

    The first page of associations decides: HubSpot lists them in the order of their ids.
    """
    odd = [error for error in read.errors if error.reason != "missing"]
    if any(not error.ids for error in odd):
        raise Transient(odd[0].reason)
    unread = {object_id for error in odd for object_id in error.ids}
    associations = {one.from_id: one.to for one in read.results}
    return {object_id: the_one(associations.get(object_id, ())) for object_id in ids if object_id not in unread}


def _with_newer(values: dict[str, StampedValue], kind: AssociatePlace, notified: Fields) -> Fields:
    for own in kind.names:
        name = shown_name(kind.other, own)
        if own in notified and (name not in values or notified[own].at_ms > values[name].at_ms):
            values[name] = notified[own]
    return values
