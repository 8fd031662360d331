"""The receipts by which patches and events that were not written tell why."""

from collections.abc import Mapping

from schemas.records import FieldPatch, Receipt, ReceiptKind, TimelineEvent
from schemas.topics import pair_key
from schemas.values import FieldValue, System


def pair_of(record: FieldPatch | TimelineEvent) -> str:
    """The key of the pair that a patch or event is of."""
    return pair_key(record.integration, record.connection, record.mapping, record.match_value)


def patch_receipt(
    patch: FieldPatch, kind: ReceiptKind, fields: Mapping[str, FieldValue], reason: str | None = None
) -> Receipt:
    """The receipt for those fields of a patch."""
    return _receipt(patch, patch.system, kind, fields, reason, None)


def event_receipt(event: TimelineEvent, system: System, kind: ReceiptKind, reason: str | None = None) -> Receipt:
    """The receipt for an event of the system's timelines; it repeats the event."""
    return _receipt(event, system, kind, {}, reason, event)


def _receipt(
    about: FieldPatch | TimelineEvent,
    system: System,
    kind: ReceiptKind,
    fields: Mapping[str, FieldValue],
    reason: str | None,
    event: TimelineEvent | None,
) -> Receipt:
    return Receipt(
        integration=about.integration,
        connection=about.connection,
        revision=about.revision,
        mapping=about.mapping,
        match_value=about.match_value,
        system=system,
        object_type=about.object_type,
        object_id=about.object_id,
        kind=kind,
        fields=fields,
        reason=reason,
        run_id=about.run_id,
        caused_by=about.caused_by,
        event=event,
    )
