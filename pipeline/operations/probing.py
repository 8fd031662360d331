"""Asks both connectors of each integration what its system says now: of the mapped fields, and of its subscription.

They own the vendors' budgets and the credentials in force, so nobody else calls a vendor. One inquiry for each
integration is written; nothing is changed.
"""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pipeline.integration_file.loader import read_document
from pipeline.operations.finding_kinds import FindingCode
from pipeline.operations.findings import Finding
from pipeline.provisioning.custom_types import resolved
from pipeline.provisioning.resolve import fields_of
from schemas.configuration import Description, Inquiry, IntegrationPart, IntegrationSettings
from schemas.integrations import connector_of, every, types_of
from schemas.reasons import REASONS
from schemas.topics import INTEGRATIONS
from schemas.values import SYSTEMS, System

PROBE_S: Final = 10.0
POLL_EVERY_S: Final = 0.1

Parts = Callable[[], Mapping[str, IntegrationPart]]
Publish = Callable[[Sequence[tuple[str, str, Any]]], None]
"""Publishes records, (topic, key, record) each. Blocks."""


@dataclass(frozen=True, slots=True)
class Probed:
    """What was asked, and each system's answer; None where none came in time."""

    asked: Mapping[str, Inquiry] = field(default_factory=dict)  # by integration
    answers: Mapping[tuple[str, System], Description] = field(default_factory=dict)

    def answer(self, integration: str, system: System) -> Description | None:
        """What the system told; None where it told nothing, or refused."""
        found = self.answers.get((integration, system))
        return found if found is not None and found.reason is None else None


Probe = Callable[[], Probed]
NOBODY_ASKED: Final = Probed()

_SUBSCRIPTIONS: Final[Mapping[str, tuple[FindingCode, str]]] = {
    "missing": ("subscription_missing", "there is no webhook subscription that sends here: edits are not heard of"),
    "disabled": ("subscription_disabled", "its webhook subscription is disabled: edits are not heard of"),
    "incomplete": ("subscription_incomplete", "its webhook subscription does not tell of all that the mappings need"),
}


def probe(publish: Publish, parts: Parts, within_s: float, now_ms: Callable[[], int]) -> Probed:
    """Ask, and wait until everybody answered or the time is over. Blocks. Raises PublishFailed."""
    asked = dict(_inquiries(parts(), now_ms()))
    if not asked:
        return NOBODY_ASKED
    publish([(INTEGRATIONS, f"{name}/inquiry", IntegrationPart(name, inquiry=one)) for name, one in asked.items()])
    deadline = time.monotonic() + within_s
    while True:
        now = parts()
        answers = dict(_answers(now, asked))
        waited_for = [one for one in _places(now, asked) if one not in answers]
        if not waited_for or time.monotonic() > deadline:
            return Probed(asked, answers)
        time.sleep(POLL_EVERY_S)


def _inquiries(parts: Mapping[str, IntegrationPart], now_ms: int) -> Iterator[tuple[str, Inquiry]]:
    for name, settings in every(parts).items():
        if settings.state == "disconnected" or not settings.active_revision:
            continue
        file = resolved(read_document(settings.document), types_of(parts, name))
        wanted = {system: fields_of(file, system) for system in SYSTEMS}
        yield name, Inquiry(uuid.uuid4().hex, wanted["hubspot"], wanted["userflow"], now_ms, webhooks=True)


def _places(parts: Mapping[str, IntegrationPart], asked: Mapping[str, Inquiry]) -> Iterator[tuple[str, System]]:
    """Who is to answer: a connector whose system is away does not."""
    for name in asked:
        for system in SYSTEMS:
            state = connector_of(parts, name, system)
            if state is not None and state.status == "ok":
                yield name, system


def _answers(
    parts: Mapping[str, IntegrationPart], asked: Mapping[str, Inquiry]
) -> Iterator[tuple[tuple[str, System], Description]]:
    for name, inquiry in asked.items():
        for system in SYSTEMS:
            part = parts.get(f"{name}/{system}/description")
            found = part.description if part is not None else None
            if found is not None and found.inquiry_id == inquiry.inquiry_id:
                yield (name, system), found


def probed(
    name: str, settings: IntegrationSettings, parts: Mapping[str, IntegrationPart], told: Probed
) -> Iterator[Finding]:
    """What the answers of one integration, or their lack, say."""
    if name not in told.asked:
        return
    for system in SYSTEMS:
        what = f"integration {name}: {system}"
        state, answer = connector_of(parts, name, system), told.answers.get((name, system))
        if answer is None:
            if state is not None and state.status == "ok" and state.connection == settings.connection:
                said = "asked what the system says now, its connector did not answer: does it run, or is it frozen?"
                yield Finding(what, "wrong", said, "connector_does_not_answer", name)
        elif answer.reason is not None:
            said = f"does not tell of its fields: {_meant(answer.reason)}"
            yield Finding(what, "wrong", said, "fields_not_described", name)
        else:
            yield from _subscription(name, system, answer)


def _subscription(name: str, system: System, answer: Description) -> Iterator[Finding]:
    what = f"integration {name}: {system} webhooks"
    match answer.webhooks:
        case None:
            return
        case "ok":
            yield Finding(what, "ok", "the subscription is there, and tells of all that the mappings need", "ok", name)
        case "missing" | "disabled" | "incomplete" as standing:
            code, said = _SUBSCRIPTIONS[standing]
            yield Finding(what, "wrong", f"{said}. Fix: apply the file again, then run a full sync", code, name)
        case reason:
            said = f"its subscriptions cannot be read: {_meant(reason)}"
            yield Finding(what, "unknown", said, "subscription_unreadable", name)


def _meant(reason: str) -> str:
    known = REASONS.get(reason)
    return f"{reason} ({known.sentence})" if known is not None else reason
