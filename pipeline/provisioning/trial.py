"""What connects anew (another account, other credentials, other options) is tried beside what is in force.

It is described and then prepared, and takes over once both systems have answered for it. What is in force keeps its
connection, credentials and claims meanwhile. Access that nobody has granted yet is waited for. Pure decisions, which
the state machine carries out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from pipeline.integration_file.loader import read_document
from pipeline.provisioning.described import described_file
from pipeline.provisioning.resolve import to_create, with_fields_of
from pipeline.provisioning.streams import streamed
from schemas.configuration import (
    NOT_GRANTED,
    DesiredIntegration,
    IntegrationPart,
    IntegrationSettings,
    Sections,
    SystemSettings,
    secret_place,
)
from schemas.integrations import trial_answer
from schemas.values import SYSTEMS, System

Parts = Mapping[str, IntegrationPart]
SameSecret = Callable[[bytes, bytes, str], bool]
"""Whether two seals hold the same secret, both at a place: no two seals of one secret are alike."""


@dataclass(frozen=True, slots=True)
class Waits:
    """A connector has not answered yet, or nobody has granted access."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Both have answered, and are asked the next thing."""

    settings: IntegrationSettings


@dataclass(frozen=True, slots=True)
class Fails:
    """The account, its credentials or its file are refused."""

    reason: str


@dataclass(frozen=True, slots=True)
class Passes:
    """Both systems take the credentials, and are ready for the file."""


Verdict = Waits | Asked | Fails | Passes


def is_proven(name: str, desired: DesiredIntegration, in_force: IntegrationSettings, same_secret: SameSecret) -> bool:
    """Whether the request connects by the very accounts, options and credentials that are in force."""
    sections: Mapping[System, SystemSettings] = {"hubspot": desired.hubspot, "userflow": desired.userflow}
    return all(_alike(name, one, sections[one], in_force.section(one), same_secret) for one in SYSTEMS)


def _alike(name: str, system: System, one: SystemSettings, other: SystemSettings, same_secret: SameSecret) -> bool:
    if (one.account, one.options, one.secrets.keys()) != (other.account, other.options, other.secrets.keys()):
        return False
    places = {secret: secret_place(name, system, secret) for secret in one.secrets}
    return all(
        one.secrets[secret] == other.secrets[secret] or same_secret(one.secrets[secret], other.secrets[secret], place)
        for secret, place in places.items()
    )


def begun(desired: DesiredIntegration, in_force: IntegrationSettings) -> IntegrationSettings:
    """What is in force, with what the request asks for on trial."""
    tried = Sections(desired.document, desired.hubspot, desired.userflow)
    return replace(in_force, apply_id=desired.apply_id, apply_state="proving", reason=None, trial=tried)


def given_up(settings: IntegrationSettings) -> IntegrationSettings:
    """The same with nothing on trial, and nothing to create for it."""
    if settings.trial is None:
        return settings
    return replace(settings, trial=None, create=() if settings.apply_state == "provisioning" else settings.create)


def told_given_up(tried: Sections) -> str:
    """The reason beside what is in force, from a pause or resume that ended a trial to the next apply."""
    accounts = f"HubSpot account {tried.hubspot.account}, Userflow {tried.userflow.account}"
    return (
        f"a file that waited on trial ({accounts}) was given up for a pause or resume. "
        "Fix: `pairstream apply FILE` again, if it is wanted still"
    )


def judged(name: str, settings: IntegrationSettings, parts: Parts) -> Verdict:
    """What follows from both systems' answers to the step of the trial that is under way."""
    tried = settings.trial
    hubspot, userflow = (trial_answer(parts, name, system, settings) for system in SYSTEMS)
    for system, answer in zip(SYSTEMS, (hubspot, userflow), strict=True):
        if answer is not None and answer.reason not in (None, NOT_GRANTED):
            return Fails(f"{system}: failed: {answer.reason}")
    if tried is None or hubspot is None or userflow is None or hubspot.reason or userflow.reason:
        return Waits()
    if settings.apply_state == "provisioning":
        return Passes()
    described = described_file(read_document(tried.document), hubspot, userflow)
    resolved = with_fields_of(described.file, tried)
    if resolved != tried:
        return Asked(replace(settings, trial=resolved))
    refusal = described.refusal()
    if refusal is not None:
        return Fails(refusal)
    create, events = to_create(described.file, described.fields), streamed(described.file, described.events)
    return Asked(replace(settings, apply_state="provisioning", create=create, trial=replace(tried, events=events)))
