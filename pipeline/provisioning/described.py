"""A file with both systems' descriptions: custom types resolved, fields, events, and what does not fit."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Protocol

from pipeline.integration_file.checks import check
from pipeline.integration_file.model import IntegrationFile
from pipeline.integration_file.problems import Problem, in_order
from pipeline.provisioning.custom_types import resolved
from pipeline.provisioning.field_checks import Fields, check_fields
from pipeline.provisioning.resolve import definitions_of
from pipeline.provisioning.streams import check_events
from schemas.configuration import DescribedEvent, DescribedField, DescribedType
from schemas.values import System

FIELDS_DO_NOT_FIT: Final = "fields_do_not_fit"
MOST_TOLD: Final = 5
"""Of the reasons that are kept; `plan` and `apply` tell each."""


class DescriptionSource(Protocol):
    """A system's description, whatever record carries it."""

    @property
    def fields(self) -> tuple[DescribedField, ...]: ...
    @property
    def types(self) -> tuple[DescribedType, ...]: ...
    @property
    def events(self) -> tuple[DescribedEvent, ...]: ...


@dataclass(frozen=True, slots=True)
class DescribedFile:
    """A file as the systems understand it."""

    file: IntegrationFile
    fields: Mapping[System, Fields]
    events: tuple[DescribedEvent, ...]

    def misfits(self) -> tuple[Problem, ...]:
        """Why the file cannot be applied, in the order of the file."""
        wrong = check(self.file)  # again: resolved custom types may give two targets one name
        return wrong or in_order(
            (
                *check_fields(self.file, self.fields["hubspot"], self.fields["userflow"]),
                *check_events(self.file, self.events),
            )
        )

    def refusal(self) -> str | None:
        """The reason for which an apply of the file is refused; None where it fits."""
        problems = self.misfits()
        if not problems:
            return None
        # lines are of the stored document, which nobody sees: who applies a file is told those of that file
        told = [str(replace(one, line=0, file="")) for one in problems[:MOST_TOLD]]
        left = [f"And {len(problems) - MOST_TOLD} more."] if len(problems) > MOST_TOLD else []
        return " ".join((f"{FIELDS_DO_NOT_FIT}:", *told, *left))


def described_file(file: IntegrationFile, hubspot: DescriptionSource, userflow: DescriptionSource) -> DescribedFile:
    """Combines a file with both systems' descriptions."""
    fields: Mapping[System, Fields] = {
        "hubspot": definitions_of(hubspot.fields),
        "userflow": definitions_of(userflow.fields),
    }
    return DescribedFile(resolved(file, hubspot.types), fields, (*hubspot.events, *userflow.events))
