"""Maps every spelling of an endpoint to one canonical path: v3, v4 and the dated versions share routes."""

import re
from collections.abc import Iterator, Sequence
from urllib.parse import unquote

from connectors.simulation.calls import Json

_V3, _V4, _DATED = r"/v3", r"/v4", r"/20\d\d-(?:03|09)"
_SPELLINGS = (
    (rf"/crm{_V3}/objects/(?!.*/associations/)", "/crm/objects/"),
    (rf"/crm{_V4}/objects/(?=.*/associations/)", "/crm/objects/"),
    (rf"/crm/objects{_DATED}/", "/crm/objects/"),
    (rf"/crm{_V3}/properties/", "/crm/properties/"),
    (rf"/crm/properties{_DATED}/", "/crm/properties/"),
    (rf"/crm(?:-object-schemas)?{_V3}/schemas", "/crm/schemas"),
    (rf"/crm-object-schemas{_DATED}/schemas", "/crm/schemas"),
    (rf"/crm{_V4}/associations/", "/crm/associations/"),
    (rf"/crm/associations(?:{_V4}|{_DATED})/", "/crm/associations/"),
    (rf"/crm{_V3}/(?=owners|pipelines)", "/crm/"),
    (rf"/crm/owners{_DATED}", "/crm/owners"),
    (rf"/crm/pipelines{_DATED}/", "/crm/pipelines/"),
    (rf"/account-info(?:{_V3}|{_DATED})/", "/account-info/"),
    (rf"/oauth(?:/v1|{_V3}|{_DATED})/", "/oauth/"),
    (rf"/integrators/timeline(?:{_V4}|{_DATED})/", "/integrators/timeline/"),
    (rf"/events(?:/custom)?(?:{_V3}|{_DATED})/", "/events/"),
    (rf"/webhooks-journal/journal-local(?:{_V4}|{_DATED})/", "/webhooks-journal/journal-local/"),
    (rf"/webhooks-journal/subscriptions(?:{_V4}|{_DATED})", "/webhooks-journal/subscriptions"),
    (r"/journal-files/", "/journal-files/"),
    (rf"/appinstalls(?:{_V3}|{_DATED})/", "/appinstalls/"),
)
_PATTERNS = tuple((re.compile(pattern), canonical) for pattern, canonical in _SPELLINGS)
_OBJECT_ENDINGS = ("batch/read", "batch/update", "batch/create", "batch/archive", "search", "merge")
_PLAIN_FAMILIES = {
    "oauth": "oauth",
    "integrators": "timeline",
    "events": "custom_events",
    "account-info": "account",
    "appinstalls": "account",
    "webhooks-journal": "journal",
    "journal-files": "journal_files",
}
_WORDS = frozenset(
    {
        "token",
        "introspect",
        "revoke",
        "authorize",
        "access-tokens",
        "refresh-tokens",
        "events",
        "batch",
        "event-definitions",
        "property",
        "send",
        "details",
        "subscriptions",
        "earliest",
        "latest",
        "next",
    }
)
_VERBS = {"GET": "read", "POST": "create", "PATCH": "update", "PUT": "write", "DELETE": "archive"}


def canonical(path: str) -> str:
    """The canonical path; a path in no known spelling matches no route."""
    for pattern, replacement in _PATTERNS:
        match = pattern.match(path)
        if match is not None:
            return replacement + path[match.end() :]
    return path if path.startswith("/oauth/authorize") else "/unknown" + path


def kind_of(method: str, path: str) -> str:
    """The endpoint's name for the log, from a canonical path: `objects.batch_update`, `properties.create`, ..."""
    family, *rest = path.removeprefix("/crm").strip("/").split("/")
    verb = _VERBS.get(method, method.lower())
    if family in _PLAIN_FAMILIES:
        # an id or a token in the path is no part of the name
        return f"{_PLAIN_FAMILIES[family]}.{'_'.join(part for part in rest if part in _WORDS) or verb}"
    tail = "/".join(rest)
    if "/associations/" in path:
        family, tail = "associations", tail.split("/associations/")[-1]
    for ending in _OBJECT_ENDINGS:
        if tail.endswith(ending):
            return f"{family}.{ending.replace('/', '_')}"
    if family == "objects" and method == "GET" and len(rest) == 1:
        return "objects.list"
    return f"property_groups.{verb}" if family == "properties" and "groups" in rest else f"{family}.{verb}"


def object_type_of(path: str) -> str | None:
    """The object type in a canonical path."""
    match = re.match(r"/crm/(?:objects|properties|associations|pipelines)/([^/]+)", path)
    return unquote(match[1]) if match else None


def object_ids(path: str, body: Json) -> tuple[str, ...]:
    """The ids named by a canonical path or by a body."""
    match = re.match(r"/crm/objects/[^/]+/([^/]+)", path)
    named = [unquote(match[1])] if match and match[1] not in ("batch", "search", "merge") else []
    return tuple(dict.fromkeys([*named, *_body_ids(body)]))


def _body_ids(body: Json) -> Iterator[str]:
    if not isinstance(body, dict):
        return
    inputs = body.get("inputs", [body])
    for one in inputs if isinstance(inputs, list) else []:
        if isinstance(one, dict):
            ids = (one.get("id"), one.get("objectId"), _id(one.get("from")), body.get("primaryObjectId"))
            yield from (str(found) for found in ids if found is not None)


def _id(end: Json) -> Json:
    return end.get("id") if isinstance(end, dict) else None


def scopes_for(kind: str, method: str, type_id: str | None, word: str) -> Sequence[str]:
    """The scopes of which one is enough for an endpoint; empty if the endpoint needs none."""
    family, verb = kind.split(".")
    reads = method == "GET" or verb in ("batch_read", "search")
    group = "custom" if type_id is None or type_id.startswith("2-") else word
    access = "read" if reads else "write"
    objects = [f"crm.objects.{group}.{access}"] if type_id != "0-5" else ["tickets"]
    if family == "owners":
        return ["crm.objects.owners.read"]
    if family in ("objects", "associations", "pipelines"):
        return objects
    if family in ("properties", "property_groups"):
        return [f"crm.schemas.{group}.{access}", *(objects if reads else [])]
    if family == "schemas":
        return [f"crm.schemas.custom.{access}", *([f"crm.objects.custom.{access}"] if reads else [])]
    return ["timeline"] if family == "timeline" else []
