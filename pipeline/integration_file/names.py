"""The names that need no writing down: object types, their words, and the default name of a target field."""

import re
from collections.abc import Mapping
from typing import Final

from connectors.hubspot.associated import DOT, WORDS
from schemas.values import System

HUBSPOT_TYPES: Final = tuple(WORDS)
USERFLOW_TYPES: Final = ("users", "companies")
ALIASES: Final[Mapping[str, str]] = {"accounts": "companies"}

MATCHES: Final[Mapping[str, tuple[str, ...]]] = {"users": ("email", "id"), "companies": ("id",)}
"""What an object of a Userflow type can be matched by."""

MOST_NAME_CHARACTERS: Final = 64
INTEGRATION_NAME: Final = r"[a-z0-9][a-z0-9-]*"
MAPPING_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._-]*"
CUSTOM_TYPE: Final = r"2-[0-9]{1,18}|p[0-9]{1,18}_[A-Za-z][A-Za-z0-9_]*"
"""HubSpot's two spellings of a custom object type: by its id, and by its account and its schema's name."""

_OBJECT_WORDS: Final[Mapping[str, str]] = {**WORDS, "users": "user"}
_CUSTOM_NAME: Final = re.compile(r"p([0-9]{1,18})_([A-Za-z][A-Za-z0-9_]*)")


def is_custom_type(object_type: str) -> bool:
    """Whether it is spelled as one: `2-<number>` or `p<account>_<name>`."""
    return bool(re.fullmatch(CUSTOM_TYPE, object_type))


def account_of_type(object_type: str) -> int | None:
    """The account that a `p<account>_<name>` type belongs to; None where the type does not say."""
    named = _CUSTOM_NAME.fullmatch(object_type)
    return int(named[1]) if named else None


def schema_name(object_type: str) -> str | None:
    """The schema's name in a `p<account>_<name>` type; None for every other type."""
    named = _CUSTOM_NAME.fullmatch(object_type)
    return named[2] if named else None


def object_word(object_type: str, schema_names: Mapping[str, str] | None = None) -> str:
    """The singular that stands in field names; for a custom type its schema's name where that is known."""
    if object_type in (schema_names or {}):
        return plain((schema_names or {})[object_type])
    return _OBJECT_WORDS.get(object_type) or plain(schema_name(object_type) or object_type)


def associated(source: str) -> tuple[str, str] | None:
    """`company.name` -> ("companies", "name"); None where the source is a field of the object itself."""
    word, dot, field = source.partition(DOT)
    types = [object_type for object_type in HUBSPOT_TYPES if WORDS[object_type] == word]
    return (types[0], field) if dot and types else None


def association_words(object_type: str) -> tuple[str, ...]:
    """How a field of an object associated with one of this type begins."""
    return tuple(word for other, word in WORDS.items() if other != object_type)


def default_target(target: System, source_type: str, source: str, schema_names: Mapping[str, str] | None = None) -> str:
    """The target field's name when a rule gives none.

    contacts jobtitle -> `hubspot_contact_jobtitle`; its company.name -> `hubspot_company_name`;
    users plan -> `userflow_user_plan`.
    """
    owner = "userflow" if target == "hubspot" else "hubspot"
    object_type, field = (associated(source) if target == "userflow" else None) or (source_type, source)
    return f"{owner}_{object_word(object_type, schema_names)}_{plain(field)}"


def plain(name: str) -> str:
    """Lower case, and anything outside a-z, 0-9 and _ becomes _."""
    return re.sub(r"[^a-z0-9_]", "_", name.lower())
