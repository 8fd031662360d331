"""Keeps an account's subscriptions to the journal exactly as the mappings need them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from connectors.hubspot.app_credentials import AppClient
from connectors.hubspot.protocol import (
    OBJECT_TYPE_IDS,
    JournalSubscription,
    delete_journal_subscription,
    list_journal_subscriptions,
    put_journal_subscription,
)

LIFE: Final = frozenset({"CREATE", "UPDATE", "DELETE", "MERGE", "RESTORE"})
ASSOCIATIONS: Final = frozenset({"ASSOCIATION_ADDED", "ASSOCIATION_REMOVED"})
FORGOTTEN: Final = frozenset({"GDPR_DELETE"})
UNTOLD: Final = frozenset({"hs_object_id", "hs_lastmodifieddate", "lastmodifieddate", "num_unique_conversion_events"})
"""Properties of which HubSpot tells no change."""


class JournalSubscriptions:
    """The subscriptions of one account, made by the app itself."""

    def __init__(self, client: AppClient, account: str) -> None:
        self._client = client
        self._account = account

    async def keep(self, fields: Mapping[str, Sequence[str]]) -> None:
        """Make what lacks for these properties by type, then delete what is too much; what fits stays as it is.

        In this order: a change in between is told twice, not never.
        """
        existing, wanted = await self._existing(), wanted_subscriptions(self._account, fields)
        kept = {one.id for one in existing if one in wanted}
        made = [await self._put(one) for one in wanted if one not in existing]
        stays = kept | {one.id for one in made}  # a put may have changed one that was there
        await self._delete([one for one in existing if one.id not in stays])

    async def add(self, fields: Mapping[str, Sequence[str]]) -> None:
        """Make what lacks for these properties by type, and take nothing away: what is in force may live by it."""
        existing = await self._existing()
        for wanted in wanted_subscriptions(self._account, fields):
            same = [one for one in existing if (one.kind, one.type_id) == (wanted.kind, wanted.type_id)]
            grown = _grown(wanted, same)
            if grown not in same:
                await self._put(grown)

    async def withdraw(self) -> None:
        """Delete all of the account's."""
        await self._delete(await self._existing())

    async def _existing(self) -> list[JournalSubscription]:
        found = await self._client.send(list_journal_subscriptions())
        return [one for one in found if one.account == self._account]

    async def _put(self, wanted: JournalSubscription) -> JournalSubscription:
        return await self._client.send(put_journal_subscription(wanted))

    async def _delete(self, subscriptions: Sequence[JournalSubscription]) -> None:
        for one in subscriptions:
            if one.id is not None:
                await self._client.send(delete_journal_subscription(one.id))


def _grown(wanted: JournalSubscription, existing: Sequence[JournalSubscription]) -> JournalSubscription:
    """The subscription with all that those of its type tell already: a put changes the one that is there."""
    return replace(
        wanted,
        actions=wanted.actions.union(*(one.actions for one in existing)),
        properties=wanted.properties.union(*(one.properties for one in existing)),
        associated=wanted.associated.union(*(one.associated for one in existing)),
    )


def wanted_subscriptions(account: str, fields: Mapping[str, Sequence[str]]) -> tuple[JournalSubscription, ...]:
    """What the journal is to tell of these properties, by type.

    Where several types are named, one may show fields of another, and their associations are asked for too.
    """
    ids = {name: OBJECT_TYPE_IDS.get(name, name) for name in fields}
    objects = [
        JournalSubscription("OBJECT", ids[name], LIFE, frozenset(names) - UNTOLD, account=account)
        for name, names in fields.items()
    ]
    associations = [
        JournalSubscription(
            "ASSOCIATION", one, ASSOCIATIONS, associated=frozenset(ids.values()) - {one}, account=account
        )
        for one in ids.values()
        if len(ids) > 1
    ]
    forgotten = [JournalSubscription("GDPR_PRIVACY_DELETION", "0-1", FORGOTTEN, account=account)]
    return (*objects, *associations, *(forgotten if "contacts" in fields else ()))
