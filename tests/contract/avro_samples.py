"""The stored byte samples of every record: `python -m tests.contract.avro_samples` adds those of a new schema.

A sample is written once and never again: that today's bytes still decode tomorrow is what it is for.
"""

import dataclasses
import datetime as dt
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from schemas.codec import Codec
from schemas.configuration import (
    ConnectAnswer,
    ConnectLink,
    ConnectorState,
    DescribedEvent,
    DescribedField,
    DescribedType,
    Description,
    DesiredIntegration,
    Inquiry,
    IntegrationPart,
    IntegrationSettings,
    KeptGrant,
    SealRequest,
    SystemSettings,
)
from schemas.erasures import Erasure, ErasurePart, Looked, Rewriting
from schemas.operating import AuditEntry, ConsoleAccess, LetterMark, Notice, Replay
from schemas.records import (
    ActivityEvent,
    Cause,
    ChangeEvent,
    ConnectorRequest,
    Consent,
    DeadLetter,
    FieldAnswer,
    FieldPatch,
    FieldRule,
    Found,
    HeldEvent,
    MatchedChange,
    Notification,
    ObjectMapping,
    Receipt,
    SourcePosition,
    StampedValue,
    StateCommand,
    TimelineEvent,
    avro_name,
)
from schemas.registry import LocalRegistry, packaged_history
from schemas.runs import FullSyncRun, RunProgress
from schemas.state import Candidate, ObjectState, PairState, RefusedValue, RunMark, Settled, Written
from schemas.topics import TOPICS
from schemas.values import FieldValue
from schemas.vitals import ApiVitals, DurationVitals, InMemory, LimitVitals, MappingVitals, PlaceVitals, Vitals

FOLDER = Path(__file__).parents[1] / "samples" / "avro"
AT_MS = 1_700_000_000_123
CAUSE = Cause("hubspot.notifications", 3, 42, AT_MS, 120, 30, 80)

VALUES: Mapping[str, FieldValue] = {
    "nothing": None,
    "yes": True,
    "whole": 42,
    "decimal": 1.5,
    "text": "Zoë 🦊",
    "day": dt.date(2024, 2, 29),
    "instant": dt.datetime(2024, 1, 2, 3, 4, 5, 678_000, dt.UTC),
    "list": ("a", "b"),
}
STAMPED = {name: StampedValue(value, AT_MS, 999, ours=True) for name, value in VALUES.items()}
_SYSTEM = SystemSettings("12345678", {"source": "webhooks"}, {"token": b"\x00sealed"}, {"contacts": ("email", "plan")})
_DESCRIBED = DescribedField(
    "contacts", "colour", "Colour", "enumeration", ("red", "green"), True, False, False, True, True
)
_EVENT = DescribedEvent(
    "flow_started", "Flow Started", (DescribedField("flow_started", "flow_name", "Flow", "string"),), ("contacts",)
)
_DESIRED = DesiredIntegration("apply-1", "active", "integration: acme", _SYSTEM, _SYSTEM, AT_MS)
_SETTINGS = IntegrationSettings(
    connection=2,
    revision=7,
    active_revision=6,
    state="active",
    apply_id="apply-1",
    apply_state="provisioning",
    reason=None,
    document="integration: acme",
    hubspot=_SYSTEM,
    userflow=_SYSTEM,
    create=(_DESCRIBED,),
    events=(_EVENT,),
)
_CONNECTOR = ConnectorState(
    connection=2,
    described_revision=7,
    provisioned_revision=6,
    status="needs_reconnect",
    reason="expired",
    fields=(_DESCRIBED,),
    grant=b"grant",
    webhook_secret=b"secret",
    events=(_EVENT,),
    types=(DescribedType("2-77", "2-77", "pet"),),
    crawled=("users",),
    whole={"users/people": 7},
    parked=True,
    descriptions=2,
    clock_ahead_ms=-90_000_000,
    denied={"companies.read": "missing_scopes"},
)
_INQUIRY = Inquiry("ask-1", {"contacts": ("email",)}, {"users": ("plan",)}, AT_MS, True)
_DESCRIPTION = Description(
    "ask-1", "unauthorized", (_DESCRIBED,), (_EVENT,), (DescribedType("2-77", "2-77", "pet"),), "missing"
)

_ACTIVITY = ActivityEvent("acme", 2, "e-1", "flow_started", "u-1", None, AT_MS, VALUES, CAUSE)
_ON_TIMELINE = TimelineEvent(
    "acme", 2, 7, "people", "ada", "contacts", "101", "e-1", "flow_started", AT_MS, VALUES, None, CAUSE, "a-1"
)

SAMPLES: Mapping[str, Any] = {
    avro_name(type(record)): record
    for record in (
        Notification("acme", "hubspot", b'[{"objectId":1}]', {"x-hubspot-signature-v3": "abc"}, AT_MS),
        ConnectorRequest(
            "acme",
            2,
            "lookup",
            "contacts",
            ("ada@example.com",),
            "email",
            "people",
            300,
            "run-1",
            CAUSE,
            True,
            tell_missing=True,
            consent=Consent("f0", b"sealed", "denied"),
        ),
        ChangeEvent(
            "acme",
            2,
            7,
            "hubspot",
            "contacts",
            "101",
            "upserted",
            AT_MS,
            999,
            "receipt",
            STAMPED,
            VALUES,
            caused_by=CAUSE,
            given={"company.hs_object_id": "7"},
            found=Found("people", "ada@example.com", 2),
            unknown=("industry",),
            equal=True,
            causes={"title": CAUSE},
        ),
        _ACTIVITY,
        MatchedChange(
            integration="acme",
            connection=2,
            revision=7,
            mapping="people",
            match_value="ada@example.com",
            system="userflow",
            object_type="users",
            object_id="u-1",
            presence="joined",
            at_ms=AT_MS,
            spread_ms=999,
            origin="crawl",
            fields=STAMPED,
            answered={"title": FieldAnswer("a ", "a", AT_MS, 999, True, CAUSE)},
            run_id="run-1",
            bulk=True,
            caused_by=CAUSE,
            activity=_ACTIVITY,
            found=2,
        ),
        StateCommand(
            "acme",
            2,
            "pairs",
            "rederive",
            "people",
            None,
            "acme:2:people:ada",
            "run-1",
            caused_by=CAUSE,
            where={"company.hs_object_id": "7"},
            event=_ON_TIMELINE,
            step="confirm",
            attempt=2,
            counts={"pairs": 3},
            samples=("hubspot 101, userflow u-1: userflow.title",),
            system="hubspot",
            whole=("userflow.users",),
            most=2_000,
            fields=("hubspot.colour",),
        ),
        FieldPatch("acme", 2, 7, "people", "ada", "userflow", "users", "u-1", VALUES, "run-1", True, CAUSE),
        _ON_TIMELINE,
        Receipt(
            "acme",
            2,
            7,
            "people",
            "ada",
            "hubspot",
            "contacts",
            "101",
            "refused",
            VALUES,
            "not_an_option",
            "run-1",
            CAUSE,
            _ON_TIMELINE,
        ),
        DeadLetter(
            "0f",
            "acme",
            "pairs",
            "not_an_option",
            "a sentence",
            "sync.matches",
            1,
            2,
            "key",
            b"\x00",
            AT_MS,
            "people",
            redrives=2,
        ),
        AuditEntry(AT_MS, "acme", "revision in force", "scheduler-0", "host", "connection 2", 7, "integration: acme"),
        LetterMark("0f", "redriven", AT_MS, "ada@host", 2, "ACME-77"),
        Notice("acme", "hubspot", "needs_reconnect", "ok", 3, "5f0c", AT_MS, "waiting", "grant_revoked"),
        Replay(
            "1700000000123-7c1e",
            "acme",
            2,
            "running",
            "ada@host",
            AT_MS,
            AT_MS + 1,
            ("hubspot.changes",),
            {"hubspot.changes[0]": 1},
            {"hubspot.changes[0]": 9},
            {"hubspot.changes[0]": 5},
            {"userflow.field-patches[0]": 7},
            "people",
            "acme:2:hubspot:contacts:101",
            8,
            4,
            3,
            2,
            1,
        ),
        ConsoleAccess("link", "operator", "ada@host", AT_MS, AT_MS + 1, "a1"),
        ObjectState(
            7,
            True,
            AT_MS,
            999,
            STAMPED,
            {"people": "ada"},
            "102",
            "run-1",
            (HeldEvent(_ACTIVITY, AT_MS),),
            ("industry",),
            {"a-0": AT_MS},
            AT_MS,
            {"people": "x@example.com"},
        ),
        PairState(
            revision=7,
            hubspot={"101": Candidate(AT_MS, 0, {})},
            userflow={"u-1": Candidate(AT_MS, 999, STAMPED, (Written(("title",), AT_MS, 999, "run-1", CAUSE),))},
            settled={"userflow.title": Settled("a ", "a")},
            refused={"hubspot.colour": RefusedValue("blue", "not_an_option")},
            rewrites={"userflow.title": (AT_MS, AT_MS + 1)},
            contested=("userflow.seats",),
            rivals_read=("userflow.u-2",),
            parked=True,
            run_id="run-1",
            looked_up_ms=AT_MS,
            counted={"hubspot": 26},
            held=(HeldEvent(_ACTIVITY, AT_MS),),
            parked_events=(_ON_TIMELINE,),
            streamed={"e-0": AT_MS},
            streamed_until_ms=AT_MS,
            known=("userflow",),
            missed=("hubspot",),
            asked={"hubspot": AT_MS},
            mark=RunMark("run-1", ("userflow.title", "hubspot.tier"), ("hubspot.tier",)),
        ),
        ObjectMapping(
            integration="acme",
            connection=2,
            revision=7,
            name="people",
            hubspot_type="contacts",
            userflow_type="users",
            match_hubspot="email",
            match_userflow="email",
            on_several="newest",
            rules=(FieldRule("to_hubspot", "plan", "string", "tier", "enumeration", ("pro", "free"), "keep", True),),
            stream_events=True,
            event_names=("flow_started",),
            match_hubspot_type="number",
            match_hubspot_unique=True,
            read_since={"hubspot.jobtitle": 3},
        ),
        RunProgress(
            "run-1",
            "acme",
            "hubspot.contacts",
            "running",
            AT_MS,
            AT_MS + 1,
            100,
            "cursor",
            None,
            ("people",),
            counts={"pairs": 3},
            expected=200,
            calls=2,
            attempt=1,
            samples=("hubspot 101, userflow u-1: userflow.title",),
            full_sync=FullSyncRun(
                "gap",
                2,
                "read",
                "crawl",
                True,
                ("userflow.users",),
                {"people": "lists"},
                ("userflow.users",),
                {"people": 7},
                {"firms": "unauthorized"},
                {"sync.matches[0]": 7},
                1,
                2,
                3,
                AT_MS,
                AT_MS + 1,
                True,
                4,
                AT_MS + 2,
                True,
            ),
        ),
        ErasurePart(
            Erasure("acme", 2, "hubspot", "contacts", "101", AT_MS, b"salt", (b"hash",), False),
            Looked(AT_MS, 1, AT_MS + 1),
            Rewriting(100, 50),
        ),
        Vitals(
            "userflow-0",
            "userflow",
            AT_MS,
            AT_MS - 60_000,
            5_000,
            "0.1.0",
            1_234,
            5,
            (
                PlaceVitals(
                    "userflow sink",
                    "userflow.field-patches",
                    2,
                    88_214,
                    300,
                    200,
                    (InMemory("acme", 100, 90, AT_MS - 101_000, AT_MS - 400, 88_113),),
                ),
            ),
            (ApiVitals("userflow", "write", 200, 3, 1_500),),
            (LimitVitals("acme", "userflow", 8, "burst", AT_MS - 1_000),),
            (DurationVitals("whole", "userflow", False, (1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 1), 12_345),),
            7,
            AT_MS - 3_000,
            {"acme/hubspot": AT_MS - 3_000},
            {"hubspot/mismatch": AT_MS - 2_000},
            (MappingVitals("people", 12, 5, 1, 2, "acme"),),
        ),
        SourcePosition("acme", 3, "hubspot", "contacts/modified", "1700000000000 1699999000000", AT_MS),
        IntegrationPart(
            "acme",
            desired=_DESIRED,
            settings=_SETTINGS,
            connector=_CONNECTOR,
            inquiry=_INQUIRY,
            description=_DESCRIPTION,
            grant=KeptGrant("12345678", b"grant", ("crm.objects.contacts.read",), "0f", "f0", AT_MS),
            link=ConnectLink("f0", ("crm.objects.contacts.read",), AT_MS, AT_MS + 600_000),
            consent=ConnectAnswer("f0", "wrong_account", "44120018", ("oauth",), AT_MS),
            seals=SealRequest("0a1b", AT_MS),
        ),
    )
}


def topic_of(record: str) -> str:
    """Any topic that carries the record."""
    return next(name for name, topic in TOPICS.items() if avro_name(topic.record) == record)


def sample_path(schema_id: int, record: str) -> Path:
    return FOLDER / f"{schema_id:04d}-{record}.bin"


def shown(record: Any) -> str:
    """A record as readable text, one field a line, for the file beside the bytes.

    Fields at their default are left out: those that a record gets later change nothing.
    """
    fields = "".join(f"  {name}={_shown(value)},\n" for name, value in _told(record))
    return f"{avro_name(type(record))}(\n{fields})\n"


def _told(record: Any) -> Iterator[tuple[str, Any]]:
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        factory = field.default_factory
        default = field.default if factory is dataclasses.MISSING else factory()
        if default is dataclasses.MISSING or value != default:
            yield field.name, value


def _shown(value: Any) -> str:
    if dataclasses.is_dataclass(value):
        return f"{avro_name(type(value))}({', '.join(f'{name}={_shown(inner)}' for name, inner in _told(value))})"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key!r}: {_shown(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, tuple):
        inside = ", ".join(map(_shown, value))
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    return repr(value)


def write_missing() -> list[Path]:
    """Write the samples of the newest schemas that have none yet; returns the new files."""
    codec, registry = Codec(LocalRegistry()), LocalRegistry()
    made = []
    for record, sample in SAMPLES.items():
        topic = topic_of(record)
        path = sample_path(registry.id_of(topic, record), record)
        if not path.exists():
            FOLDER.mkdir(parents=True, exist_ok=True)
            path.write_bytes(codec.encode(topic, sample))
            path.with_suffix(".txt").write_text(shown(sample), "utf-8")
            made.append(path)
    return made


def schemas_without_sample() -> list[str]:
    return [
        f"{schema_id:04d}-{record}"
        for schema_id, (record, _) in sorted(packaged_history().items())
        if not sample_path(schema_id, record).exists()
    ]


if __name__ == "__main__":
    write_missing()
