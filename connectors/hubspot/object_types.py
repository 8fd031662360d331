"""The object types of the catalog by the id that HubSpot's webhooks name them with."""

import re
from collections.abc import Iterable

from connectors.base import Catalog
from connectors.hubspot.protocol import OBJECT_TYPE_IDS, ObjectSchema

_TYPE_ID = re.compile(r"[0-9]+-[0-9]+")


class ObjectTypes:
    """`contacts` is 0-1, `2-77` is itself; a type spelled `p<account>_<name>` is known once its schema was learned."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._ids: dict[str, str] = dict(OBJECT_TYPE_IDS)

    def name(self, type_id: str) -> str | None:
        """The catalog's word for a type; None for a type that no mapping uses."""
        return next((name for name in self.catalog.object_types if self._ids.get(name, name) == type_id), None)

    def custom(self, name: str) -> bool:
        """Whether the account itself defined the type."""
        return name not in OBJECT_TYPE_IDS and not name.startswith("0-")

    def unknown(self, names: Iterable[str]) -> bool:
        """Whether one of the names is a custom type's whose id is not known yet."""
        return any(name not in self._ids and not _TYPE_ID.fullmatch(name) for name in names)

    def learn(self, schemas: Iterable[ObjectSchema]) -> None:
        """Keep the ids of the account's own types."""
        self._ids |= {schema.fully_qualified_name: schema.object_type_id for schema in schemas}
