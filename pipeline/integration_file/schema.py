"""The JSON schema of integration files, by which editors complete and check them."""

import json
from typing import Any, Final

from pipeline.integration_file.document import FileKeys

DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """Draft 2020-12, made from the keys that the loader reads; `validate` judges what takes several keys at once."""
    made = _plain(FileKeys.model_json_schema())
    return {"$schema": DRAFT, "title": "Pairstream integration file", **made}


def schema_text() -> str:
    """The schema as a file holds it; equal for equal code."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def _plain(node: Any, *, names: bool = False) -> Any:
    """Without what only Python knows: titles made of its names, and null where a key is simply left out.

    `names`: the keys of this node are names of files' keys or of definitions, not words of the schema.
    """
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = node if names else {key: value for key, value in node.items() if not _is_of_python(key, value)}
    made = {
        key: value
        if key in ("examples", "default", "enum", "required") and not names
        # the values of these two are tables of names
        else _plain(value, names=not names and key in ("properties", "$defs"))
        for key, value in kept.items()
    }
    options = [option for option in made.pop("anyOf", []) if option != {"type": "null"}] if not names else []
    if len(options) == 1:
        return {**options[0], **made}
    return {**made, "anyOf": options} if options else made


def _is_of_python(key: str, value: Any) -> bool:
    return key == "title" or (key == "default" and value is None)
