"""The interface by which a system is made ready for an integration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from schemas.configuration import DescribedEvent, DescribedField, DescribedType

Subscribed = Literal["ok", "missing", "disabled", "incomplete"]
"""How a system's webhook subscription for an integration stands."""


@dataclass(frozen=True, slots=True)
class Provisioned:
    """The result of provisioning; `webhook_secret` signs the system's webhooks, None where the system makes none."""

    webhook_secret: str | None = None


@dataclass(frozen=True, slots=True)
class SystemDescription:
    """A system's definitions of the fields, types and events that mappings use; those that do not exist are missing."""

    fields: Sequence[DescribedField] = ()
    types: Sequence[DescribedType] = ()
    events: Sequence[DescribedEvent] = ()


class Setup(Protocol):
    """Makes a system ready for an integration; every call may be repeated."""

    async def describe(self, wanted: Mapping[str, Sequence[str]]) -> SystemDescription:
        """The definitions of the fields that mappings are to use, by object type; those that exist.

        No name at all asks for every field of a type, without its options, which may be many: for choosing among them.
        A type that may not be read is left out then.
        """
        ...

    async def provision(
        self,
        fields: Mapping[str, Sequence[str]],
        create: Sequence[DescribedField],
        events: Sequence[DescribedEvent] = (),
    ) -> Provisioned:
        """Create missing fields and types of timeline events, and whatever tells of changes of these fields by type."""
        ...

    async def rehearse(
        self,
        fields: Mapping[str, Sequence[str]],
        create: Sequence[DescribedField],
        events: Sequence[DescribedEvent] = (),
    ) -> None:
        """Raise what `provision` would raise, while something else is in force, and leave nothing that disturbs it.

        In force may be another account, or the same one with other credentials, options or fields.
        """
        ...

    async def probe(self) -> None:
        """The cheapest authorised read: raises where the system cannot be worked with."""
        ...

    async def subscribed(self, fields: Mapping[str, Sequence[str]]) -> Subscribed | None:
        """How the subscription for these object types stands; None where the system tells nobody, or needs none."""
        ...

    async def give_up(self) -> None:
        """Give up the access that somebody granted: the last request of an integration that is disconnected."""
        ...

    async def withdraw(self) -> None:
        """Delete its subscriptions; created fields stay, for they are the customer's by now."""
        ...
