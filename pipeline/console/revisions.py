"""The revisions of an integration as the audit tells of them: who asked for each, what it changed, what goes back."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pipeline.console.files import NotReadable, file_of
from pipeline.integration_file.model import IntegrationFile
from pipeline.operations.plan_diff import MappingChange, file_changes
from schemas.operating import AuditEntry

MOST_SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class Revision:
    """One that was in force, or is."""

    number: int
    at_ms: int
    by: str  # who asked for it
    place: str
    changes: tuple[MappingChange, ...]  # what it changed
    back: tuple[MappingChange, ...]  # what going back to it from what is in force now would change


def revisions(found: Sequence[AuditEntry], integration: str, document: str) -> list[Revision]:
    """The newest, newest first; `found` stands oldest first, `document` is the file in force. Takes a while."""
    ours = [one for one in found if one.integration == integration]
    asked = list(_asked(ours))[-MOST_SHOWN - 1 :]
    now, told = _file(document), list[Revision]()
    for at, (by, entry) in enumerate(asked):
        then = _file(entry.document or "")
        if then is not None:
            before = _file(asked[at - 1][1].document or "") if at else None
            changed = _changed(then, before) if at or len(asked) <= MOST_SHOWN else ()
            back = _changed(then, now) if now is not None else ()
            told.append(Revision(entry.revision, entry.at_ms, by.by, by.place, changed, back))
    return told[::-1][:MOST_SHOWN]


def _asked(entries: Sequence[AuditEntry]) -> Iterator[tuple[AuditEntry, AuditEntry]]:
    """Each revision's entry, behind that of whoever asked for it: a role puts in force what somebody asks for."""
    by: AuditEntry | None = None
    for entry in entries:
        if entry.action == "apply":
            by = entry
        if entry.revision and entry.document:
            yield by or entry, entry
            by = None


def _changed(file: IntegrationFile, before: IntegrationFile | None) -> tuple[MappingChange, ...]:
    return tuple(one for one in file_changes(file, before) if one.kind != "unchanged")


def _file(document: str) -> IntegrationFile | None:
    """None for one that this build cannot read."""
    try:
        return file_of(document)
    except NotReadable:
        return None


def what(changes: Sequence[MappingChange]) -> Mapping[str, str]:
    """Each mapping's change in words, by its name."""
    return {one.name: "; ".join(one.details) if one.kind == "changed" else one.kind for one in changes}
