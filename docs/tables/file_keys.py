"""The keys of an integration file: the JSON schema that editors check files by."""

from collections.abc import Iterator
from typing import Any, Final

from docs.tables.markdown import code, table
from pipeline.integration_file.schema import json_schema

SCHEMA_FILE: Final = "reference/integration-file.schema.json"
"""Where the site publishes the schema itself."""


def page() -> str:
    """Every key with its meaning, needed ones marked."""
    schema = json_schema()
    return table(("Key", "Needed", "Meaning"), list(_rows(schema, schema, "")))


def _rows(schema: dict[str, Any], of_table: dict[str, Any], path: str) -> Iterator[tuple[str, str, str]]:
    for name, said in of_table["properties"].items():
        key = f"{path}.{name}" if path else name
        default = f" Default: `{said['default']}`." if said.get("default") not in (None, [], False) else ""
        yield code(key), "yes" if name in of_table.get("required", ()) else "", f"{said['description']}{default}"
        for reference, below in _references(said, key):
            yield from _rows(schema, schema["$defs"][reference.rpartition("/")[2]], below)


def _references(said: dict[str, Any], key: str) -> Iterator[tuple[str, str]]:
    """The tables that a key takes, each with the path of its keys."""
    if "$ref" in said:
        yield said["$ref"], key
    items = said.get("items", {})
    for one in (items, *items.get("oneOf", ())):
        if "$ref" in one:
            yield one["$ref"], f"{key}[]"
