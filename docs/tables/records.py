"""The records: every `.avsc` that a topic carries, and what stands inside them."""

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any, Final

from docs.tables.markdown import code, table
from schemas.records import avro_name
from schemas.topics import TOPICS

PAGE: Final = "records.md"

# Any: a schema is JSON, a name, a list of branches or an object
Schema = Any


def link(name: str) -> str:
    """A record's name with a link to its heading on the records' page."""
    return f"[{name}]({PAGE}#{name.lower()})"


def page() -> str:
    """A section for each record on a topic, then one for each record inside those; each once."""
    names = dict.fromkeys(avro_name(topic.record) for topic in TOPICS.values())
    outer = [_schema(name) for name in names]
    inner = {record["name"]: record for schema in outer for record in _inside(schema) if record["name"] not in names}
    parts = ["### On topics", *map(_section, outer), "### Inside other records", *map(_section, inner.values())]
    return "\n\n".join(parts)


def _schema(name: str) -> Schema:
    return json.loads((files("schemas") / "avro" / f"{name}.avsc").read_text("utf-8"))


def _section(schema: Schema) -> str:
    name = schema["name"]
    on = [code(topic.name) for topic in TOPICS.values() if avro_name(topic.record) == name]
    fields = [(code(field["name"]), _type(field["type"]), _default(field), field["doc"]) for field in schema["fields"]]
    heading = [f"#### {name}", schema["doc"], *([f"Topics: {', '.join(on)}."] if on else [])]
    return "\n\n".join([*heading, table(("Field", "Type", "Default", "Meaning"), fields)])


def _inside(schema: Schema) -> Iterator[Schema]:
    """Every record that a schema defines below itself, outermost first."""
    below = (
        schema if isinstance(schema, list) else [schema[key] for key in ("items", "values", "type") if key in schema]
    )
    below = [*below, *(field["type"] for field in schema.get("fields", ()))] if isinstance(schema, dict) else below
    for one in below:
        if isinstance(one, dict) and one.get("type") == "record":
            yield one
        if isinstance(one, dict | list):
            yield from _inside(one)


def _type(schema: Schema) -> str:
    match schema:
        case list():
            return " or ".join(map(_type, schema))
        case {"type": "array", "items": items}:
            return f"list of ({_type(items)})" if isinstance(items, list) else f"list of {_type(items)}"
        case {"type": "map", "values": values}:
            return f"map of ({_type(values)})" if isinstance(values, list) else f"map of {_type(values)}"
        case {"type": "record", "name": name}:
            return link(name)
        case {"logicalType": logical}:
            return str(logical)
        case str():
            namespace, _, name = schema.rpartition(".")
            return link(name) if namespace else name
    raise ValueError(f"a schema that is no Avro type: {schema}")


def _default(field: Schema) -> str:
    return code(json.dumps(field["default"])) if "default" in field else ""
