"""The fields that a mapping can read or write, for pickers: each with its type, and why it cannot be chosen. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from pipeline.console.drafts import TARGET, Draft, RuleDraft, Way
from pipeline.console.planning import Descriptions
from pipeline.integration_file.model import MappingSpec
from pipeline.integration_file.names import HUBSPOT_TYPES, associated, association_words, object_word
from pipeline.integration_file.rules import FieldNode
from pipeline.operations.field_query import Wanted
from pipeline.provisioning.field_checks import ALWAYS_IN_USERFLOW, Fields, created_type, definition
from pipeline.provisioning.resolve import definitions_of
from schemas.values import SYSTEMS, FieldDefinition, FieldType, System

SYSTEM_NAMES: Final[Mapping[System, str]] = {"hubspot": "HubSpot", "userflow": "Userflow"}
TYPE_NAMES: Final[Mapping[FieldType, str]] = {"string": "text", "multi_select": "several of a list"}


@dataclass(frozen=True, slots=True)
class Choice:
    """A field that may be read; `why`: the reason for which it may not."""

    source: str
    label: str
    type: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """The choices of one object type: the mapped one, or one associated with it."""

    title: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class FieldShown:
    """A field as a rule's row shows it; `is_new`: it will be created."""

    name: str
    label: str
    type: str
    group: str = ""
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What both systems say of all their fields."""

    fields: Mapping[System, Fields]
    events: tuple[tuple[str, str], ...] = ()  # name, label

    @classmethod
    def of(cls, told: Descriptions) -> "Known":
        events = {event.name: event.label or event.name for system in SYSTEMS for event in told[system].events}
        fields = {system: definitions_of(told[system].fields) for system in SYSTEMS}
        users = fields["userflow"].get("users", {})  # what every user can hold, whether one does or not
        userflow = {**fields["userflow"], "users": {**ALWAYS_IN_USERFLOW, **users}}
        return cls({**fields, "userflow": userflow}, tuple(sorted(events.items())))

    def types(self, system: System, object_type: str) -> Mapping[str, FieldDefinition]:
        return self.fields[system].get(object_type, {})


NOTHING_KNOWN: Final = Known({"hubspot": {}, "userflow": {}})


def wanted_by(draft: Draft) -> Wanted:
    """The types whose fields an editor offers: the mapped ones, and those that contacts, say, are associated with."""
    hubspot = (draft.hubspot, *(one for one in HUBSPOT_TYPES if one != draft.hubspot))
    return {"hubspot": dict.fromkeys(hubspot, ()), "userflow": {draft.userflow: ()}}


def groups(draft: Draft, way: Way, known: Known, others: Iterable[MappingSpec]) -> list[Group]:
    """What can be added to a way, each field with the reason that forbids it."""
    if way == "to_hubspot":
        owned = _owned(draft, way, others)
        return [_group(SYSTEM_NAMES["userflow"], known.types("userflow", draft.userflow), "", draft, way, owned)]
    found = []
    for object_type in (draft.hubspot, *(one for one in HUBSPOT_TYPES if one != draft.hubspot)):
        own = object_type == draft.hubspot
        word = object_word(object_type)
        if own or word in association_words(draft.hubspot):
            title = word.capitalize() if own else f"The {object_word(draft.hubspot)}'s {word}"
            owned = _owned(draft, way, others) if own else {}
            prefix = "" if own else f"{word}."
            found.append(_group(title, known.types("hubspot", object_type), prefix, draft, way, owned))
    return [one for one in found if one.choices]


def _owned(draft: Draft, way: Way, others: Iterable[MappingSpec]) -> dict[str, str]:
    """Fields of the side that is read which the other side owns -> where from, and by which mapping."""
    back: Way = "to_hubspot" if way == "to_userflow" else "to_userflow"
    owned: dict[str, str] = {}
    for other in others:
        same = other.hubspot_type == draft.hubspot if way == "to_userflow" else other.userflow_type == draft.userflow
        if other.name != draft.name and same:
            rules = other.to_hubspot if back == "to_hubspot" else other.to_userflow
            owned |= {rule.target: f"mapping {other.name} writes it from {rule.source}" for rule in rules}
    for rule in draft.rules(back):
        owned[target_of(draft, back, rule)] = f"this mapping writes it from {rule.source}"
    return owned


def _group(
    title: str,
    fields: Mapping[str, FieldDefinition],
    prefix: str,
    draft: Draft,
    way: Way,
    owned: Mapping[str, str],
) -> Group:
    mapped = {rule.source: target_of(draft, way, rule) for rule in draft.rules(way)}
    owner = SYSTEM_NAMES["userflow" if way == "to_userflow" else "hubspot"]
    choices = []
    for name, field in fields.items():
        why = _why_not(field, f"{prefix}{name}", mapped, owned, owner)
        choices.append(Choice(f"{prefix}{name}", field.label or name, type_name(field.type), why))
    return Group(title, tuple(sorted(choices, key=lambda one: (bool(one.why), one.label.lower(), one.source))))


def _why_not(
    field: FieldDefinition, source: str, mapped: Mapping[str, str], owned: Mapping[str, str], owner: str
) -> str:
    if field.archived:
        return "It is archived in HubSpot."
    if source in mapped:
        return f"Already mapped, to {mapped[source]}."
    if source in owned:
        return f"Owned by {owner}: {owned[source]}. A field has one owner, so that nothing can loop."
    return ""


def type_name(kind: FieldType) -> str:
    """The type in a word for people."""
    return TYPE_NAMES.get(kind, kind)


def target_of(draft: Draft, way: Way, rule: RuleDraft) -> str:
    """The field that a rule writes."""
    return rule.target or draft.default_target(way, rule.source)


def _source(draft: Draft, way: Way, rule: RuleDraft) -> FieldNode:
    """The field that a rule reads; one of an associated object is a field of that one's type."""
    if way == "to_hubspot":
        return FieldNode("userflow", draft.userflow, rule.source)
    return FieldNode("hubspot", *(associated(rule.source) or (draft.hubspot, rule.source)))


def source_shown(draft: Draft, way: Way, rule: RuleDraft, known: Known) -> FieldShown:
    """The field that a rule reads."""
    node = _source(draft, way, rule)
    field = definition(node, known.fields)
    label, kind = (field.label or node.field, type_name(field.type)) if field is not None else (rule.source, "")
    return FieldShown(rule.source, label, kind, "" if node.field == rule.source else object_word(node.object_type))


def target_shown(draft: Draft, way: Way, rule: RuleDraft, known: Known) -> FieldShown:
    """The field that a rule writes, and whether its first write or Pairstream makes it."""
    name, system = target_of(draft, way, rule), TARGET[way]
    object_type = draft.userflow if way == "to_userflow" else draft.hubspot
    field = definition(FieldNode(system, object_type, name), known.fields)
    if field is not None:
        return FieldShown(name, field.label or name, type_name(field.type))
    source = definition(_source(draft, way, rule), known.fields)
    kind = type_name(created_type(system, source.type)) if source is not None else ""
    return FieldShown(name, name, kind, is_new=bool(known.types(system, object_type)))


def targets(draft: Draft, way: Way, known: Known) -> Iterator[FieldShown]:
    """The fields that exist and may be written, to be typed as a rule's target."""
    object_type = draft.userflow if way == "to_userflow" else draft.hubspot
    for name, field in sorted(known.types(TARGET[way], object_type).items()):
        if not (field.read_only or field.archived):
            yield FieldShown(name, field.label or name, type_name(field.type))


def matches(draft: Draft, known: Known) -> list[FieldShown]:
    """The HubSpot fields by which objects can be matched, those that tell any two apart first."""
    usable = [
        field
        for field in known.types("hubspot", draft.hubspot).values()
        if field.type in ("string", "number", "enumeration") and not (field.archived or field.unreadable)
    ]
    ordered = sorted(usable, key=lambda one: (one.name != "email", not one.unique, (one.label or one.name).lower()))
    return [
        FieldShown(one.name, one.label or one.name, type_name(one.type) + (", unique" if one.unique else ""))
        for one in ordered
    ]
