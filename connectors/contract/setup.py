"""What a system offers to be made ready for an integration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from schemas.configuration import DescribedEvent, DescribedField, DescribedType


@dataclass(frozen=True, slots=True)
class Provisioned:
    """What setting up left behind; `webhook_secret` signs the system's webhooks where it makes one."""

    webhook_secret: str | None = None


@dataclass(frozen=True, slots=True)
class SystemDescription:
    """What a system says of what mappings are to use; whatever does not exist is left out."""

    fields: Sequence[DescribedField] = ()
    types: Sequence[DescribedType] = ()
    events: Sequence[DescribedEvent] = ()


class Setup(Protocol):
    """Makes a system ready for an integration; every call may be repeated."""

    async def describe(self, wanted: Mapping[str, Sequence[str]]) -> SystemDescription:
        """The definitions of the fields that mappings are to use, by object type; those that exist."""
        ...

    async def provision(
        self, object_types: Sequence[str], create: Sequence[DescribedField], events: Sequence[DescribedEvent] = ()
    ) -> Provisioned:
        """Make what is missing: fields, types of timeline events, the webhook subscription for these object types."""
        ...

    async def probe(self) -> None:
        """The cheapest authorised read: raises where the system cannot be worked with."""
        ...

    async def withdraw(self) -> None:
        """Take the webhook subscription back; fields that were made are the customer's by now."""
        ...
