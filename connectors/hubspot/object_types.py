"""Maps the object type ids of HubSpot's webhooks to the catalog's object types."""

from collections.abc import Iterable

from connectors.contract.catalog import Catalog
from connectors.hubspot.associated import associated_fields, associated_types
from connectors.hubspot.protocol import OBJECT_TYPE_IDS


class ObjectTypes:
    """`contacts` is 0-1; a custom type is `2-N` in mappings and in webhooks alike."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog

    def name(self, type_id: str) -> str | None:
        """The catalog's word for a type; None for a type outside every mapping."""
        return _named(self.catalog.object_types, type_id)

    def associated(self, type_id: str) -> str | None:
        """The word for a type whose fields mapped objects show; None if they show none."""
        return _named(associated_types(self.catalog), type_id)

    def shows(self, name: str, type_id: str | None) -> bool:
        """Whether records of a mapped type show fields of `type_id`; None: of any type."""
        others = associated_fields(self.catalog.wanted(name))
        return bool(others) if type_id is None else _named(others, type_id) is not None

    def custom(self, name: str) -> bool:
        """Whether the account itself defined the type."""
        return name not in OBJECT_TYPE_IDS and not name.startswith("0-")


def _named(names: Iterable[str], type_id: str) -> str | None:
    return next((name for name in names if OBJECT_TYPE_IDS.get(name, name) == type_id), None)
