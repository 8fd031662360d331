"""The webhook subscriptions a HubSpot app must have for a file's mappings.

HubSpot has no way for an account's token to read what an app subscribes to, so they are listed, never checked.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pipeline.integration_file.model import IntegrationFile
from pipeline.integration_file.names import associated, is_custom_type
from pipeline.provisioning.resolve import fields_of

LIFE: Final[tuple[str, ...]] = ("creation", "deletion", "merge", "restore")
PRIVACY: Final = "privacyDeletion"
NOT_SUBSCRIBABLE: Final = frozenset(
    {"hs_lastmodifieddate", "lastmodifieddate", "num_unique_conversion_events", "hs_object_id"}
)
"""Properties for which HubSpot sends no change."""


@dataclass(frozen=True, slots=True)
class TypeSubscriptions:
    """What to subscribe to for one object type: `kinds` of events, and a change of each of the properties."""

    object_type: str
    kinds: tuple[str, ...]
    properties: tuple[str, ...]

    def __str__(self) -> str:
        changes = f", propertyChange of {', '.join(self.properties)}" if self.properties else ""
        return f"{self.object_type}: {', '.join(self.kinds)}{changes}"


def subscriptions(file: IntegrationFile) -> tuple[TypeSubscriptions, ...]:
    """One entry for each object type that mappings pair or read through an association.

    A property changes without a read of ours only where it is subscribed to: sources, match fields, and the targets
    that Pairstream writes, so that somebody else's edit of one is seen.
    """
    joined = _associations(file)
    return tuple(
        TypeSubscriptions(object_type, _kinds(object_type, joined), _properties(names))
        for object_type, names in fields_of(file, "hubspot").items()
    )


def _kinds(object_type: str, joined: Mapping[str, bool]) -> tuple[str, ...]:
    kinds = LIFE
    if is_custom_type(object_type):
        kinds = tuple(kind for kind in LIFE if kind != "merge")
    elif object_type == "contacts":
        kinds = (*LIFE, PRIVACY)
    return (*kinds, "associationChange") if joined.get(object_type) else kinds


def _associations(file: IntegrationFile) -> Mapping[str, bool]:
    """Object type -> whether a mapping of it reads an associated field."""
    with_associated: dict[str, bool] = defaultdict(bool)
    for mapping in file.mappings:
        with_associated[mapping.hubspot_type] |= any(associated(rule.source) for rule in mapping.to_userflow)
    return with_associated


def _properties(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(names) - NOT_SUBSCRIBABLE))
