"""The feeds of one HubSpot account: its journal, or polls of each type that mappings use."""

from collections.abc import Callable, Sequence

from connectors.contract.catalog import Catalog
from connectors.contract.feed import Feed, FeedSettings
from connectors.hubspot.associated import associated_fields, associated_types, shown_by
from connectors.hubspot.client import HubSpotClient
from connectors.hubspot.journal import Journal
from connectors.hubspot.polling import ArchivedRecords, ModifiedRecords, Polled
from schemas.configuration import JOURNAL

MODIFIED, ARCHIVED = "/modified", "/archived"


class JournalFeeds:
    """One feed, whatever the mappings: what it tells is chosen by the subscriptions."""

    def __init__(self, opened: Callable[[], Journal]) -> None:
        self._opened = opened

    def names(self) -> Sequence[str]:
        return (JOURNAL,)

    def open(self, name: str) -> Feed:
        return self._opened()

    def patrolled(self) -> Sequence[str]:
        return ()


class PollFeeds:
    """Two feeds for each mapped type, and for each whose fields others show."""

    def __init__(self, client: HubSpotClient, catalog: Catalog, account: str, settings: FeedSettings) -> None:
        self._client = client
        self._catalog = catalog
        self._account = account
        self._settings = settings

    def names(self) -> Sequence[str]:
        types = dict.fromkeys((*self._catalog.object_types, *associated_types(self._catalog)))
        return tuple(f"{name}{kind}" for name in types for kind in (MODIFIED, ARCHIVED))

    def open(self, name: str) -> Feed:
        object_type, _, kind = name.rpartition("/")
        polled = Polled(self._account, object_type)
        if f"/{kind}" == MODIFIED:
            return ModifiedRecords(self._client, polled, self._settings, lambda: self._shown(object_type))
        return ArchivedRecords(self._client, polled, self._settings)

    def _shown(self, object_type: str) -> Sequence[str]:
        by_type = shown_by(self._catalog, object_type)
        return tuple(dict.fromkeys(name for names in by_type.values() for name in names))

    def patrolled(self) -> Sequence[str]:
        """The types that show fields of others: which record they show moves no modified time."""
        catalog = self._catalog
        return tuple(name for name in catalog.object_types if associated_fields(catalog.wanted(name)))
