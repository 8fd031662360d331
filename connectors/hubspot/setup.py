"""Makes a HubSpot account ready: describes the properties that mappings use and creates those that lack."""

from collections.abc import Iterable, Mapping, Sequence

from connectors.base import Provisioned
from connectors.errors import Misconfigured, Missing, Refused
from connectors.hubspot.client import HubSpotClient
from connectors.hubspot.definitions import GROUP, GROUP_LABEL, definition_of, described
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
)
from schemas.configuration import DescribedField


class HubSpotSetup:
    """Follows HubSpot's properties guide; nothing is done before the token was seen to belong to `account`."""

    def __init__(self, client: HubSpotClient, types: ObjectTypes, account: str) -> None:
        self._client = client
        self._types = types
        self._account = account

    async def describe(self, wanted: Mapping[str, Sequence[str]]) -> Sequence[DescribedField]:
        """The wanted properties that exist; those of a custom type that does not exist are left out with it."""
        await self._verify_account()
        await self._learn_types(wanted)
        found: list[DescribedField] = []
        for object_type, names in wanted.items():
            existing = await self._properties(object_type)
            found += [described(object_type, existing[name]) for name in dict.fromkeys(names) if name in existing]
        return found

    async def provision(self, create: Sequence[DescribedField]) -> Provisioned:
        """Create what is missing, in the group Userflow; an archived property comes back, an existing one stays."""
        await self._verify_account()
        for object_type in dict.fromkeys(field.object_type for field in create):
            existing = await self._properties(object_type)
            of_type = (field for field in create if field.object_type == object_type)
            await self._create(object_type, [field for field in of_type if field.name not in existing])
        return Provisioned()

    async def probe(self) -> None:
        """Whose token it is; raises Misconfigured `wrong_account` when it opens another account than the mapped one."""
        await self._verify_account()
        await self._learn_types(self._types.catalog.object_types)

    async def _verify_account(self) -> None:
        """Where the token may not read the account's details, one page of records shows that it is accepted."""
        try:
            account = await self._client.send(account_details())
        except (Missing, Misconfigured, Refused):
            object_type = next(iter(self._types.catalog.object_types), "contacts")
            await self._client.send(list_objects(object_type, (), limit=1))
            return
        if account.id != self._account:
            raise Misconfigured("wrong_account")

    async def _learn_types(self, names: Iterable[str]) -> None:
        if self._types.unknown(names):
            self._types.learn(await self._client.send(list_schemas()))

    async def _properties(self, object_type: str) -> Mapping[str, Property]:
        try:
            definitions = await self._client.send(list_properties(object_type))
        except (Missing, Refused):
            if self._types.custom(object_type):
                return {}
            raise
        return {definition.name: definition for definition in definitions}

    async def _create(self, object_type: str, fields: Sequence[DescribedField]) -> None:
        if fields:
            await self._client.send(create_property_group(object_type, PropertyGroup(GROUP, GROUP_LABEL)))
        for field in fields:
            await self._client.send(create_property(object_type, definition_of(field)))
