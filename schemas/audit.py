"""What a record that is published does, as the audit tells it: who changes what. Pure; names no secret and no value."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from schemas.configuration import (
    ConnectorState,
    DesiredIntegration,
    IntegrationPart,
    IntegrationSettings,
    KeptGrant,
)
from schemas.records import ChangeEvent
from schemas.runs import OPEN, RunProgress

ACTIONS: Final = (
    *("apply", "apply refused", "apply given up", "revision in force", "state"),
    *("pause", "resume", "disconnect", "withdrawn"),
    *("forget", "forgotten", "connect link", "connect", "grant", "status", "secrets rotate", "topics apply"),
    *("topics repartition", "state rebuild", "erase"),
    *("full-sync start", "full-sync stop", "full-sync confirm", "full-sync end"),
    *("dead-letters redrive", "dead-letters discard", "dead-letters give back"),
    *("replay run", "replay hold", "replay cancel"),
    *("read again", "derive again", "look up", "look now", "values shown"),
    *("token made", "token ended", "session ended", "link ended", "console sign-out"),
)
"""Everything that is audited."""
IN_FORCE: Final = "revision in force"


def in_connection(number: int) -> str:
    """The detail of what is audited of one connection."""
    return f"connection {number}"


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing that is done."""

    integration: str  # to which; empty: to the installation
    action: str
    detail: str = ""
    revision: int = 0  # where it brings one into force
    document: str | None = None  # of that revision; secrets stand as ${NAME}


def deeds(record: Any, before: Any) -> Iterator[Deed]:
    """What publishing the record does, by what its key held before."""
    match record:
        case IntegrationPart():
            yield from _configured(record, before if isinstance(before, IntegrationPart) else None)
        case RunProgress(full_sync=asked) if record.state == "requested" and before is None:
            if record.part == "run":
                by = asked.requested_by if asked is not None else "person"
                yield Deed(record.integration, "full-sync start", f"{record.run_id} ({by})")
            elif record.part in ("stop", "confirm"):
                yield Deed(record.integration, f"full-sync {record.part}", record.run_id)
        case RunProgress(part="run") if record.state not in OPEN:
            if isinstance(before, RunProgress) and before.state in OPEN:
                why = f": {record.reason}" if record.reason else ""
                yield Deed(record.integration, "full-sync end", f"{record.run_id} {record.state}{why}")
        case ChangeEvent(operation="erased"):
            yield Deed(record.integration, "erase", f"one of {record.system} {record.object_type}")


def _configured(part: IntegrationPart, before: IntegrationPart | None) -> Iterator[Deed]:
    name = part.integration
    if part.desired is not None:
        yield _asked(name, part.desired, before.desired if before is not None else None)
    if part.settings is not None:
        yield from _in_force(name, part.settings, before.settings if before is not None else None)
    if part.connector is not None:
        yield from _reported(name, part.connector, before.connector if before is not None else None)
    if part.grant is not None:
        yield from _granted(name, part.grant, before.grant if before is not None else None)
    if part.link is not None:
        yield Deed(name, "connect link")
    if part.consent is not None:
        yield Deed(name, "connect", part.consent.reason or f"account {part.consent.account}")
    if part.seals is not None:
        yield Deed("", "secrets rotate", f"key {part.seals.key_id}")
    if part.former is not None:
        yield Deed(name, "forgotten", in_connection(part.former.connection))


def _asked(name: str, desired: DesiredIntegration, before: DesiredIntegration | None) -> Deed:
    action = _word(desired, before)
    detail = desired.pause_reason if action == "pause" else ""
    return Deed(name, action, detail, document=desired.document if action == "apply" else None)


def _word(desired: DesiredIntegration, before: DesiredIntegration | None) -> str:
    """What is asked for; of an integration that is paused other mappings or secrets are asked for, and no pause."""
    if desired.state == "disconnected":
        return "disconnect"
    if desired.state_only:
        return "pause" if desired.state == "paused" else "resume"
    was_paused = before is not None and before.state == "paused"
    same = before is not None and before.document == desired.document
    if desired.state == "paused":
        sections = before is not None and (before.hubspot, before.userflow) == (desired.hubspot, desired.userflow)
        return "pause" if not was_paused or (same and sections) else "apply"
    return "resume" if was_paused and same else "apply"


def _in_force(name: str, now: IntegrationSettings, before: IntegrationSettings | None) -> Iterator[Deed]:
    if now.active_revision and (before is None or now.active_revision != before.active_revision):
        yield Deed(name, IN_FORCE, in_connection(now.connection), now.active_revision, now.document)
    if before is not None and now.state != before.state:
        yield Deed(name, "state", f"{before.state} -> {now.state}")
    failed_before = before is not None and (before.apply_state, before.apply_id) == ("failed", now.apply_id)
    if before is not None and before.trial is not None and now.apply_id != before.apply_id:
        yield Deed(name, "apply given up", "a newer request came while it was on trial")
    if now.apply_state == "failed" and not failed_before:
        yield Deed(name, "apply refused", now.reason or "", now.revision)


def _reported(name: str, now: ConnectorState, before: ConnectorState | None) -> Iterator[Deed]:
    was = before.status if before is not None else "ok"
    if now.status != was:
        yield Deed(name, "status", f"{was} -> {now.status}" + (f": {now.reason}" if now.reason else ""))
    if now.withdrawn is not None and (before is None or before.withdrawn != now.withdrawn):
        yield Deed(name, "withdrawn", now.withdrawn)


def _granted(name: str, now: KeptGrant, before: KeptGrant | None) -> Iterator[Deed]:
    """Access that is new; a refresh token that was renewed is none."""
    if before is None or (now.account, now.link, now.granted_at_ms) != (
        before.account,
        before.link,
        before.granted_at_ms,
    ):
        yield Deed(name, "grant", f"account {now.account}" if now.account else "")
