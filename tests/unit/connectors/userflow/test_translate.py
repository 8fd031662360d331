"""Userflow's JSON <-> field values."""

import datetime as dt
import json
from typing import Any

import pytest

from connectors.contract.catalog import Catalog
from connectors.contract.errors import Refused
from connectors.userflow.protocol import AttributeDefinition, Record
from connectors.userflow.translate import attribute, field_definition, field_value, holds, kind_of, wanted_fields
from schemas.values import FieldDefinition, FieldType, FieldValue

NOON = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)


def definition(type: FieldType) -> FieldDefinition:
    return FieldDefinition("f", type)


@pytest.mark.parametrize(
    ("found", "value"),
    [
        ("2026-03-01T12:00:00.000+00:00", NOON),
        ("2026-03-01T14:00:00+02:00", NOON),
        ("2026-03-01T12:00:00Z", NOON),
        ("2026-03-01T12:00:00", NOON),
        ("2026-03-01T12:00:00.123987Z", NOON.replace(microsecond=123_000)),
        ("2026-03-01", dt.datetime(2026, 3, 1, tzinfo=dt.UTC)),
        ("soon", "soon"),
        ("", ""),
        # the standard library reads these as days, the first in the year 1575
        ("1575052200000", "1575052200000"),
        ("20260301T120000", "20260301T120000"),
        ("2026-W09-7", "2026-W09-7"),
        ("2026-03-01X12:00", "2026-03-01X12:00"),
        ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00+14:00"),
        (1772366400000, 1772366400000),
        (None, None),
    ],
)
def test_a_datetime_field(found: object, value: FieldValue) -> None:
    read = field_value(found, definition("datetime"))
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("found", "value"),
    [
        ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z"),
        (True, True),
        (3, 3),
        (2.5, 2.5),
        (2**70, float(2**70)),
        (10**400, "1" + "0" * 400),
        (["a", 1, 2.0, 2.5, True, None, {"x": 1}], ("a", "1", "2", "2.5", "true", '{"x":1}')),
        ([], ()),
        ({"a": [1]}, '{"a":[1]}'),
        (None, None),
    ],
)
@pytest.mark.parametrize("type_", ["string", "number", "boolean", "list", None])
def test_a_value_keeps_its_json_kind(found: object, value: FieldValue, type_: FieldType | None) -> None:
    read = field_value(found, definition(type_) if type_ else None)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("42", {"set": "42", "data_type": "string"}),
        (True, {"set": True, "data_type": "boolean"}),
        (42, {"set": 42, "data_type": "number"}),
        (4.5, {"set": 4.5, "data_type": "number"}),
        (NOON, {"set": "2026-03-01T12:00:00.000+00:00", "data_type": "datetime"}),
        (dt.date(2026, 3, 1), {"set": "2026-03-01T00:00:00.000+00:00", "data_type": "datetime"}),
        (("a", "b"), {"set": ["a", "b"], "data_type": "list"}),
        (None, None),
    ],
)
def test_what_is_sent(value: FieldValue, sent: Any) -> None:
    assert attribute(value) == sent


@pytest.mark.parametrize("value", ["text", "", True, 0, 4.5, NOON, dt.date(2026, 3, 1), ("a",), None])
def test_what_was_sent_is_held(value: FieldValue) -> None:
    sent = attribute(value)
    stored = sent["set"] if isinstance(sent, dict) else sent
    assert holds(json.loads(json.dumps(stored)), value)


@pytest.mark.parametrize(
    ("found", "value"),
    [(1, True), (True, 1), ("1", 1), ("a", ("a",)), (["a", "b"], ("b", "a")), (None, 0), (0, None), ("x", NOON)],
)
def test_values_that_differ(found: object, value: FieldValue) -> None:
    assert not holds(found, value)


@pytest.mark.parametrize(("found", "value"), [(None, ""), ("", None), ([], None), (42, 42.0)])
def test_values_that_need_no_write(found: object, value: FieldValue) -> None:
    assert holds(found, value)


@pytest.mark.parametrize(
    ("data_type", "type_"),
    [("number", "number"), ("datetime", "datetime"), ("list", "list"), ("flow_step", "string"), ("new", "string")],
)
def test_definitions(data_type: str, type_: str) -> None:
    assert field_definition(AttributeDefinition("a", data_type, "An A")) == FieldDefinition("a", type_, "An A")  # type: ignore[arg-type]


def test_wanted_fields_are_all_told() -> None:
    catalog = Catalog()
    catalog.replace(
        {"companies": ("id", "since", "gone")}, {"companies": {"since": FieldDefinition("since", "datetime")}}
    )
    record = Record("groups", "acme", {"since": "2026-03-01T12:00:00Z", "id": "not this", "other": 1})
    assert wanted_fields(record, catalog) == {"id": "acme", "since": NOON, "gone": None}


def test_groups_are_companies() -> None:
    assert (kind_of("companies"), kind_of("users")) == ("groups", "users")
    with pytest.raises(Refused):
        kind_of("groups")
