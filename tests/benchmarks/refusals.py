"""An installation of many integrations with many dead letters, as its topics hold it."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from connectors.kafka.cluster import Cluster
from schemas.codec import Codec
from schemas.configuration import ConnectorState, DescribedField, IntegrationPart, IntegrationSettings, SystemSettings
from schemas.letters import letter_id
from schemas.operating import AuditEntry
from schemas.records import Cause, DeadLetter, FieldRule, ObjectMapping, Receipt, StampedValue
from schemas.runs import FullSyncRun, RunProgress
from schemas.state import Candidate, PairState, RefusedValue
from schemas.topics import AUDIT, DAY_MS, DEAD_LETTERS, INTEGRATIONS, MAPPINGS, PAIRS_STATE, RECEIPTS, RUNS, pair_key
from tests.benchmarks.filling import Filling

AUDITED: Final = 5_000
DAYS: Final = 30
"""One full sync each, as long as they are told of."""
PARTS: Final = 8
MAPPING: Final = "people"
REASONS: Final = ("not_an_option", "invalid_option", "too_long", "not_unique", "unknown_field")
DOCUMENT: Final = """\
integration: %s
hubspot: {account: 1, app_secret: "${APP_SECRET}", token: "${TOKEN}"}
userflow: {environment: production, api_key: "${API_KEY}"}
mappings:
  - name: people
    hubspot: contacts
    userflow: users
    match: {hubspot: email, userflow: email}
    to_userflow: [{from: jobtitle, to: title}]
    to_hubspot: [{from: plan, to: tier}]
"""
FIELDS: Final = {
    "hubspot": tuple(DescribedField("contacts", name, name, "string") for name in ("email", "jobtitle", "tier")),
    "userflow": tuple(DescribedField("users", name, name, "string") for name in ("email", "plan", "title")),
}


def name_of(number: int) -> str:
    """The name of an integration."""
    return f"bench-{number}"


def fill(cluster: Cluster, integrations: int, letters: int) -> None:
    """Integrations in step but for their letters, a value refused for each of so many pairs, one every second."""
    now = int(time.time() * 1000)
    with Filling(cluster) as filling:
        for number in range(integrations):
            for topic, key, record in _integration(number, now):
                filling.put(topic, key, record)
        for number in range(letters):
            refuse(filling, integrations, number, now - 1_000 * number)
        for number in range(AUDITED):
            name, id = name_of(number % integrations), str(number)
            filling.put(AUDIT, name, AuditEntry(now - number, name, "full-sync start", "ada@bench", "bench", id))


def refuse(filling: Filling, integrations: int, number: int, at_ms: int) -> None:
    """One letter, each number's of a pair of its own, and the pair's row that remembers what was refused."""
    letter, row = _letter(filling.codec, name_of(number % integrations), number // integrations, number, at_ms)
    filling.put(DEAD_LETTERS, letter.key, letter)
    filling.put(PAIRS_STATE, letter.key, row)


def _integration(number: int, now: int) -> Iterator[tuple[str, str, Any]]:
    name, section = name_of(number), SystemSettings("1")
    settings = IntegrationSettings(1, 1, 1, "active", "bench", "done", None, DOCUMENT % name, section, section)
    yield INTEGRATIONS, f"{name}/settings", IntegrationPart(name, settings=settings)
    for system, fields in FIELDS.items():
        state = ConnectorState(1, 1, 1, "ok", fields=fields)
        yield INTEGRATIONS, f"{name}/{system}", IntegrationPart(name, connector=state)
    rules = (
        FieldRule("to_userflow", "jobtitle", "string", "title", "string"),
        FieldRule("to_hubspot", "plan", "string", "tier", "string"),
    )
    mapped = ObjectMapping(name, 1, 1, MAPPING, "contacts", "users", "email", "email", on_several="refuse", rules=rules)
    yield MAPPINGS, f"{name}/{MAPPING}", mapped
    for day in range(DAYS):
        yield from _run(name, number, now - day * DAY_MS)


def _run(name: str, number: int, ended_ms: int) -> Iterator[tuple[str, str, Any]]:
    """A full sync that ended, and what each part of it told."""
    run_id = f"{ended_ms - 60_000:013d}-{number:04d}"
    counted = {"pairs": 2_000, "written.userflow": 100, "equal": 1_900}
    run = RunProgress(run_id, name, "run", "completed", ended_ms - 60_000, ended_ms, counts=counted, reason=None)
    yield RUNS, run_id, replace(run, full_sync=FullSyncRun(phase="confirm", finished_at_ms=ended_ms - 1_000))
    for part in range(PARTS):
        yield RUNS, f"{run_id}/pairs/{part}", replace(run, part=f"pairs/{part}")


def _letter(codec: Codec, name: str, of_its_own: int, number: int, at_ms: int) -> tuple[DeadLetter, PairState]:
    """A refused value with the receipt that told of it, and the pair's row that remembers it."""
    email = f"person{number}@example.com"
    key, field, value = pair_key(name, 1, MAPPING, email), "hubspot.tier", f"plan {number}"
    reason, cause = REASONS[of_its_own % len(REASONS)], Cause("userflow.notifications", 0, number, at_ms)
    told = Receipt(
        name, 1, 1, MAPPING, email, "hubspot", "contacts", str(number), "refused", {"tier": value}, reason, None, cause
    )
    letter = DeadLetter(
        id=letter_id(key, field, value, reason),
        integration=name,
        stage="pairs",
        reason=reason,
        detail="hubspot refused the value of field tier",
        topic=RECEIPTS,
        partition=0,
        offset=number,
        key=key,
        value=codec.encode(RECEIPTS, told),
        at_ms=at_ms,
        field=field,
        mapping=MAPPING,
        caused_by=cause,
    )
    here = {"plan": StampedValue(value, at_ms, 0)}
    there = {"tier": StampedValue(None, at_ms, 0)}
    row = PairState(1, {str(number): Candidate(at_ms, 0, there)}, {f"u-{number}": Candidate(at_ms, 0, here)})
    return letter, replace(row, refused={field: RefusedValue(value, reason)})
