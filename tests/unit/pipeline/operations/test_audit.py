"""The audit: what each record does, what goes along with it, and that no secret does."""

from dataclasses import replace
from typing import Any, Final

import pytest

from connectors.kafka.reading import Found
from pipeline.operations.audit import Audit, NoSuchRevision, document_of, entries, entry_report
from schemas.audit import deeds
from schemas.codec import Codec
from schemas.configuration import (
    ConnectAnswer,
    ConnectLink,
    ConnectorState,
    DesiredIntegration,
    Former,
    IntegrationPart,
    IntegrationSettings,
    KeptGrant,
    SealRequest,
    Sections,
    SystemSettings,
)
from schemas.operating import AuditEntry
from schemas.registry import LocalRegistry
from schemas.runs import RunState, run_request
from schemas.topics import AUDIT, HUBSPOT_CHANGES, INTEGRATIONS, RUNS
from tests.unit.pipeline.core.given import contact

CODEC: Final = Codec(LocalRegistry())
AT_MS: Final = 1_795_700_000_000
DOCUMENT: Final = "integration: acme\nhubspot: {token: ${TOKEN}}\n"
SYSTEM: Final = SystemSettings("1", secrets={"token": b"sealed"})

TRIED: Final = Sections(DOCUMENT, SYSTEM, SYSTEM)
GIVEN_UP: Final = ("apply given up", "a newer request came while it was on trial")


def desired(
    state: Any, document: str = DOCUMENT, *, why: str = "", hubspot: SystemSettings = SYSTEM
) -> IntegrationPart:
    return IntegrationPart("acme", desired=DesiredIntegration("a-1", state, document, hubspot, SYSTEM, AT_MS, why))


def state_alone(asked_for: Any, document: str) -> IntegrationPart:
    """By what was read before another file was applied."""
    asked = desired(asked_for, document).desired
    assert asked is not None
    return IntegrationPart("acme", desired=replace(asked, state_only=True))


def settings(**more: Any) -> IntegrationPart:
    values: dict[str, Any] = {
        "connection": 1,
        "revision": 4,
        "active_revision": 4,
        "state": "active",
        "apply_id": "a-1",
        "apply_state": "done",
        "reason": None,
        "document": DOCUMENT,
        "hubspot": SYSTEM,
        "userflow": SYSTEM,
    }
    return IntegrationPart("acme", settings=IntegrationSettings(**values | more))


def state(status: Any, reason: str | None = None) -> IntegrationPart:
    return IntegrationPart("acme", connector=ConnectorState(1, 1, 1, status, reason=reason))


def told(record: Any, before: Any = None) -> list[tuple[str, str]]:
    return [(deed.action, deed.detail) for deed in deeds(record, before)]


@pytest.mark.parametrize(
    ("now", "before", "done"),
    [
        (desired("active"), None, [("apply", "")]),
        (desired("paused"), desired("active"), [("pause", "")]),
        (desired("paused", why="CRM clean-up"), desired("active"), [("pause", "CRM clean-up")]),
        (desired("paused", why="and a demo"), desired("paused", why="CRM clean-up"), [("pause", "and a demo")]),
        (desired("paused", "other", why="CRM clean-up"), desired("paused"), [("apply", "")]),
        (desired("paused", hubspot=replace(SYSTEM, secrets={"token": b"new"})), desired("paused"), [("apply", "")]),
        (desired("active"), desired("paused"), [("resume", "")]),
        (desired("active", "other"), desired("paused"), [("apply", "")]),
        (state_alone("paused", "other"), desired("paused"), [("pause", "")]),
        (state_alone("active", "other"), desired("paused"), [("resume", "")]),
        (desired("disconnected"), desired("active"), [("disconnect", "")]),
        (settings(), None, [("revision in force", "connection 1")]),
        (settings(), settings(active_revision=3), [("revision in force", "connection 1")]),
        (settings(), settings(), []),
        (settings(state="paused"), settings(), [("state", "active -> paused")]),
        (settings(apply_id="a-2"), settings(apply_state="proving", trial=TRIED), [GIVEN_UP]),
        (
            settings(apply_id="a-2", apply_state="proving", trial=TRIED),
            settings(apply_state="proving", trial=TRIED),
            [GIVEN_UP],
        ),
        (settings(), settings(apply_state="proving", trial=TRIED), []),
        (settings(apply_state="failed", reason="why"), settings(), [("apply refused", "why")]),
        (settings(apply_state="failed", reason="why"), settings(apply_state="failed", reason="why"), []),
        (state("needs_reconnect", "expired"), state("ok"), [("status", "ok -> needs_reconnect: expired")]),
        (state("ok"), state("unavailable"), [("status", "unavailable -> ok")]),
        (state("ok"), None, []),
        (IntegrationPart("acme", grant=KeptGrant("1", b"x", granted_at_ms=1)), None, [("grant", "account 1")]),
        (
            IntegrationPart("acme", grant=KeptGrant("1", b"y", granted_at_ms=1)),
            IntegrationPart("acme", grant=KeptGrant("1", b"x", granted_at_ms=1)),
            [],
        ),
        (IntegrationPart("acme", link=ConnectLink("f0", (), 1, 2)), None, [("connect link", "")]),
        (IntegrationPart("acme", consent=ConnectAnswer("f0", "declined")), None, [("connect", "declined")]),
        (IntegrationPart("", seals=SealRequest("0a", 1)), None, [("secrets rotate", "key 0a")]),
        (IntegrationPart("acme", former=Former(3)), None, [("forgotten", "connection 3")]),
        (contact(1, {}, operation="erased"), None, [("erase", "one of hubspot contacts")]),
        (contact(1, {}), None, []),
    ],
)
def test_what_a_record_does(now: Any, before: Any, done: list[tuple[str, str]]) -> None:
    assert told(now, before) == done


def test_a_full_sync_is_asked_for_once() -> None:
    request = run_request("acme", AT_MS, "person")
    assert told(request) == [("full-sync start", f"{request.run_id} (person)")]
    assert told(request, request) == []
    assert told(replace(request, state="running")) == []
    assert told(replace(request, part="stop")) == [("full-sync stop", request.run_id)]


@pytest.mark.parametrize(
    ("state", "reason", "detail"),
    [
        ("completed", None, "completed"),
        ("stopped", "stopped by `pairstream full-sync stop`", "stopped: stopped by `pairstream full-sync stop`"),
        ("superseded", "run 2-b takes its place", "superseded: run 2-b takes its place"),
        ("failed", "forbidden", "failed: forbidden"),
    ],
)
def test_a_full_sync_ends_once_and_it_is_told_how(state: RunState, reason: str | None, detail: str) -> None:
    """The audit told who started, stopped and confirmed one, and not what came of it."""
    running = replace(run_request("acme", AT_MS, "person"), state="running")
    over = replace(running, state=state, reason=reason)
    assert told(over, running) == [("full-sync end", f"{over.run_id} {detail}")]
    assert told(over, over) == []
    assert told(replace(over, part="userflow.users"), running) == []


def test_entries_go_along_with_their_record_and_hold_no_secret() -> None:
    audit = Audit(lambda *_: None, "ada", "build-7: pairstream apply", lambda: AT_MS)
    ((topic, key, entry),) = audit.along(INTEGRATIONS, "acme/desired", desired("active"))
    assert (topic, key, entry.by, entry.place) == (AUDIT, "acme", "ada", "build-7: pairstream apply")
    assert b"sealed" not in CODEC.encode(AUDIT, entry) and entry.document == DOCUMENT


def test_a_table_that_is_not_followed_holds_nothing() -> None:
    def before(topic: str, key: str) -> Any:
        raise KeyError(topic)

    audit = Audit(before, "ada", "build-7", lambda: AT_MS)
    assert [entry.action for _, _, entry in audit.along(RUNS, "r", run_request("acme", AT_MS, "gap"))] == [
        "full-sync start"
    ]
    assert list(audit.along(HUBSPOT_CHANGES, "k", contact(1, {}))) == []
    assert list(audit.along("sync.receipts", "k", desired("active"))) == []


def found(*some: AuditEntry) -> list[Found]:
    return [Found(AUDIT, 0, at, b"", CODEC.encode(AUDIT, entry), (), 0) for at, entry in enumerate(some)]


def test_what_was_done_is_read_back() -> None:
    apply = AuditEntry(AT_MS, "acme", "apply", "ada", "build-7")
    force = replace(apply, at_ms=AT_MS + 1, action="revision in force", revision=4, document=DOCUMENT)
    other = replace(apply, integration="globex")
    messages = [*found(force, other, apply), Found(AUDIT, 0, 9, b"", b"rubbish", (), 0)]
    assert entries(messages, CODEC, "acme", None, 0) == [apply, force]
    assert entries(messages, CODEC, None, "apply", AT_MS) == [other, apply]
    assert entries(messages, CODEC, None, None, AT_MS + 1) == [force]
    assert document_of([apply, force], "acme", 4) == DOCUMENT
    with pytest.raises(NoSuchRevision, match="it holds: 4"):
        document_of([apply, force], "acme", 5)
    assert list(entry_report(force)) == ["at_ms", "integration", "action", "by", "place", "detail", "revision"]
