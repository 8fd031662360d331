"""Seed files: the JSON that a simulator starts with; the format is in docs/how-to/seed-files.md."""

import contextlib
import difflib
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from pipeline.local.errors import LocalError

SHIPPED: Final = Path(__file__).with_name("seeds")
FORMAT: Final = f"Fix: write it like those in {SHIPPED}"
_MOST_PROBLEMS: Final = 10

Fields = dict[str, Any]  # what a vendor stores: its JSON is only known where it is read


class SeedUnreadable(LocalError):
    """The seed file is no JSON, or not of the documented shape."""


def _instant(value: str | int) -> str | int:
    if isinstance(value, int):
        return value
    with contextlib.suppress(ValueError):
        if datetime.fromisoformat(value).tzinfo is not None:
            return value
    raise ValueError("no instant; write it as 2026-01-31T12:00:00Z")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class HubSpotProperty(_Part):
    name: str
    label: str | None = None
    type: str
    fieldType: str = "text"
    groupName: str | None = None
    description: str | None = None
    options: list[Fields] | None = None
    hasUniqueValue: bool | None = None
    externalOptions: bool | None = None
    calculated: bool | None = None
    modificationMetadata: Fields | None = None


class HubSpotSchema(_Part):
    name: str
    objectTypeId: str | None = None
    labels: Fields | None = None
    primaryDisplayProperty: str | None = None
    requiredProperties: list[str] | None = None
    properties: list[HubSpotProperty] | None = None


class HubSpotObject(_Part):
    id: str | None = Field(None, pattern=r"^[0-9]+$")
    properties: Fields = {}
    createdAt: Annotated[str | int, AfterValidator(_instant)] | None = None
    archived: bool | None = None


class Association(_Part):
    from_: list[str] = Field(alias="from", min_length=2, max_length=2)
    to: list[str] = Field(min_length=2, max_length=2)
    primary: bool | None = None


class HubSpotSeed(_Part):
    schemas: list[HubSpotSchema] | None = None
    properties: dict[str, list[HubSpotProperty]] | None = None
    objects: dict[str, list[HubSpotObject]] | None = None
    associations: list[Association] | None = None


class UserflowEntity(_Part):
    id: str = Field(min_length=1)
    attributes: Fields = {}
    created_at: Annotated[str, AfterValidator(_instant)] | None = None


class UserflowUser(UserflowEntity):
    groups: list[str] | None = None


class AttributeDefinition(_Part):
    name: str
    scope: Literal["user", "group", "event"]
    data_type: Literal["string", "boolean", "number", "datetime", "list"]
    display_name: str | None = None
    description: str | None = None


class EventDefinition(_Part):
    name: str
    display_name: str | None = None
    description: str | None = None


class UserflowSeed(_Part):
    users: list[UserflowUser] | None = None
    groups: list[UserflowEntity] | None = None
    attribute_definitions: list[AttributeDefinition] | None = None
    event_definitions: list[EventDefinition] | None = None
    content: list[Fields] | None = None
    content_versions: list[Fields] | None = None
    content_sessions: list[Fields] | None = None


MODELS: Final[Mapping[str, type[_Part]]] = {"hubspot": HubSpotSeed, "userflow": UserflowSeed}


def shipped(system: str) -> Path:
    """The demo's data, in the package."""
    return SHIPPED / f"{system}.json"


def read_seed(system: str, path: Path) -> dict[str, Any]:
    """A seed file as the simulator of `system` takes it. Raises SeedUnreadable naming file, place and fix."""
    try:
        seed = json.loads(path.read_text("utf-8"), object_pairs_hook=_each_key_once, parse_constant=_no_number)
    except OSError as error:
        raise SeedUnreadable(f"{path}: {error.strerror}. Fix: name a file that can be read.") from None
    except (ValueError, RecursionError) as error:
        raise SeedUnreadable(f"{path}: no JSON in UTF-8: {error}. {FORMAT}.") from None
    if not isinstance(seed, dict):
        found = "a list" if isinstance(seed, list) else f"{type(seed).__name__}"
        keys = ", ".join(MODELS[system].model_fields)
        raise SeedUnreadable(f"{path}: {found} where an object with any of these keys is needed: {keys}. {FORMAT}.")
    try:
        MODELS[system].model_validate(seed)
    except ValidationError as error:
        found_problems = error.errors(include_url=False, include_context=False, include_input=False)
        lines = [_problem(system, dict(each)) for each in found_problems[:_MOST_PROBLEMS]]
        raise SeedUnreadable("\n".join(f"{path}: {line}" for line in [*lines, f"{FORMAT}."])) from None
    if lines := list(_disagreements(system, seed))[:_MOST_PROBLEMS]:
        raise SeedUnreadable("\n".join(f"{path}: {line}" for line in [*lines, f"{FORMAT}."]))
    return seed


def _disagreements(system: str, seed: Fields) -> Iterator[str]:
    """What fits its place but not the rest of the file: ids given twice, links to records that are not there."""
    collections = seed.get("objects") if system == "hubspot" else {name: seed.get(name) for name in ("users", "groups")}
    ids: set[tuple[str, str]] = set()
    for name, records in (collections or {}).items():
        prefix = f"objects.{name}" if system == "hubspot" else name
        for index, record in enumerate(records or ()):
            if (name, record.get("id")) in ids:
                yield f"{prefix}[{index}].id: given twice; give each record an id of its own"
            ids.add((name, record.get("id", "")))
    for index, link in enumerate(seed.get("associations") or ()):
        for end in ("from", "to"):
            if (link[end][0], link[end][1]) not in ids:
                yield f"associations[{index}].{end}: no record of the file has this type and id"


def _each_key_once(pairs: list[tuple[str, Any]]) -> Fields:
    """The object; a key that stands twice would silently drop all that stood under the first."""
    found: Fields = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} stands twice in one object")
        found[key] = value
    return found


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number in JSON")


def _problem(system: str, found: Mapping[str, Any]) -> str:
    """pydantic's error as `objects.contacts[3].propertis: unknown key; did you mean properties?`."""
    loc = tuple(found["loc"])
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).lstrip(".")
    if found["type"] != "extra_forbidden":
        return f"{place}: {str(found['msg'])[:1].lower()}{str(found['msg'])[1:]}"
    close = difflib.get_close_matches(str(loc[-1]), _keys_at(MODELS[system], loc[:-1]), n=1)
    return f"{place}: unknown key" + (f"; did you mean {close[0]}?" if close else "")


def _keys_at(model: type[BaseModel], loc: tuple[Any, ...]) -> list[str]:
    """The keys that a place of the file may have."""
    for part in loc:
        field = next((f for name, f in model.model_fields.items() if (f.alias or name) == part), None)
        if field is not None:
            inner = _model_in(field.annotation)
            model = inner if inner is not None else model
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that a list, dict or optional of models holds."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for each in get_args(annotation) if (found := _model_in(each)) is not None), None)
