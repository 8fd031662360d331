"""Prepares a HubSpot account: describes the properties that mappings use and creates missing ones."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from connectors.contract.errors import CredentialsRejected, Misconfigured, Missing, Refused
from connectors.contract.setup import Provisioned, Subscribed, SystemDescription
from connectors.contract.suggestions import asked_or_near
from connectors.http.messages import Call
from connectors.hubspot.choices import Choices
from connectors.hubspot.client import HubSpotClient
from connectors.hubspot.definitions import GROUP, GROUP_LABEL, definition_of, described
from connectors.hubspot.event_definitions import EventDefinitions
from connectors.hubspot.event_types import event_types
from connectors.hubspot.journal_subscriptions import JournalSubscriptions
from connectors.hubspot.object_types import ObjectTypes
from connectors.hubspot.protocol import (
    Property,
    PropertyGroup,
    account_details,
    create_property,
    create_property_group,
    list_objects,
    list_properties,
    list_schemas,
    read_objects,
)
from connectors.hubspot.translate import tells
from schemas.configuration import DescribedEvent, DescribedField, DescribedType

MOST_PROPERTIES: Final = 1_000
"""Custom properties that HubSpot allows per object type; reported by users, not documented."""


class HubSpotSetup:
    """Follows HubSpot's properties guide; does nothing until the token is known to belong to `account`."""

    def __init__(
        self,
        client: HubSpotClient,
        types: ObjectTypes,
        account: str,
        definitions: EventDefinitions | None = None,
        subscriptions: JournalSubscriptions | None = None,
        revocation: Callable[[], Call[None] | None] = lambda: None,
    ) -> None:
        """`definitions` None: the app's project files declare event types, so none is created here.

        `subscriptions` None: the journal is not read.
        """
        self._subscriptions = subscriptions
        self._revocation = revocation
        self._client = client
        self._types = types
        self._account = account
        self._definitions = definitions

    async def describe(self, wanted: Mapping[str, Sequence[str]]) -> SystemDescription:
        """The wanted properties that exist; a missing custom type is left out with its properties."""
        await self._verify_account()
        fields: list[DescribedField] = []
        choices = Choices(self._client)
        for object_type, names in wanted.items():
            if not names:
                fields += await self._every(object_type)
                continue
            existing = await self._properties(object_type)
            hidden = await self._unreadable(object_type, [name for name in names if name in existing])
            for name in asked_or_near(names, existing):
                field = await choices.completed(described(object_type, existing[name]))
                fields.append(replace(field, unreadable=name in hidden))
            fields += await self._archived(object_type, [name for name in names if name not in existing])
        return SystemDescription(fields, await self._custom_types(wanted))

    async def _every(self, object_type: str) -> list[DescribedField]:
        """Every property of a type without its options; none where the token may not read them."""
        try:
            existing = await self._properties(object_type)
        except (Misconfigured, Missing, Refused):
            return []
        # "external": the options are not told here, so nothing may be concluded from there being none
        told = (described(object_type, one) for one in existing.values())
        return [replace(one, options=(), external=bool(one.options) or one.external) for one in told]

    async def provision(
        self,
        fields: Mapping[str, Sequence[str]],
        create: Sequence[DescribedField],
        events: Sequence[DescribedEvent] = (),
    ) -> Provisioned:
        """Create missing properties, in the group Userflow; restore archived ones, leave existing ones.

        Where the journal is read, it tells of these fields and no others afterwards.

        Raises Misconfigured `too_many_properties` before creating any if one type lacks room for all.
        """
        await self._make(create, events)
        if self._subscriptions is not None:
            await self._subscriptions.keep(fields)
        return Provisioned()

    async def rehearse(
        self,
        fields: Mapping[str, Sequence[str]],
        create: Sequence[DescribedField],
        events: Sequence[DescribedEvent] = (),
    ) -> None:
        """Provision, and take nothing away: fields are added to which nobody writes yet, and the journal tells more."""
        await self._make(create, events)
        if self._subscriptions is not None:
            await self._subscriptions.add(fields)

    async def _make(self, create: Sequence[DescribedField], events: Sequence[DescribedEvent]) -> None:
        await self._verify_account()
        missing = [await self._missing(object_type, create) for object_type in _types_of(create)]
        for lacking in missing:
            await self._create(lacking)
        if self._definitions is not None:
            await self._definitions.provide(event_types(events))

    async def probe(self) -> None:
        """The account of the token; raises Misconfigured `wrong_account` if it is not the mapped one."""
        await self._verify_account()

    async def withdraw(self) -> None:
        """Delete the account's subscriptions to the journal; those to webhooks are the app's, for all accounts."""
        if self._subscriptions is not None:
            await self._subscriptions.withdraw()

    async def subscribed(self, fields: Mapping[str, Sequence[str]]) -> Subscribed | None:
        """None: no token can read what an app subscribes to."""
        return None

    async def give_up(self) -> None:
        """Revoke the grant, unless somebody did; the app stays installed, and access tokens end within half an hour."""
        call = self._revocation()
        if call is None:
            return
        try:
            await self._client.send(call)
        except CredentialsRejected:
            return

    async def _verify_account(self) -> None:
        """A token that may not read account details is checked by reading one page of records."""
        try:
            account = await self._client.send(account_details())
        except (Missing, Misconfigured, Refused):
            object_type = next(iter(self._types.catalog.object_types), "contacts")
            await self._client.send(list_objects(object_type, (), limit=1))
            return
        if account.id != self._account:
            raise Misconfigured("wrong_account")

    async def _custom_types(self, names: Iterable[str]) -> Sequence[DescribedType]:
        """The account's custom types among the names; none if the token may not read schemas."""
        spelled = {name for name in names if self._types.custom(name)}
        if not spelled:
            return ()
        try:
            schemas = await self._client.send(list_schemas())
        except (Misconfigured, Missing, Refused):
            return ()
        return [
            DescribedType(name, schema.object_type_id, schema.name)
            for schema in schemas
            for name in (schema.object_type_id, schema.fully_qualified_name)
            if name in spelled
        ]

    async def _properties(self, object_type: str, *, archived: bool = False) -> Mapping[str, Property]:
        try:
            definitions = await self._client.send(list_properties(object_type, archived=archived))
        except (Missing, Refused):
            if self._types.custom(object_type):
                return {}
            raise
        return {definition.name: definition for definition in definitions}

    async def _archived(self, object_type: str, names: Sequence[str]) -> list[DescribedField]:
        """The archived properties among the missing names: creating those restores them."""
        if not names:
            return []
        archived = await self._properties(object_type, archived=True)
        return [replace(described(object_type, archived[name]), archived=True) for name in names if name in archived]

    async def _unreadable(self, object_type: str, names: Sequence[str]) -> frozenset[str]:
        """The names missing from a record; none if the type has no record, or may not be read."""
        try:
            page = await self._client.send(list_objects(object_type, (), limit=1))
            if not page.records or not names:
                return frozenset()
            answer = await self._client.send(read_objects(object_type, [page.records[0].id], names))
        except (Misconfigured, Missing, Refused):
            return frozenset()
        return frozenset(name for record in answer.results for name in names if not tells(record, name))

    async def _missing(self, object_type: str, create: Sequence[DescribedField]) -> Sequence[DescribedField]:
        existing = await self._properties(object_type)
        missing = [field for field in create if field.object_type == object_type and field.name not in existing]
        own = sum(1 for definition in existing.values() if not definition.of_hubspot)
        if missing and own + len(missing) > MOST_PROPERTIES:
            raise Misconfigured("too_many_properties")
        return missing

    async def _create(self, fields: Sequence[DescribedField]) -> None:
        for object_type in _types_of(fields):
            await self._client.send(create_property_group(object_type, PropertyGroup(GROUP, GROUP_LABEL)))
        for field in fields:
            await self._client.send(create_property(field.object_type, definition_of(field)))


def _types_of(fields: Sequence[DescribedField]) -> Iterable[str]:
    return dict.fromkeys(field.object_type for field in fields)
