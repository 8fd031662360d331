"""The description of what scripts read, made of the routes themselves. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pipeline.console.protect import API
from pipeline.console.routes import ForScripts

QUERIES: Final[Mapping[str, Sequence[str]]] = {"refused": ("reason", "field"), "activity": ("after",)}
_PART: Final = re.compile(r"\{(\w+)\}")
_ERROR: Final = {
    "description": "why not",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
}

# Any: JSON


def description(routes: Sequence[ForScripts], version: str) -> Mapping[str, Any]:
    """An OpenAPI document."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Pairstream", "version": version},
        "servers": [{"url": API.rstrip("/")}],
        "security": [{"token": []}],
        "paths": {at.path.removeprefix(API.rstrip("/")): {"get": _operation(at)} for at in routes},
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                "Error": {
                    "type": "object",
                    "required": ["error", "message"],
                    "properties": {"error": {"type": "string"}, "message": {"type": "string"}},
                }
            },
        },
    }


def _operation(at: ForScripts) -> Mapping[str, Any]:
    name = at.answer.__name__
    within = [
        {"name": part, "in": "path", "required": True, "schema": {"type": "string"}} for part in _PART.findall(at.path)
    ]
    asked = [{"name": one, "in": "query", "schema": {"type": "string"}} for one in QUERIES.get(name, ())]
    answer = {"description": "found", "content": {"application/json": {"schema": {"type": "object"}}}}
    errors = dict.fromkeys(("401", "403", "404", "409", "503"), _ERROR)
    return {
        "operationId": name,
        "summary": (at.answer.__doc__ or "").strip(),
        "parameters": [*within, *asked],
        "responses": {"200": answer, **errors},
    }
