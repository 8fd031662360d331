"""Fields of associated records: `company.name` of a contact is its company's name."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from connectors.contract.catalog import Catalog
from connectors.hubspot.protocol import Association

OBJECT_ID: Final = "hs_object_id"
DOT: Final = "."

WORDS: Final[Mapping[str, str]] = {"contacts": "contact", "companies": "company", "deals": "deal"}
"""The integration file's word for a record of each type; a custom type goes by its own name."""

_TYPES: Final[Mapping[str, str]] = {word: object_type for object_type, word in WORDS.items()}


def shown_name(object_type: str, name: str) -> str:
    """The name of a property of this type as a field of other records."""
    return f"{WORDS.get(object_type, object_type)}{DOT}{name}"


def id_field(object_type: str) -> str:
    """The field of other records that holds the id of the associated record."""
    return shown_name(object_type, OBJECT_ID)


def own_fields(wanted: Iterable[str]) -> tuple[str, ...]:
    """The record's own properties; a name with a dot belongs to an associated record."""
    return tuple(name for name in wanted if DOT not in name)


def associated_fields(wanted: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """Associated type -> its properties that records show."""
    named: dict[str, tuple[str, ...]] = {}
    for name in wanted:
        word, dot, own = name.partition(DOT)
        if dot:
            object_type = _TYPES.get(word, word)
            named[object_type] = (*named.get(object_type, ()), own)
    return named


def associated_types(catalog: Catalog) -> tuple[str, ...]:
    """The types whose fields mapped records show."""
    return tuple(dict.fromkeys(name for mapped in catalog.object_types for name in _of(catalog, mapped)))


def shown_by(catalog: Catalog, object_type: str) -> Mapping[str, tuple[str, ...]]:
    """Mapped type -> the properties of `object_type` that its records show."""
    by_type = {mapped: _of(catalog, mapped).get(object_type, ()) for mapped in catalog.object_types}
    return {mapped: names for mapped, names in by_type.items() if names}


def the_one(associations: Sequence[Association]) -> str | None:
    """The record whose fields are shown: the primary one, else the lowest id; None if there is none."""
    marked = [association.to_id for association in associations if association.primary]
    return min(marked or [association.to_id for association in associations], key=_as_number, default=None)


def _of(catalog: Catalog, mapped: str) -> Mapping[str, tuple[str, ...]]:
    return associated_fields(catalog.wanted(mapped))


def _as_number(object_id: str) -> tuple[int, str]:
    return len(object_id), object_id
