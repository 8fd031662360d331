"""Asking for a change of an integration, and waiting until it is in force or refused."""

import asyncio
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from connectors.kafka.producer import Publisher
from connectors.kafka.table import TableReader
from pipeline.full_sync.schedule import SECOND
from pipeline.integration_file.export import to_yaml
from pipeline.integration_file.loader import read_document
from pipeline.integration_file.model import IntegrationFile, MappingSpec
from pipeline.integration_file.problems import render
from pipeline.operations import OperationRefused
from pipeline.operations.refused_apply import stays
from pipeline.provisioning.claims import check_claims
from pipeline.provisioning.described import FIELDS_DO_NOT_FIT, DescriptionSource, described_file
from pipeline.provisioning.forgetting import last_connection
from pipeline.provisioning.remedies import problem
from pipeline.provisioning.resolve import Seal, claim_of, fields_of, hubspot_settings, userflow_settings
from pipeline.provisioning.scopes import lacking_scopes, lacking_sentence
from pipeline.provisioning.state_machine import ALREADY_CLAIMED, VENDOR_REFUSAL
from schemas.configuration import (
    STANDS,
    DesiredIntegration,
    DesiredState,
    IntegrationPart,
    IntegrationSettings,
    Sections,
    SystemSettings,
    secret_place,
)
from schemas.integrations import awaits_grant, connector_of, settings_of, to_connect, trial_answer
from schemas.topics import INTEGRATIONS
from schemas.values import SYSTEMS, System

POLL_EVERY_S: Final = 0.05
HEARD_S: Final = 5.0
"""How long the other system's word is waited for where one waits for a grant."""


class NotApplied(OperationRefused):
    """The request was refused, or nothing carried it out in time; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What is in force after the request."""

    settings: IntegrationSettings
    seconds: float


def desired(file: IntegrationFile, seal: Seal, now_ms: int) -> DesiredIntegration:
    """The request that an integration file is; its secrets sealed, its text without them."""
    return DesiredIntegration(
        apply_id=uuid.uuid4().hex,
        state="active",
        document=to_yaml(file),
        hubspot=hubspot_settings(file, seal),
        userflow=userflow_settings(file, seal),
        applied_at_ms=now_ms,
    )


def changed_state(
    settings: IntegrationSettings, state: DesiredState, now_ms: int, pause_reason: str = ""
) -> DesiredIntegration:
    """The request to pause, resume or disconnect what is in force by then; one to disconnect keeps no credentials.

    Its sections are for schedulers that do not know yet that nothing but the state is asked for.
    """
    hubspot, userflow = settings.hubspot, settings.userflow
    if state == "disconnected":
        hubspot, userflow = replace(hubspot, secrets={}), replace(userflow, secrets={})
    document = settings.document
    return DesiredIntegration(
        uuid.uuid4().hex, state, document, hubspot, userflow, now_ms, pause_reason, state_only=True
    )


def with_mappings(
    settings: IntegrationSettings, mappings: Sequence[MappingSpec], now_ms: int
) -> tuple[IntegrationFile, DesiredIntegration]:
    """What is in force with other mappings, as a file and as a request: its sections and their seals stay untouched."""
    file = replace(read_document(settings.document), mappings=tuple(mappings))
    hubspot = replace(settings.hubspot, fields=fields_of(file, "hubspot"))
    userflow = replace(settings.userflow, fields=fields_of(file, "userflow"))
    return file, _still(settings, to_yaml(file), hubspot, userflow, now_ms)


def with_secrets(
    settings: IntegrationSettings, given: Mapping[System, Mapping[str, str]], seal: Seal, now_ms: int, name: str
) -> DesiredIntegration:
    """The request that replaces secrets alone; those in force go on until the new ones have proven good."""
    sections = {}
    for system in SYSTEMS:
        section, new = settings.section(system), given.get(system, {})
        sealed = {one: seal(text, secret_place(name, system, one)) for one, text in new.items()}
        claimed = {"claim": claim_of(new["api_key"])} if "api_key" in new else {}
        sections[system] = replace(
            section, secrets={**section.secrets, **sealed}, options={**section.options, **claimed}
        )
    return _still(settings, settings.document, sections["hubspot"], sections["userflow"], now_ms)


def _still(
    settings: IntegrationSettings, document: str, hubspot: SystemSettings, userflow: SystemSettings, now_ms: int
) -> DesiredIntegration:
    """A request that changes what is in force and not whether it is paused, nor why."""
    state: DesiredState = "paused" if settings.state == "paused" else "active"
    return DesiredIntegration(
        uuid.uuid4().hex, state, document, hubspot, userflow, now_ms, settings.pause_reason if state == "paused" else ""
    )


async def put_in_force(
    publisher: Publisher,
    tables: TableReader,
    file: IntegrationFile,
    request: DesiredIntegration,
    within_s: float,
    forgotten_s: float = 30.0,
) -> Applied:
    """Ask for what a file says, and wait until it is in force.

    Raises NotApplied with the line of the file and the scopes it lacks; what was never in force leaves nothing behind.
    """
    name = file.integration
    await ask(publisher, name, request)
    try:
        return await wait_until_applied(tables, name, request, within_s)
    except NotApplied as error:
        parts = tables.table(INTEGRATIONS)
        told = refusal(str(error), file, request, parts)
        lacking = lacking_scopes(file, parts)
        told = f"{told}\n{lacking_sentence(name, lacking)}" if lacking else told
        told += _kept(name, request, parts)
        try:
            await leave_no_ghost(publisher, tables, name, request, forgotten_s)
        except NotApplied as left:
            told += f"\n{name} stays listed: {left}"
        raise NotApplied(told) from None


def _kept(name: str, request: DesiredIntegration, parts: Mapping[str, IntegrationPart]) -> str:
    """A line on what is in force still where the request was refused, and does not wait."""
    settings = settings_of(parts, name)
    if settings is None or (settings.apply_id, settings.apply_state) != (request.apply_id, "failed"):
        return ""
    return f"\n{name}: {told}" if (told := stays(name, settings)) else ""


def what_follows(name: str, before: IntegrationSettings | None, now: IntegrationSettings) -> str:
    """What brings existing objects in step: of a connection that is not the first, a full sync begins by itself."""
    is_new = before is None or before.connection != now.connection or not before.active_revision
    if is_new and now.connection >= SECOND:
        return f"a full sync begins by itself: `pairstream full-sync watch {name}` shows how far it is"
    if before is not None and not is_new and _maps(before.fallback or before, now):
        return "its connection and mappings are as they were: no full sync is needed for this change"
    return f"run `pairstream full-sync start {name}` to bring what exists in step"


def _maps(before: IntegrationSettings | Sections, now: IntegrationSettings) -> bool:
    """Whether the mappings are as they were."""
    try:
        return read_document(before.document).mappings == read_document(now.document).mappings
    except ValueError:  # an earlier release read the file that this one cannot
        return False


async def ask(publisher: Publisher, integration: str, request: DesiredIntegration) -> None:
    """Hand the request to the active scheduler."""
    await publisher.send(INTEGRATIONS, f"{integration}/desired", IntegrationPart(integration, desired=request))


async def leave_no_ghost(
    publisher: Publisher, tables: TableReader, integration: str, request: DesiredIntegration, within_s: float
) -> None:
    """Forget an integration that was never in force and whose first request is refused; the asker knows why.

    Raises NotApplied.
    """
    parts = tables.table(INTEGRATIONS)
    settings, asked = settings_of(parts, integration), parts.get(f"{integration}/desired")
    if asked is None or asked.desired is None or asked.desired.apply_id != request.apply_id:
        return  # somebody has asked for something else meanwhile
    if settings is not None and settings.apply_id == request.apply_id and never_in_force(integration, parts):
        await forget(publisher, tables, integration, within_s)


def never_in_force(integration: str, parts: Mapping[str, IntegrationPart]) -> bool:
    """Whether all there is of an integration is a refused first request, or the first since it was forgotten."""
    settings = settings_of(parts, integration)
    if settings is None or settings.apply_state != "failed" or settings.state != "disconnected":
        return False
    return settings.active_revision == 0 and settings.connection <= last_connection(integration, parts) + 1


async def forget(publisher: Publisher, tables: TableReader, integration: str, within_s: float) -> None:
    """Delete the request, and wait until the scheduler has deleted all else. Raises NotApplied."""
    await publisher.send_bytes(INTEGRATIONS, f"{integration}/desired", None)
    started = time.monotonic()
    while settings_of(tables.table(INTEGRATIONS), integration) is not None:
        if time.monotonic() - started > within_s:
            raise NotApplied(f"still there after {within_s:.0f} s: is `pairstream run scheduler` (or `up`) running?")
        await asyncio.sleep(POLL_EVERY_S)


async def wait_until_applied(
    tables: TableReader, integration: str, request: DesiredIntegration, within_s: float, *, granted: bool = False
) -> Applied:
    """Wait for the scheduler and both connectors; what asks for a pause alone holds at once. Raises NotApplied.

    `granted`: access was granted just now, and the connector may not have told of it yet.
    """
    started, taken = time.monotonic(), False
    while time.monotonic() - started < within_s:
        settings = settings_of(tables.table(INTEGRATIONS), integration)
        if taken and (settings is None or settings.apply_id != request.apply_id):
            raise NotApplied(f"{integration}: a newer request took the place of this one before it was in force")
        if settings is not None and settings.apply_id == request.apply_id:
            taken = True
            if settings.apply_state == "done" or (request.state_only and settings.state == request.state == "paused"):
                if request.state_only and settings.state != request.state:
                    raise NotApplied(f"{integration} is {settings.state}, for it changed meanwhile. Fix: ask again")
                return Applied(settings, time.monotonic() - started)
            if settings.apply_state == "failed":
                raise NotApplied(settings.reason or "refused")
            waited_s = time.monotonic() - started
            if not granted and _nothing_but_a_grant(tables.table(INTEGRATIONS), integration, settings, waited_s):
                account = to_connect(tables.table(INTEGRATIONS), integration, settings).hubspot.account
                meanwhile = f". Until then {stays(integration, settings)}" if settings.trial is not None else ""
                meanwhile += (
                    ", which before the access gives this file up" if meanwhile and settings.state == "paused" else ""
                )
                raise NotApplied(
                    f"{integration}: accepted, and waits for access to HubSpot account {account}. "
                    f"Fix: run `pairstream connect {integration}`; it comes into force by itself then{meanwhile}"
                )
            if _unavailable(tables.table(INTEGRATIONS), integration, settings):
                break
        await asyncio.sleep(POLL_EVERY_S)
    raise NotApplied(_late(tables.table(INTEGRATIONS), integration, request, time.monotonic() - started))


async def wait_until_withdrawn(
    tables: TableReader, integration: str, connection: int, within_s: float
) -> Mapping[System, str | None]:
    """What became of withdrawing from each system that was connected; None where its connector has not told in time."""
    started = time.monotonic()
    while True:
        states = {system: connector_of(tables.table(INTEGRATIONS), integration, system) for system in SYSTEMS}
        told = {name: state.withdrawn for name, state in states.items() if state and state.connection == connection}
        if None not in told.values() or time.monotonic() - started > within_s:
            return told
        await asyncio.sleep(POLL_EVERY_S)


def refusal(
    reason: str, file: IntegrationFile, request: DesiredIntegration, parts: Mapping[str, IntegrationPart]
) -> str:
    """The refusal for the owner of the file, with its line."""
    refused = VENDOR_REFUSAL.fullmatch(reason)
    if refused is not None:
        return str(problem(file.positions, "hubspot" if refused[1] == "hubspot" else "userflow", refused[2]))
    if reason.startswith(ALREADY_CLAIMED):
        return render(check_claims(file, request, parts)) or reason
    if not reason.startswith(FIELDS_DO_NOT_FIT):
        return reason
    hubspot, userflow = (_description(parts, file.integration, system, request) for system in SYSTEMS)
    if hubspot is None or userflow is None:
        return reason
    problems = described_file(file, hubspot, userflow).misfits()
    return render(problems) or reason


def _description(
    parts: Mapping[str, IntegrationPart], integration: str, system: System, request: DesiredIntegration
) -> DescriptionSource | None:
    """What a system said of the request's fields: on trial, or of what is in force."""
    tried = parts.get(f"{integration}/{system}/trial")
    answer = tried.description if tried is not None else None
    if answer is not None and answer.fields and answer.inquiry_id.startswith(f"{request.apply_id}/"):
        return answer
    return connector_of(parts, integration, system)


def _nothing_but_a_grant(
    parts: Mapping[str, IntegrationPart], integration: str, settings: IntegrationSettings, waited_s: float
) -> bool:
    """Whether only access is waited for: what Userflow says of its key is heard first, unless it says nothing."""
    if not awaits_grant(parts, integration, settings):
        return False
    # what refuses the key makes the request fail, which is seen next
    if settings.trial is not None:
        return waited_s > HEARD_S or trial_answer(parts, integration, "userflow", settings) is not None
    state = connector_of(parts, integration, "userflow")
    told = state is not None and (state.connection, state.checked_revision) == (settings.connection, settings.revision)
    return waited_s > HEARD_S or (told and state is not None and state.status == "ok")


def _unavailable(parts: Mapping[str, IntegrationPart], integration: str, settings: IntegrationSettings) -> bool:
    """Whether a connector gave up a system as away while it worked on this very request: who waits is to know why.

    What is in force may be away for the very reason that is mended by what is on trial.
    """
    if settings.trial is not None:
        return False
    states = (connector_of(parts, integration, system) for system in SYSTEMS)
    return any(
        state is not None
        and (state.connection, state.checked_revision, state.status)
        == (settings.connection, settings.revision, "unavailable")
        for state in states
    )


def _late(parts: Mapping[str, IntegrationPart], integration: str, request: DesiredIntegration, within_s: float) -> str:
    settings = settings_of(parts, integration)
    if settings is None or settings.apply_id != request.apply_id:
        return (
            f"no scheduler took the request within {within_s:.0f} s: is `pairstream run scheduler` (or `up`) running?"
        )
    waiting = [
        f"{system} {STANDS[state.status]}: {state.reason}"
        for system in SYSTEMS
        if (state := connector_of(parts, integration, system)) is not None and state.status != "ok"
    ]
    why = "; ".join(waiting) or "are both connectors running?"
    return f"still {settings.apply_state} after {within_s:.0f} s ({why}); it goes on by itself once they answer"
