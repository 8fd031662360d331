"""Builders for the core's tests: a mapping, an observed change, a matched change, a receipt, each in a line."""

from collections.abc import Mapping
from dataclasses import replace

from pipeline.core.mapping import MappingView
from schemas.records import (
    ChangeEvent,
    Direction,
    FieldAnswer,
    FieldRule,
    MatchedChange,
    ObjectMapping,
    OnEmpty,
    OnSeveral,
    Operation,
    Origin,
    Receipt,
    ReceiptKind,
    StampedValue,
)
from schemas.values import FieldType, FieldValue, System

INTEGRATION = "acme"
EMAIL = "ada@example.com"
CONTACT = "101"
USER = "u-ada"
TYPES: Mapping[System, str] = {"hubspot": "contacts", "userflow": "users"}
SECOND_MS = 1_000
MINUTE_MS = 60_000


def flow(
    source: str,
    target: str,
    direction: Direction = "to_userflow",
    *,
    source_type: FieldType = "string",
    target_type: FieldType = "string",
    options: tuple[str, ...] = (),
    on_empty: OnEmpty = "clear",
) -> FieldRule:
    return FieldRule(direction, source, source_type, target, target_type, options, on_empty)


BOTH_WAYS = (flow("jobtitle", "title"), flow("plan", "tier", "to_hubspot"))
"""HubSpot owns the job title, Userflow owns the plan."""


def mapping(
    *rules: FieldRule,
    revision: int = 1,
    name: str = "people",
    on_several: OnSeveral = "refuse",
    match_hubspot: str = "email",
    match_userflow: str = "email",
) -> MappingView:
    return MappingView(
        ObjectMapping(
            integration=INTEGRATION,
            connection=1,
            revision=revision,
            name=name,
            hubspot_type=TYPES["hubspot"],
            userflow_type=TYPES["userflow"],
            match_hubspot=match_hubspot,
            match_userflow=match_userflow,
            on_several=on_several,
            rules=rules or BOTH_WAYS,
            match_hubspot_unique=match_hubspot == "email",
        )
    )


def stamped(value: FieldValue, at_ms: int, spread_ms: int = 0, *, ours: bool = False) -> StampedValue:
    return StampedValue(value, at_ms, spread_ms, ours)


def change(
    system: System,
    object_id: str,
    at_ms: int,
    fields: Mapping[str, FieldValue] | None = None,
    *,
    spread_ms: int = 0,
    operation: Operation = "upserted",
    origin: Origin = "webhook",
    sent: Mapping[str, FieldValue] | None = None,
    revision: int = 1,
    connection: int = 1,
    run_id: str | None = None,
    bulk: bool = False,
) -> ChangeEvent:
    """What one system was seen to hold; a receipt's fields are stamped as our own."""
    values = fields or {}
    return ChangeEvent(
        integration=INTEGRATION,
        connection=connection,
        revision=revision,
        system=system,
        object_type=TYPES[system],
        object_id=object_id,
        operation=operation,
        at_ms=at_ms,
        spread_ms=spread_ms,
        origin=origin,
        fields={name: stamped(value, at_ms, spread_ms, ours=origin == "receipt") for name, value in values.items()},
        sent=sent or {},
        run_id=run_id,
        bulk=bulk,
    )


def contact(at_ms: int, fields: Mapping[str, FieldValue], id: str = CONTACT, **more: object) -> ChangeEvent:
    """A contact seen with its email."""
    return change("hubspot", id, at_ms, {"email": EMAIL, **fields}, **more)  # type: ignore[arg-type]


def user(at_ms: int, fields: Mapping[str, FieldValue], id: str = USER, **more: object) -> ChangeEvent:
    """A user seen with the email of the contact."""
    return change("userflow", id, at_ms, {"email": EMAIL, **fields}, **more)  # type: ignore[arg-type]


def gone(system: System, object_id: str, at_ms: int, spread_ms: int = 0) -> ChangeEvent:
    return change(system, object_id, at_ms, spread_ms=spread_ms, operation="deleted")


def written(
    system: System,
    object_id: str,
    at_ms: int,
    sent: Mapping[str, FieldValue],
    stored: Mapping[str, FieldValue] | None = None,
    *,
    spread_ms: int = 0,
) -> ChangeEvent:
    """The target's answer to our write."""
    held = sent if stored is None else stored
    return change(system, object_id, at_ms, held, spread_ms=spread_ms, origin="receipt", sent=sent)


def joined(
    system: System,
    object_id: str,
    at_ms: int,
    fields: Mapping[str, FieldValue],
    *,
    answered: Mapping[str, FieldAnswer] | None = None,
    origin: Origin = "webhook",
    run_id: str | None = None,
) -> MatchedChange:
    """An object as its pair sees it."""
    return MatchedChange(
        integration=INTEGRATION,
        connection=1,
        revision=1,
        mapping="people",
        match_value=EMAIL,
        system=system,
        object_type=TYPES[system],
        object_id=object_id,
        presence="joined",
        at_ms=at_ms,
        spread_ms=0,
        origin=origin,
        fields={name: stamped(value, at_ms, ours=bool(answered)) for name, value in fields.items()},
        answered=answered or {},
        run_id=run_id,
    )


def left(system: System, object_id: str, at_ms: int) -> MatchedChange:
    return replace(joined(system, object_id, at_ms, {}), presence="left")


def receipt(
    system: System,
    object_id: str,
    fields: Mapping[str, FieldValue],
    *,
    kind: ReceiptKind = "refused",
    reason: str | None = "not_an_option",
    revision: int = 1,
) -> Receipt:
    return Receipt(
        integration=INTEGRATION,
        connection=1,
        revision=revision,
        mapping="people",
        match_value=EMAIL,
        system=system,
        object_type=TYPES[system],
        object_id=object_id,
        kind=kind,
        fields=fields,
        reason=reason if kind == "refused" else None,
    )
