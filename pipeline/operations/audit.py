"""The audit: what is sent with each record that changes something, and what was done, read back. Pure but for Kafka."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from connectors.kafka.reading import Found
from pipeline.operations import OperationRefused
from schemas.audit import deeds
from schemas.codec import Codec, MalformedRecord
from schemas.operating import AuditEntry
from schemas.records import ChangeEvent
from schemas.registry import UnknownSchema
from schemas.topics import AUDIT, HUBSPOT_CHANGES, INTEGRATIONS, RUNS, USERFLOW_CHANGES

AUDITED: Final = frozenset({INTEGRATIONS, RUNS, HUBSPOT_CHANGES, USERFLOW_CHANGES})
"""Topics whose records may do something that is audited."""


class Audit:
    """What one process does; `before` gives what a key of a table holds."""

    def __init__(self, before: Callable[[str, str], Any], by: str, place: str, now_ms: Callable[[], int]) -> None:
        self._before = before
        self._by = by
        self._place = place
        self._now_ms = now_ms

    def along(self, topic: str, key: str, record: Any) -> Iterator[tuple[str, str, AuditEntry]]:
        """The entries that go along with a record."""
        if topic not in AUDITED or (isinstance(record, ChangeEvent) and record.operation != "erased"):
            return  # most records of a connector end here
        for deed in deeds(record, self._known(topic, key)):
            entry = AuditEntry(
                self._now_ms(),
                deed.integration,
                deed.action,
                self._by,
                self._place,
                deed.detail,
                deed.revision,
                deed.document,
            )
            yield AUDIT, deed.integration, entry

    def _known(self, topic: str, key: str) -> Any:
        try:
            return self._before(topic, key)
        except KeyError:  # this process follows no such table
            return None

    def deed(self, integration: str, action: str, detail: str) -> tuple[str, str, AuditEntry]:
        """Topic, key and entry of what no single record tells, such as a redrive of many letters."""
        return AUDIT, integration, AuditEntry(self._now_ms(), integration, action, self._by, self._place, detail)


class NoSuchRevision(OperationRefused):
    """The audit knows no such revision; the message says which it knows."""


def entries(
    messages: Iterable[Found], codec: Codec, integration: str | None, action: str | None, since_ms: int
) -> list[AuditEntry]:
    """What was done, oldest first."""
    found = []
    for message in messages:
        try:
            entry = codec.decode(AUDIT, message.value or b"")
        except (MalformedRecord, UnknownSchema):
            continue
        wanted = integration in (None, entry.integration) and action in (None, entry.action)
        if wanted and entry.at_ms >= since_ms:
            found.append(entry)
    return sorted(found, key=lambda entry: entry.at_ms)


def document_of(found: Sequence[AuditEntry], integration: str, revision: int) -> str:
    """The integration file of a revision, secrets as ${NAME}. Raises NoSuchRevision."""
    known = {one.revision: one.document for one in found if one.integration == integration and one.document}
    known.pop(0, None)
    document = known.get(revision)
    if document is None:
        there = ", ".join(map(str, sorted(known))) or "none"
        raise NoSuchRevision(f"the audit holds no revision {revision} of {integration}; it holds: {there}")
    return document


def entry_report(entry: AuditEntry) -> Mapping[str, Any]:
    """An entry as an object."""
    return {
        "at_ms": entry.at_ms,
        "integration": entry.integration,
        "action": entry.action,
        "by": entry.by,
        "place": entry.place,
        "detail": entry.detail,
        "revision": entry.revision or None,
    }
