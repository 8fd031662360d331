"""Prepares a Userflow environment for an integration: describes its fields, and keeps one webhook subscription."""

import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TypeVar
from urllib.parse import urlsplit

from connectors.contract.account import Opening
from connectors.contract.errors import Misconfigured, Missing, Refused
from connectors.contract.setup import Provisioned, Subscribed, SystemDescription
from connectors.contract.suggestions import asked_or_near
from connectors.http.messages import Call
from connectors.http.paging import MOST_PAGES, PagingProgress
from connectors.userflow import protocol
from connectors.userflow.client import ObservingClient
from connectors.userflow.events import describe_events
from connectors.userflow.protocol import AttributeDefinition, EventDefinition, Kind, Scope, Subscription
from connectors.userflow.translate import ID_FIELD, field_definition, kind_of
from schemas.configuration import DescribedEvent, DescribedField

P = TypeVar("P")

WEBHOOK_SECRET = "webhook_secret"  # noqa: S105 - the name of a secret, not one
EVENTS_TOPIC = "event.tracked"

_SCOPES: dict[Kind, Scope] = {"users": "user", "groups": "group"}
_OUR_PATH = re.compile(r"/webhooks/userflow/([^/]+)/?")


def polled(opening: Opening) -> bool:
    """Whether the environment is asked for its news, and sends none."""
    return opening.options.get("source") == "poll"


class UserflowSetup:
    """One environment as a Setup."""

    def __init__(self, opening: Opening, client: ObservingClient) -> None:
        self._url = opening.webhook_url
        self._connected = opening.connected
        self._polled = polled(opening)
        self._known_secret = opening.secrets.get(WEBHOOK_SECRET)
        self._client = client

    async def describe(self, wanted: Mapping[str, Sequence[str]]) -> SystemDescription:
        """The existing attributes, by object type, each type's read-only `id`, and all events."""
        fields: list[DescribedField] = []
        for object_type, names in wanted.items():
            fields.append(DescribedField(object_type, ID_FIELD, "Id", "string", read_only=True))
            existing = await self._attributes(_SCOPES[kind_of(object_type)])
            by_name = {one.name: one for one in existing if one.name != ID_FIELD}
            chosen = asked_or_near(names, by_name) if names else tuple(by_name)
            fields += [_described(object_type, by_name[name]) for name in chosen]
        return SystemDescription(fields, events=describe_events(await self._events(), await self._attributes("event")))

    async def provision(
        self,
        fields: Mapping[str, Sequence[str]],
        create: Sequence[DescribedField],
        events: Sequence[DescribedEvent] = (),
    ) -> Provisioned:
        """Create the webhook subscription only: Userflow makes attributes and events at their first use.

        An environment that is polled has none of ours afterwards.

        Raises Misconfigured `environment_already_claimed` if another integration has subscribed. Deletes the
        subscription of an integration that is disconnected here: its connector was not running to delete it.
        """
        topics, existing = _topics(tuple(fields)), await self._subscriptions()
        others, ours = self._left_by_others(existing), self._ours(existing)
        if self._polled:
            await self._delete([*others, *ours])
            return Provisioned()
        kept = next((one for one in ours if self._secret(one)), None)
        # a second subscription repeats every webhook, and one with a lost secret sends webhooks that nobody can verify
        await self._delete([*others, *(one for one in ours if one is not kept)])
        subscription = await self._fitting(kept, topics) if kept else await self._subscribed(topics)
        return Provisioned(self._secret(subscription))

    async def rehearse(
        self,
        fields: Mapping[str, Sequence[str]],
        create: Sequence[DescribedField],
        events: Sequence[DescribedEvent] = (),
    ) -> None:
        """Subscribe and unsubscribe again; an environment that sends to this integration already is the one in force.

        Raises Misconfigured as `provision` does.
        """
        existing = await self._subscriptions()
        self._left_by_others(existing)
        if not self._polled and not self._ours(existing):
            made = (await self._client.send(protocol.create_subscription(self._url, _topics(tuple(fields))))).answer
            await self._delete([made])
            _secret_of(made)

    async def probe(self) -> None:
        """Read one user, which proves that the key is accepted."""
        await self._client.send(protocol.list_objects("users", limit=1, purpose="control"))

    async def subscribed(self, fields: Mapping[str, Sequence[str]]) -> Subscribed | None:
        """Of several of ours the best one counts: each sends what it is subscribed to."""
        if self._polled:
            return None
        ours = self._ours(await self._subscriptions())
        enabled = [one for one in ours if not one.disabled]
        if not enabled:
            return "disabled" if ours else "missing"
        wanted = set(_topics(tuple(fields)))
        return "ok" if any(wanted <= set(one.topics) for one in enabled) else "incomplete"

    async def give_up(self) -> None:
        """Do nothing: an API key is its maker's to delete."""

    async def withdraw(self) -> None:
        """Delete this integration's subscriptions."""
        await self._delete(self._ours(await self._subscriptions()))

    async def _delete(self, subscriptions: Sequence[Subscription]) -> None:
        for one in subscriptions:
            await self._client.send(protocol.delete_subscription(one.id))

    async def _attributes(self, scope: Scope) -> list[AttributeDefinition]:
        def call(cursor: str | None) -> Call[protocol.AttributeDefinitionPage]:
            return protocol.list_attribute_definitions(scope, starting_after=cursor)

        return [one async for page in self._pages(call, lambda page: page.next_cursor) for one in page.definitions]

    async def _events(self) -> list[EventDefinition]:
        def call(cursor: str | None) -> Call[protocol.EventDefinitionPage]:
            return protocol.list_event_definitions(starting_after=cursor)

        return [one async for page in self._pages(call, lambda page: page.next_cursor) for one in page.definitions]

    async def _subscriptions(self) -> list[Subscription]:
        def call(cursor: str | None) -> Call[protocol.SubscriptionPage]:
            return protocol.list_subscriptions(starting_after=cursor)

        pages = self._pages(call, lambda page: page.next_cursor)
        return [one async for page in pages for one in page.subscriptions]

    def _left_by_others(self, subscriptions: Sequence[Subscription]) -> list[Subscription]:
        """Subscriptions that nobody ended. Raises Misconfigured for one of an integration that is connected."""
        others = [one for one in subscriptions if _claims(one.url, self._url)]
        if not all(self._left_behind(one.url) for one in others):
            raise Misconfigured("environment_already_claimed")
        return others

    def _ours(self, subscriptions: Sequence[Subscription]) -> list[Subscription]:
        """The subscriptions that send to this integration."""
        return [one for one in subscriptions if one.url == self._url]

    def _left_behind(self, url: str) -> bool:
        """Whether a subscription sends to this installation, for an integration that is not connected."""
        there, here = _OUR_PATH.search(url), _OUR_PATH.search(self._url)
        if there is None or here is None or url[: there.start()] != self._url[: here.start()]:
            return False
        return not self._connected(there[1])

    async def _pages(
        self, call: Callable[[str | None], Call[P]], next_cursor: Callable[[P], str | None]
    ) -> AsyncIterator[P]:
        """Every page of a list. Raises Refused where it goes in a circle or without an end: a part is not the whole."""
        progress, cursor = PagingProgress(MOST_PAGES), None
        while True:
            page = (await self._client.send(call(cursor))).answer
            yield page
            cursor = next_cursor(page)
            if cursor is None:
                return
            progress.check(cursor, cursor)

    async def _fitting(self, subscription: Subscription, topics: Sequence[str]) -> Subscription:
        """The subscription, enabled and with the needed topics."""
        if not subscription.disabled and set(subscription.topics) == set(topics):
            return subscription
        try:
            change = protocol.update_subscription(subscription.id, topics=topics, disabled=False)
            await self._client.send(change)
        except (Missing, Refused):
            # only one source says that subscriptions can be changed: a new one serves as well
            await self._client.send(protocol.delete_subscription(subscription.id))
            return await self._subscribed(topics)
        return subscription

    async def _subscribed(self, topics: Sequence[str]) -> Subscription:
        made = (await self._client.send(protocol.create_subscription(self._url, topics))).answer
        self._known_secret = _secret_of(made)
        return made

    def _secret(self, subscription: Subscription) -> str | None:
        """The secret that signs the subscription's webhooks: read from Userflow, or stored since creation."""
        return subscription.secret or self._known_secret


def _topics(object_types: Sequence[str]) -> Sequence[str]:
    return (*(_SCOPES[kind_of(object_type)] for object_type in object_types), EVENTS_TOPIC)


def _secret_of(made: Subscription) -> str:
    if not made.secret:
        raise Misconfigured("webhook_secret_not_told")
    return made.secret


def _described(object_type: str, existing: AttributeDefinition) -> DescribedField:
    definition = field_definition(existing)
    return DescribedField(object_type, definition.name, definition.label, definition.type)


def _claims(url: str, ours: str) -> bool:
    """Whether a subscription's address is a receiver's, for an integration of another name."""
    claimed, own = _OUR_PATH.search(_path_of(url)), _OUR_PATH.search(_path_of(ours))
    return claimed is not None and (own is None or claimed[1] != own[1])


def _path_of(url: str) -> str:
    """The path of an address, which anybody may have written: empty if the address is malformed."""
    try:
        return urlsplit(url).path
    except ValueError:
        return ""
