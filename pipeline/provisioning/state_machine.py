"""How a request to connect, change, pause or disconnect an integration becomes what is in force: pure decisions.

The active scheduler is the only writer of settings and claims; it calls `decide` until there is nothing left to write.
A request goes: describing (both connectors tell their fields) -> provisioning (missing fields are made) -> done.
Custom object types are described first: what their fields are named, and so which fields to ask for, follows from them.
What connects anew while something is in force (another account, other credentials or options) goes through both on
trial first, beside it (`pipeline/provisioning/trial.py`).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from pipeline.integration_file.loader import read_document
from pipeline.provisioning import trial
from pipeline.provisioning.claims import other_holders, rightful, same_accounts
from pipeline.provisioning.described import DescribedFile, described_file
from pipeline.provisioning.forgetting import configuration_forgotten, last_connection, state_forgotten
from pipeline.provisioning.mapping_writes import mapping_writes
from pipeline.provisioning.refusals import not_ready, rejected
from pipeline.provisioning.resolve import object_mappings, to_create, with_fields_of
from pipeline.provisioning.streams import streamed
from pipeline.provisioning.trial import SameSecret
from pipeline.provisioning.writes import ConfigurationWrite
from schemas.configuration import (
    UNDER_WAY,
    ConnectorState,
    DesiredIntegration,
    IntegrationClaim,
    IntegrationPart,
    IntegrationSettings,
    IntegrationState,
    Sections,
    SystemSettings,
)
from schemas.integrations import connector_of, settings_of
from schemas.letters import place_of
from schemas.records import ObjectMapping
from schemas.topics import INTEGRATIONS, MAPPINGS
from schemas.values import SYSTEMS, System

ALREADY_CLAIMED: Final = "already claimed"
DISCONNECTED: Final = "it is disconnected and its credentials are forgotten: apply its file"
VENDOR_REFUSAL: Final = re.compile(r"(hubspot|userflow): (?:needs reconnect|failed): (\S+)")

Parts = Mapping[str, IntegrationPart]
Failed = Callable[[str, Exception], None]
"""(integration, what was raised)."""


def _nobody_knows(*_: object) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Outside:
    """What is told and asked outside of the tables."""

    failed: Failed | None = None  # told of an integration on which our own code raises; None: the error is raised
    same_secret: SameSecret = _nobody_knows  # a secret that is not known for the one in force is tried first


def decide(
    parts: Parts,
    mappings: Mapping[str, ObjectMapping],
    partitions: int,
    outside: Outside = Outside(),
) -> list[ConfigurationWrite]:
    """What to write next, in order; empty when everything asked for is done or waits for a connector."""
    writes: list[ConfigurationWrite] = []
    for key, part in sorted(parts.items()):
        if part.settings is not None and (told := state_forgotten(part.integration, part.settings, partitions)):
            return told
        gone = part.settings is not None and part.settings.state == "disconnected"
        if gone and f"{part.integration}/desired" not in parts:
            return configuration_forgotten(part.integration, parts, mappings)  # its request was deleted
        if part.desired is None or not key.endswith("/desired"):
            continue
        writes += _contained(part.integration, part.desired, parts, mappings, outside)
        if writes:
            break  # one integration at a time: its claims are in force before the next integration claims
    return writes or list(_orphans(parts))


def _contained(
    name: str,
    desired: DesiredIntegration,
    parts: Parts,
    mappings: Mapping[str, ObjectMapping],
    outside: Outside,
) -> list[ConfigurationWrite]:
    """What comes next for one integration; a request on which our own code raises is refused, and the others go on."""
    try:
        return _next(name, desired, parts, mappings, outside.same_secret)
    except Exception as error:  # whatever it is, the next look would meet it again, and so would every scheduler
        if outside.failed is None:
            raise
        outside.failed(name, error)
        settings, reason = settings_of(parts, name), f"step_failed: our own code raised at {place_of(error)}"
        if settings is None:
            return []
        if settings.apply_id != desired.apply_id:
            refused = replace(_restored(settings), apply_id=desired.apply_id, apply_state="failed", reason=reason)
            return [_write(name, refused)]
        return [_failed(name, settings, reason)] if settings.apply_state in UNDER_WAY else []


def _orphans(parts: Parts) -> Iterator[ConfigurationWrite]:
    """Reports that came after their integration was forgotten: the next one of that name must not find them."""
    for key, part in sorted(parts.items()):
        there = {f"{part.integration}/settings", f"{part.integration}/desired"} & parts.keys()
        if part.connector is not None and not there:
            yield ConfigurationWrite(INTEGRATIONS, key, None)


def _next(
    name: str,
    desired: DesiredIntegration,
    parts: Parts,
    mappings: Mapping[str, ObjectMapping],
    same_secret: SameSecret,
) -> list[ConfigurationWrite]:
    """Carries out the request; then repairs claims and mappings that a scheduler died before writing."""
    writes = _asked(name, desired, parts, mappings, same_secret)
    written = {write.key: write.record for write in writes if isinstance(write.record, IntegrationPart)}
    settings = settings_of({**parts, **written}, name)
    if settings is None:
        return writes
    claims = [_claimed(name, key) for key in sorted(rightful(settings) - parts.keys())]
    return [*claims, *writes, *_superfluous(name, settings, parts, mappings)]


def _superfluous(
    name: str, settings: IntegrationSettings, parts: Parts, mappings: Mapping[str, ObjectMapping]
) -> Iterator[ConfigurationWrite]:
    """No claim is kept that is not the integration's by right, and no mapping of one that is disconnected."""
    wanted = rightful(settings)
    for key, part in parts.items():
        if part.claim is not None and part.claim.integration == name and key not in wanted:
            yield ConfigurationWrite(INTEGRATIONS, key, None)
    if settings.state == "disconnected":
        for key, mapping in mappings.items():
            if mapping.integration == name:
                yield ConfigurationWrite(MAPPINGS, key, None)


def _asked(
    name: str,
    desired: DesiredIntegration,
    parts: Parts,
    mappings: Mapping[str, ObjectMapping],
    same_secret: SameSecret,
) -> list[ConfigurationWrite]:
    settings = settings_of(parts, name)
    if settings is None or settings.apply_id != desired.apply_id:
        return [_accepted(name, desired, settings, parts, same_secret)]
    states = [connector_of(parts, name, system) for system in SYSTEMS]
    if settings.trial is not None:
        return _tried(name, desired, settings, parts) or list(_redescribed(name, settings, states, mappings))
    if settings.apply_state not in UNDER_WAY:
        return list(_redescribed(name, settings, states, mappings))
    failure = not_ready(name, settings, parts) or rejected(settings, states)
    if failure is not None:
        return [_failed(name, settings, failure)]
    described = _description_of(settings, states)
    if described is None:
        return []
    if settings.apply_state == "describing":
        return [_described(name, settings, described)]
    return list(_provisioned(name, desired, settings, described, states, mappings))


def _accepted(
    name: str,
    desired: DesiredIntegration,
    settings: IntegrationSettings | None,
    parts: Parts,
    same_secret: SameSecret,
) -> ConfigurationWrite:
    before = settings or _nothing_yet(name, desired, parts)
    if desired.state == "disconnected":
        return _gone(name, replace(before, apply_id=desired.apply_id, apply_state="done", reason=None))
    connected = before.state != "disconnected"
    if not connected and (desired.state_only or (before.revision > 0 and _same(desired, before))):
        # a pause or resume that crossed a disconnect: the credentials are gone
        return _gone(name, replace(before, apply_id=desired.apply_id, apply_state="failed", reason=DISCONNECTED))
    if connected and (desired.state_only or _as_before(name, desired, before, same_secret)):
        return _write(name, _in_state(before, desired))
    holders = other_holders(name, desired, parts)
    if holders:
        refused = replace(_restored(before), apply_id=desired.apply_id, apply_state="failed")
        return _write(name, replace(refused, reason=_claimed_by(holders)))
    in_force = _restored(before)
    if connected and before.active_revision and not trial.is_proven(name, desired, in_force, same_secret):
        return _write(name, trial.begun(desired, in_force))
    return _begun(name, desired, before)


def _begun(name: str, desired: DesiredIntegration, before: IntegrationSettings) -> ConfigurationWrite:
    """The request becomes the settings, not in force yet; another account is another connection."""
    same = before.state != "disconnected" and same_accounts(desired, before)
    return _write(
        name,
        IntegrationSettings(
            connection=before.connection if same else before.connection + 1,
            revision=before.revision + 1,
            active_revision=before.active_revision if same else 0,
            state=before.state if same and before.active_revision else "connecting",
            apply_id=desired.apply_id,
            apply_state="describing",
            reason=None,
            document=desired.document,
            hubspot=desired.hubspot,
            userflow=desired.userflow,
            events=before.events if same else (),
            fallback=_fallback(before) if same and before.active_revision else None,
            forgotten=before.forgotten,
            pause_reason=before.pause_reason if same else "",
        ),
    )


def _tried(
    name: str, desired: DesiredIntegration, settings: IntegrationSettings, parts: Parts
) -> list[ConfigurationWrite]:
    """What is tried takes the place of what is in force once it has proven itself, and nobody holds its account."""
    match trial.judged(name, settings, parts):
        case trial.Waits():
            return []
        case trial.Asked(asked):
            return [_write(name, asked)]
        case trial.Fails(reason):
            return [_failed(name, settings, reason)]
        case trial.Passes():
            holders = other_holders(name, desired, parts)
            asked = trial.given_up(settings)
            return [_failed(name, asked, _claimed_by(holders)) if holders else _begun(name, desired, asked)]


def _claimed_by(holders: Mapping[System, str]) -> str:
    return f"{ALREADY_CLAIMED} by integration {next(iter(holders.values()))}: disconnect it first"


def _in_state(before: IntegrationSettings, desired: DesiredIntegration) -> IntegrationSettings:
    """Paused or active at once. An apply under way goes on, its credentials unproven; one on trial is given up."""
    under_way = before.apply_state in UNDER_WAY and before.trial is None
    told = before.reason if before.apply_state == "done" else None
    state = desired.state if before.active_revision else before.state
    return replace(
        trial.given_up(before),
        state=state,
        pause_reason=desired.pause_reason if state == "paused" else "",
        apply_id=desired.apply_id,
        apply_state=before.apply_state if under_way else "done",
        reason=trial.told_given_up(before.trial) if before.trial is not None else told,
    )


def _fallback(before: IntegrationSettings) -> Sections:
    return before.fallback or Sections(before.document, before.hubspot, before.userflow, before.events)


def _nothing_yet(name: str, desired: DesiredIntegration, parts: Parts) -> IntegrationSettings:
    last = last_connection(name, parts)
    document, hubspot, userflow = desired.document, desired.hubspot, desired.userflow
    nothing = IntegrationSettings(last, 0, 0, "disconnected", "", "done", None, document, hubspot, userflow)
    return replace(nothing, forgotten=last)


def _as_before(name: str, desired: DesiredIntegration, before: IntegrationSettings, same_secret: SameSecret) -> bool:
    """The same of a request by a release that does not say so; a pause may have crossed a rotation."""
    if desired.document != before.document:
        return False
    pauses = desired.state == "paused" and trial.is_proven(name, desired, before, same_secret)
    return pauses or _same(desired, before)


def _same(desired: DesiredIntegration, settings: IntegrationSettings) -> bool:
    """Whether only the state is asked to change: the very sections in force came back, seals and all."""
    return desired.hubspot == settings.hubspot and desired.userflow == settings.userflow


def _gone(name: str, settings: IntegrationSettings) -> ConfigurationWrite:
    """Not connected, and no secrets are kept: from that record on every stage drops what belongs to the connection."""
    hubspot, userflow = _without_secrets(settings.hubspot), _without_secrets(settings.userflow)
    gone = replace(settings, state="disconnected", hubspot=hubspot, userflow=userflow, fallback=None, trial=None)
    return _write(name, replace(gone, pause_reason=""))


def _without_secrets(section: SystemSettings) -> SystemSettings:
    return replace(section, secrets={})


def _described(name: str, settings: IntegrationSettings, described: DescribedFile) -> ConfigurationWrite:
    asked_again = with_fields_of(described.file, settings)
    if asked_again != settings:
        return _write(name, replace(asked_again, revision=settings.revision + 1))
    refusal = described.refusal()
    if refusal is not None:
        return _failed(name, settings, refusal)
    create, streams = to_create(described.file, described.fields), streamed(described.file, described.events)
    return _write(name, replace(settings, apply_state="provisioning", create=create, events=streams))


def _redescribed(
    name: str, settings: IntegrationSettings, states: list[ConnectorState | None], mappings: Mapping[str, ObjectMapping]
) -> Iterator[ConfigurationWrite]:
    """Takes over a changed field definition (an added option, say) if the file still fits."""
    if settings.state == "disconnected" or not settings.describes_what_is_in_force:
        return
    if _descriptions(states) == settings.descriptions or (described := _description_of(settings, states)) is None:
        return
    revision, changes = settings.revision + 1, list[ConfigurationWrite]()
    if not described.misfits():
        wanted = object_mappings(described.file, settings.connection, revision, described.fields)
        changes = list(mapping_writes(name, wanted, mappings))
    yield from changes
    known = replace(settings, descriptions=_descriptions(states))
    yield _write(name, replace(known, revision=revision, active_revision=revision) if changes else known)


def _descriptions(states: list[ConnectorState | None]) -> int:
    return sum(state.descriptions for state in states if state is not None)


def _provisioned(
    name: str,
    desired: DesiredIntegration,
    settings: IntegrationSettings,
    described: DescribedFile,
    states: list[ConnectorState | None],
    mappings: Mapping[str, ObjectMapping],
) -> Iterator[ConfigurationWrite]:
    if any(state is None or state.provisioned_revision < settings.revision for state in states):
        return
    refusal = described.refusal()
    if refusal is not None:  # a field may be gone since it was described: what is made of it would be wrong
        yield _failed(name, settings, refusal)
        return
    wanted = object_mappings(described.file, settings.connection, settings.revision, described.fields)
    yield from mapping_writes(name, wanted, mappings)
    state: IntegrationState = "paused" if "paused" in (settings.state, desired.state) else "active"
    why = settings.pause_reason or desired.pause_reason if state == "paused" else ""
    yield _write(
        name,
        replace(
            settings,
            active_revision=settings.revision,
            state=state,
            pause_reason=why,
            apply_state="done",
            reason=None,
            fallback=None,
            descriptions=_descriptions(states),
        ),
    )


def _description_of(settings: IntegrationSettings, states: list[ConnectorState | None]) -> DescribedFile | None:
    """What both systems say of the request's file; None until both have described for this revision."""
    hubspot, userflow = (_of_revision(state, settings) for state in states)
    if hubspot is None or userflow is None:
        return None
    return described_file(read_document(settings.document), hubspot, userflow)


def _of_revision(state: ConnectorState | None, settings: IntegrationSettings) -> ConnectorState | None:
    if state is None or state.connection != settings.connection or state.described_revision < settings.revision:
        return None
    return state


def _failed(name: str, settings: IntegrationSettings, reason: str) -> ConfigurationWrite:
    """Refused: what was in force before goes on, with the credentials it had; where nothing was, nothing is left."""
    refused = replace(_restored(settings), apply_state="failed", reason=reason)
    return _gone(name, refused) if settings.active_revision == 0 else _write(name, refused)


def _restored(settings: IntegrationSettings) -> IntegrationSettings:
    """What was in force before the request that is under way.

    As another revision: of this one the connectors have described the fields of the file that is given up.
    """
    kept, settings = settings.fallback, replace(trial.given_up(settings), fallback=None)
    if kept is None:
        return settings
    document, hubspot, userflow, events = kept.document, kept.hubspot, kept.userflow, kept.events
    revision = settings.revision + 1
    return replace(settings, revision=revision, document=document, hubspot=hubspot, userflow=userflow, events=events)


def _claimed(name: str, key: str) -> ConfigurationWrite:
    return ConfigurationWrite(INTEGRATIONS, key, IntegrationPart(name, claim=IntegrationClaim(name)))


def _write(name: str, settings: IntegrationSettings) -> ConfigurationWrite:
    return ConfigurationWrite(INTEGRATIONS, f"{name}/settings", IntegrationPart(name, settings=settings))
