"""What is wrong with an installation, in the order in which to mend it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from connectors.kafka.admin import Admin
from connectors.kafka.groups import BrokersUnreachable
from connectors.kafka.producer import PublishFailed
from connectors.kafka.table import TableIncomplete
from connectors.kafka.transactions import TransactionFailed
from pipeline.integration_file.loader import read_document
from pipeline.lag.judging import Lag
from pipeline.operations.codec_in_use import codec_in_use
from pipeline.operations.finding_kinds import FindingCode
from pipeline.operations.findings import Finding
from pipeline.operations.full_sync_age import full_sync_age
from pipeline.operations.installation import SettingsDiffer
from pipeline.operations.losses import Losses, losses
from pipeline.operations.moved_topics import RepartitionRefused
from pipeline.operations.open_letters import Letters, open_letters
from pipeline.operations.probing import NOBODY_ASKED, Probe, Probed, probed
from pipeline.operations.refused_apply import refusal_of, stays
from pipeline.operations.roles import roles, stages
from pipeline.operations.runs import Runs, last_run
from pipeline.operations.state_folder import state_folder
from pipeline.operations.webhooks import webhooks
from pipeline.provisioning.custom_types import resolved
from pipeline.provisioning.described import described_file
from pipeline.provisioning.remedies import remedy, withdrawal
from pipeline.provisioning.resolve import lacking
from pipeline.provisioning.scopes import lacking_scopes, lacking_sentence
from pipeline.provisioning.sources import heard, is_asked
from pipeline.provisioning.subscriptions import subscriptions
from schemas.codec import CODEC
from schemas.configuration import (
    ConnectorState,
    ConnectorStatus,
    DescribedType,
    IntegrationPart,
    IntegrationSettings,
    is_feed,
    secret_place,
)
from schemas.integrations import awaits_grant, connector_of, every, types_of
from schemas.records import avro_name
from schemas.registry import SchemaRegistry
from schemas.seals import seals_of
from schemas.topics import TOPICS
from schemas.values import SYSTEMS, System

STANDS_FOR: Final[Mapping[ConnectorStatus, FindingCode]] = {
    "ok": "wait_capped",  # the only reason of a connector that works
    "needs_reconnect": "needs_reconnect",
    "failed": "connector_failed",
    "unavailable": "connector_unavailable",
}


WHY_NOT: Final = "no PAIRSTREAM_SECRET_KEY here: whether the roles' key opens them is not looked at"
NO_KEY_HERE: Final = Finding("secrets", "unknown", WHY_NOT, "secrets_not_looked_at")


def examine(
    admin: Admin,
    registry: SchemaRegistry,
    check_reached: Callable[[], None],
    check_partitions: Callable[[], None],
    integrations: Callable[[], Mapping[str, IntegrationPart]],
    *,
    partitions: int,
    changes_retention_days: int,
    opens: Callable[[bytes, str], bool],
    newest: Callable[[bytes, str], bool],
    runs: Runs,
    lost: Losses,
    road: Callable[[], Lag],
    letters: Letters,
    probe: Probe,
    state_dir: Path,
    full_sync_interval_s: int,
    now_ms: int,
) -> Iterator[Finding]:
    """Checks brokers, topics, registry, then every integration; skips checks that depend on a broken one."""
    yield codec_in_use(CODEC)
    yield from state_folder(state_dir)
    try:
        check_reached()
        check_partitions()
        problems = admin.check_topics(partitions, changes_retention_days)
    except BrokersUnreachable as error:
        yield Finding("brokers", "wrong", str(error), "brokers_unreachable")
        return
    except RepartitionRefused as error:
        yield Finding("brokers", "ok", "answer")
        yield Finding("topics", "wrong", str(error), "partitions_differ")
        yield _registry(registry)
        return
    yield Finding("brokers", "ok", "answer")
    for problem in problems:
        mend = ": run `pairstream topics apply`" if problem.mendable else ", which `topics apply` leaves as it is"
        told = f"{problem.topic} {problem.message}{mend}"
        yield Finding("topics", "wrong", told, "topics_differ")
    if not problems:
        yield Finding("topics", "ok", f"{len(TOPICS)} topics with {partitions} partitions")
    yield _registry(registry)
    if any(problem.missing for problem in problems):
        return
    try:
        parts, progress, missed, lag = integrations(), list(runs()), list(lost()), road()
        refused, answers = letters(), probe()
    except (TableIncomplete, SettingsDiffer, TransactionFailed, BrokersUnreachable, PublishFailed) as error:
        yield Finding("configuration", "wrong", str(error), "configuration_unreadable")
        return
    yield from roles(lag)
    yield from stages(lag, changes_retention_days)
    yield from webhooks(lag)
    yield from losses(missed, parts, [run.row for run in progress], partitions)
    yield from open_letters(refused)
    for name, settings in every(parts).items():
        yield from examine_integration(name, settings, parts, opens, answers)
        yield from former_key(name, parts, newest)
        if settings.state != "disconnected":
            yield from last_run(name, progress, now_ms)
        if settings.active_revision and settings.state == "active":
            yield from full_sync_age(name, settings, progress, full_sync_interval_s, now_ms)


def _registry(registry: SchemaRegistry) -> Finding:
    try:
        without = [topic.name for topic in TOPICS.values() if not registry.has(topic.name, avro_name(topic.record))]
    except Exception as error:  # noqa: BLE001 - a registry client raises whatever its HTTP library does
        told = f"{type(error).__name__}: check SCHEMA_REGISTRY_URL"
        return Finding("schema registry", "wrong", told, "registry_unusable")
    if without:
        return Finding("schema registry", "ok", f"{', '.join(without)}: registered with the first record")
    return Finding("schema registry", "ok", "every topic's schema has an id")


def examine_integration(
    name: str,
    settings: IntegrationSettings,
    parts: Mapping[str, IntegrationPart],
    opens: Callable[[bytes, str], bool],
    answers: Probed = NOBODY_ASKED,
) -> Iterator[Finding]:
    """Its last apply, its secrets, both connectors, its rules, and what its HubSpot app has to subscribe to."""
    what = f"integration {name}"
    if settings.apply_state == "failed":
        told = f"the last apply was refused: {refusal_of(name, settings, parts)}"
        told += f". Meanwhile {left}" if (left := stays(name, settings)) else ""
        yield Finding(what, "wrong", told, "apply_refused", name)
    if settings.apply_state == "done" and settings.reason:
        yield Finding(what, "ok", settings.reason, integration=name)
    if settings.trial is not None and awaits_grant(parts, name, settings):
        told = (
            f"its newest file waits for access to HubSpot account {settings.trial.hubspot.account}; meanwhile "
            f"{stays(name, settings)}. Fix: run `pairstream connect {name}`, or apply the file in force to withdraw it"
        )
        yield Finding(what, "wrong", told, "grant_awaited", name)
    if settings.state == "disconnected":
        yield Finding(what, "ok", "disconnected", integration=name)
        yield from _left(what, name, settings, parts)
        return
    if settings.state == "paused":
        why = f". Reason given: {settings.pause_reason}" if settings.pause_reason else ""
        yield Finding(what, "ok", f"paused: nothing is written until it is resumed{why}", integration=name)
    if not all(opens(sealed, place) for sealed, place in _sealed(name, settings)):
        told = "PAIRSTREAM_SECRET_KEY does not open its secrets: set the key it was applied with"
        yield Finding(what, "wrong", told, "secrets_do_not_open", name)
    for system in SYSTEMS:
        state = _reported(parts, name, system, settings)
        yield _connector(f"{what}: {system}", system, settings, state, name)
        if state is None:
            continue
        if state.clock_ahead_ms:
            told = skew(system, state.clock_ahead_ms)
            yield Finding(f"{what}: {system}", "wrong", told, "vendor_clock_wrong", name)
        yield from denials(name, system, state)
    yield from _scopes(f"{what}: hubspot", name, settings, parts)
    if settings.active_revision:
        yield from probed(name, settings, parts, answers)
        yield from _standing_still(what, name, settings, parts, answers)
        yield from _subscriptions(name, settings, types_of(parts, name))
        yield from _sources(name, settings)


def _left(
    what: str, name: str, settings: IntegrationSettings, parts: Mapping[str, IntegrationPart]
) -> Iterator[Finding]:
    """What a disconnect left in a system that was away."""
    for system in SYSTEMS:
        state = _reported(parts, name, system, settings)
        if state is not None and state.withdrawn not in (None, "done"):
            yield Finding(what, "wrong", withdrawal(system, state.withdrawn), "left_in_system", name)


def former_key(
    name: str, parts: Mapping[str, IntegrationPart], newest: Callable[[bytes, str], bool]
) -> Iterator[Finding]:
    """Secrets that open by a key that is not the first any more: it cannot be taken away yet."""
    of_it = ((key, part) for key, part in parts.items() if part.integration == name)
    old = sum(not newest(*one) for key, part in of_it for one in seals_of(key, part))
    if old:
        told = f"{old} secrets are not sealed with the newest key. Fix: run `pairstream secrets rotate`"
        yield Finding(f"integration {name}: secrets", "wrong", told, "secrets_former_key", name)


def denials(integration: str, system: System, state: ConnectorState) -> Iterator[Finding]:
    """The object types that the credentials may not read or write."""
    what = f"integration {integration}: {system}"
    for name, reason in state.denied.items():
        object_type, _, verb = name.rpartition(".")
        known = remedy(system, reason)
        fix = f" Fix: {known.fix}" if known is not None else ""
        if is_feed(object_type):
            tried = f"{object_type} cannot be pulled ({reason}), and is tried every ten minutes.{fix}"
            yield Finding(what, "wrong", f"its news wait: {tried}", "news_wait", integration)
            continue
        told = f"may not {verb} {object_type} ({reason}); everything else goes on.{fix}"
        yield Finding(what, "wrong", told, "type_denied", integration)


def _sealed(integration: str, settings: IntegrationSettings) -> Iterator[tuple[bytes, str]]:
    for system in SYSTEMS:
        for name, sealed in settings.section(system).secrets.items():
            yield sealed, secret_place(integration, system, name)


def skew(system: System, ahead_ms: int) -> str:
    """A sentence on two clocks that differ."""
    minutes = abs(ahead_ms) // 60_000
    hours, days = minutes // 60, minutes // (24 * 60)
    size = f"{days} days" if days > 1 else f"{hours} hours" if hours > 1 else f"{minutes} minutes"
    way = "ahead of" if ahead_ms > 0 else "behind"
    lost = " Beyond a day its times are not believed." if minutes >= 24 * 60 else ""
    return f"its clock is {size} {way} ours.{lost} Fix: set this machine's clock by NTP; if it is right, tell {system}"


def _standing_still(
    what: str, name: str, settings: IntegrationSettings, parts: Mapping[str, IntegrationPart], answers: Probed
) -> Iterator[Finding]:
    """Rules in force whose fields are no more, or can no longer be read: they write nothing, their targets stay.

    By what the systems say now, where they were asked; else by what their connectors last reported.
    """
    hubspot, userflow = (_reported(parts, name, system, settings) for system in SYSTEMS)
    if not settings.describes_what_is_in_force or hubspot is None or userflow is None:
        return
    if hubspot.status != "ok" or userflow.status != "ok":
        return
    if min(hubspot.described_revision, userflow.described_revision) < settings.revision:
        return  # they have told of a file that was refused, and not again of the one in force
    now = {system: answers.answer(name, system) for system in SYSTEMS}
    file = described_file(read_document(settings.document), now["hubspot"] or hubspot, now["userflow"] or userflow)
    for problem in file.misfits():
        told = f"{problem.message}. Fix: {problem.fix}"
        yield Finding(f"{what}: fields", "wrong", told, "field_stands_still", name)
    for target in dict.fromkeys(road.target for road in lacking(file.file, file.fields)):
        told = f"is no more in HubSpot: {target.object_type}.{target.field}. Fix: restore it, or apply again"
        yield Finding(f"{what}: fields", "wrong", told, "field_gone", name)


def _reported(
    parts: Mapping[str, IntegrationPart], name: str, system: System, settings: IntegrationSettings
) -> ConnectorState | None:
    """What a connector last reported of this connection."""
    state = connector_of(parts, name, system)
    return state if state is not None and state.connection == settings.connection else None


def _subscriptions(name: str, settings: IntegrationSettings, types: Sequence[DescribedType]) -> Iterator[Finding]:
    """A checklist: no token can read what an app subscribes to."""
    file = resolved(read_document(settings.document), types)
    for wanted in subscriptions(file) if file.hubspot.source == "webhooks" else ():
        told = f"the HubSpot app must subscribe to {wanted}"
        yield Finding(f"integration {name}: webhooks", "unknown", told, "subscription_checklist", name)


def _scopes(
    what: str, name: str, settings: IntegrationSettings, parts: Mapping[str, IntegrationPart]
) -> Iterator[Finding]:
    """What the file in force, or the one that was asked for last, needs and HubSpot has not granted."""
    types, asked = types_of(parts, name), parts.get(f"{name}/desired")
    documents = [settings.document]
    if asked is not None and asked.desired is not None and settings.apply_state == "failed":
        documents.append(asked.desired.document)
    lacking = dict.fromkeys(
        scope for text in documents for scope in lacking_scopes(resolved(read_document(text), types), parts)
    )
    if lacking:
        yield Finding(what, "wrong", lacking_sentence(name, tuple(lacking)), "scopes_lacking", name)


def _sources(name: str, settings: IntegrationSettings) -> Iterator[Finding]:
    """How edits are heard of, where not by webhooks alone."""
    file = read_document(settings.document)
    if is_asked(file):
        for system, sentence in zip(SYSTEMS, heard(file), strict=True):
            yield Finding(f"integration {name}: {system} news", "ok", sentence, integration=name)


def _connector(
    what: str, system: System, settings: IntegrationSettings, state: ConnectorState | None, name: str
) -> Finding:
    if state is None:
        told = "its connector has not reported yet: is it running?"
        return Finding(what, "unknown", told, "connector_not_reported", name)
    if state.status != "ok" or state.reason is not None:
        known = remedy(system, state.reason or "")
        fix = known.fix.replace("`pairstream connect`", f"`pairstream connect {name}`") if known is not None else ""
        advice = f": {known.message}. Fix: {fix}" if known is not None else ""
        told = f"{state.status.replace('_', ' ')}: {state.reason}{advice}"
        return Finding(what, "wrong", told, STANDS_FOR[state.status], name)
    asked = settings.apply_state == "provisioning" and settings.trial is None
    missing = sorted(f"{field.object_type}.{field.name}" for field in settings.create)
    if asked and missing and state.provisioned_revision < settings.revision:
        told = f"fields are not created yet: {', '.join(missing)}"
        return Finding(what, "wrong", told, "fields_not_created", name)
    return Finding(what, "ok", f"credentials accepted, {len(state.fields)} fields described", integration=name)
