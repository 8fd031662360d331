"""Another account asked for than the one in force: tried beside it, described and then prepared, before it takes over.

What is in force keeps its connection, credentials and claims meanwhile. Pure decisions, which the state machine carries
out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pipeline.integration_file.loader import read_document
from pipeline.provisioning.described import described_file
from pipeline.provisioning.resolve import to_create, with_fields_of
from pipeline.provisioning.streams import streamed
from schemas.configuration import Description, DesiredIntegration, IntegrationPart, IntegrationSettings, Sections
from schemas.values import SYSTEMS

Parts = Mapping[str, IntegrationPart]


@dataclass(frozen=True, slots=True)
class Waits:
    """A connector has not answered yet."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Both have answered, and are asked the next thing."""

    settings: IntegrationSettings


@dataclass(frozen=True, slots=True)
class Fails:
    """The account, or its file, is refused."""

    reason: str


@dataclass(frozen=True, slots=True)
class Passes:
    """Both systems are ready for the account, and would be for its file."""


Verdict = Waits | Asked | Fails | Passes


def begun(desired: DesiredIntegration, in_force: IntegrationSettings) -> IntegrationSettings:
    """What is in force, with the account of the request on trial."""
    tried = Sections(desired.document, desired.hubspot, desired.userflow)
    return replace(in_force, apply_id=desired.apply_id, apply_state="proving", reason=None, trial=tried)


def given_up(settings: IntegrationSettings) -> IntegrationSettings:
    """The same with nothing on trial, and nothing to create for it."""
    if settings.trial is None:
        return settings
    return replace(settings, trial=None, create=() if settings.apply_state == "provisioning" else settings.create)


def judged(name: str, settings: IntegrationSettings, parts: Parts) -> Verdict:
    """What follows from both systems' answers to the step of the trial that is under way."""
    tried = settings.trial
    answers = {system: _answer(f"{name}/{system}/trial", settings, parts) for system in SYSTEMS}
    for system, answer in answers.items():
        if answer is not None and answer.reason is not None:
            return Fails(f"{system}: failed: {answer.reason}")
    hubspot, userflow = answers["hubspot"], answers["userflow"]
    if tried is None or hubspot is None or userflow is None:
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


def _answer(key: str, settings: IntegrationSettings, parts: Parts) -> Description | None:
    """The answer of a system, if it was asked about this step."""
    part = parts.get(key)
    answer = part.description if part is not None else None
    return answer if answer is not None and answer.inquiry_id == settings.tried else None
