"""Builds the pipeline's records (settings, mappings) from an integration file and both systems' field definitions."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from pipeline.integration_file.model import IntegrationFile, MappingSpec, Secret
from pipeline.integration_file.rules import FieldNode, Road, roads
from pipeline.provisioning.field_checks import Fields, created_type, definition
from schemas.configuration import DescribedField, IntegrationSettings, Sections, SystemSettings, secret_place
from schemas.records import FieldRule, ObjectMapping
from schemas.values import FieldDefinition, FieldType, System

Seal = Callable[[str, str], bytes]
"""A text and its place -> its seal."""


def hubspot_settings(file: IntegrationFile, seal: Seal) -> SystemSettings:
    """The HubSpot section as records carry it, its secrets sealed."""
    section = file.hubspot
    options: dict[str, str] = {"source": section.source, "timeline": section.timeline}
    if section.app_id is not None:
        options["app_id"] = str(section.app_id)
    secrets: dict[str, Secret | None] = {"app_secret": section.app_secret, "token": section.token}
    if section.oauth is not None:
        options["client_id"] = section.oauth.client_id
        secrets |= {"client_secret": section.oauth.client_secret, "refresh_token": section.oauth.refresh_token}
    sealed = _sealed(file, "hubspot", secrets, seal)
    return SystemSettings(str(section.account), options, sealed, fields_of(file, "hubspot"))


def userflow_settings(file: IntegrationFile, seal: Seal) -> SystemSettings:
    """The Userflow section as records carry it; `claim` tells two environments apart without showing the key."""
    section = file.userflow
    options = {"region": section.region, "claim": claim_of(section.api_key.reveal())}
    if section.source != "webhooks":
        options["source"] = section.source
    secrets = _sealed(file, "userflow", {"api_key": section.api_key}, seal)
    return SystemSettings(section.environment, options, secrets, fields_of(file, "userflow"))


def claim_of(api_key: str) -> str:
    """What tells the environment of a key from others, and nothing of the key."""
    return hashlib.sha256(api_key.encode()).hexdigest()[:32]


def _sealed(
    file: IntegrationFile, system: System, secrets: Mapping[str, Secret | None], seal: Seal
) -> dict[str, bytes]:
    known = {name: secret for name, secret in secrets.items() if secret is not None}
    return {name: seal(secret.reveal(), secret_place(file.integration, system, name)) for name, secret in known.items()}


def fields_of(file: IntegrationFile, system: System) -> dict[str, tuple[str, ...]]:
    """Object type -> every field that a mapping reads, writes or matches by."""
    fields: dict[str, dict[str, None]] = defaultdict(dict)
    for mapping in file.mappings:
        hubspot = system == "hubspot"
        object_type = mapping.hubspot_type if hubspot else mapping.userflow_type
        fields[object_type][mapping.match_hubspot if hubspot else mapping.match_userflow] = None
    for road in roads(file):
        for node in (road.source, road.target):
            if node.system == system:
                fields[node.object_type][node.field] = None
    return {object_type: tuple(names) for object_type, names in fields.items()}


Asking = TypeVar("Asking", IntegrationSettings, Sections)


def with_fields_of(file: IntegrationFile, asking: Asking) -> Asking:
    """The same asking for the fields of the file: those of a custom type are named once its schema is known."""
    return replace(
        asking,
        hubspot=replace(asking.hubspot, fields=fields_of(file, "hubspot")),
        userflow=replace(asking.userflow, fields=fields_of(file, "userflow")),
    )


def definitions_of(fields: Sequence[DescribedField]) -> Fields:
    """Definitions by object type and name, from a connector's description."""
    definitions: dict[str, dict[str, FieldDefinition]] = defaultdict(dict)
    for field in fields:
        definitions[field.object_type][field.name] = FieldDefinition(
            field.name,
            field.type,
            field.label,
            field.options,
            field.read_only,
            field.unique,
            field.archived,
            field.unreadable,
            field.external,
        )
    return dict(definitions)


def lacking(file: IntegrationFile, fields: Mapping[System, Fields]) -> Iterator[Road]:
    """The roads to fields that HubSpot lacks."""
    for road in roads(file):
        if road.target.system == "hubspot" and definition(road.target, fields) is None:
            yield road


def to_create(file: IntegrationFile, fields: Mapping[System, Fields]) -> tuple[DescribedField, ...]:
    """The `userflow_...` fields that HubSpot lacks, each with the type its attribute asks for."""
    missing: dict[FieldNode, DescribedField] = {}
    for road in lacking(file, fields):
        node, source = road.target, _source(road, fields)
        kind = "company" if road.source.object_type == "companies" else "user"
        label = f"Userflow {kind}: {source.label or road.source.field}"
        missing[node] = DescribedField(node.object_type, node.field, label, created_type("hubspot", source.type))
    return tuple(missing.values())


def object_mappings(
    file: IntegrationFile, connection: int, revision: int, fields: Mapping[System, Fields]
) -> tuple[ObjectMapping, ...]:
    """The file's mappings with every type resolved."""
    rules: dict[str, list[FieldRule]] = defaultdict(list)
    for road in roads(file):
        rules[road.mapping.name].append(_rule(road, fields))
    return tuple(
        _with_match_field(_mapping(file.integration, connection, revision, spec, tuple(rules[spec.name])), fields)
        for spec in file.mappings
    )


def unchanged(one: ObjectMapping | None, other: ObjectMapping) -> bool:
    """Whether a mapping is the same but for what the scheduler adds: revisions."""
    return one is not None and replace(one, revision=other.revision, read_since=other.read_since) == other


def _mapping(
    integration: str, connection: int, revision: int, spec: MappingSpec, rules: tuple[FieldRule, ...]
) -> ObjectMapping:
    names = spec.stream_events if isinstance(spec.stream_events, tuple) else ()
    return ObjectMapping(
        integration=integration,
        connection=connection,
        revision=revision,
        name=spec.name,
        hubspot_type=spec.hubspot_type,
        userflow_type=spec.userflow_type,
        match_hubspot=spec.match_hubspot,
        match_userflow=spec.match_userflow,
        on_several=spec.on_several,
        rules=rules,
        stream_events=bool(spec.stream_events),
        event_names=names,
    )


def _with_match_field(mapping: ObjectMapping, fields: Mapping[System, Fields]) -> ObjectMapping:
    """Adds the ID field's type and uniqueness, which decide how a value of it is looked up."""
    known = definition(FieldNode("hubspot", mapping.hubspot_type, mapping.match_hubspot), fields)
    if known is None:
        return mapping
    return replace(mapping, match_hubspot_type=known.type, match_hubspot_unique=known.unique)


def _rule(road: Road, fields: Mapping[System, Fields]) -> FieldRule:
    source, target = _source(road, fields), definition(road.target, fields)
    system = road.target.system
    target_type: FieldType = target.type if target is not None else created_type(system, source.type)
    return FieldRule(
        direction="to_hubspot" if system == "hubspot" else "to_userflow",
        source=road.rule.source,
        source_type=source.type,
        target=road.rule.target,
        target_type=target_type,
        target_options=target.options if target is not None else (),
        target_external=target is not None and target.external,
        on_empty=road.rule.on_empty,
    )


def _source(road: Road, fields: Mapping[System, Fields]) -> FieldDefinition:
    known = definition(road.source, fields)
    if known is None:
        raise ValueError(f"{road.source} is not described: check_fields comes first")
    return known
