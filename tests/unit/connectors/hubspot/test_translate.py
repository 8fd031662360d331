"""HubSpot's texts and definitions in neutral words, and back."""

import datetime as dt
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract.errors import Transient
from connectors.http.messages import VendorInterval
from connectors.hubspot.associated import own_fields
from connectors.hubspot.definitions import definition_of, described, field_type
from connectors.hubspot.protocol import Option, Property, Record
from connectors.hubspot.translate import field_value, property_text, seen, stamp
from schemas.configuration import DescribedField
from schemas.values import FieldDefinition, FieldType, FieldValue

INSTANT = dt.datetime(2026, 3, 1, 12, 30, 15, 250_000, dt.UTC)
OPTION = st.text(st.characters(blacklist_characters=";", codec="utf-8"), min_size=1)
MILLIS = st.datetimes(timezones=st.just(dt.UTC)).map(
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
)
VALUES: dict[FieldType, st.SearchStrategy[FieldValue]] = {
    "string": st.text(min_size=1),
    "enumeration": st.text(min_size=1),
    "list": st.text(min_size=1),
    "number": st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.booleans(),
    "date": st.dates(),
    "datetime": MILLIS,
    "multi_select": st.lists(OPTION, min_size=1, unique=True).map(tuple),
}
TYPES: tuple[FieldType, ...] = get_args(FieldType)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("string", "  padded ", "  padded "),
        ("enumeration", "customer", "customer"),
        ("number", "42", 42),
        ("number", "42.0", 42),
        ("number", "-0.5", -0.5),
        ("number", "10.50", 10.5),
        ("number", "1e3", 1000),
        ("number", "9007199254740993", 9007199254740993),
        ("number", "9223372036854775808", 9223372036854775808.0),
        ("number", "1e400", "1e400"),
        ("number", "1_000", "1_000"),
        ("number", "NaN", "NaN"),
        ("number", "twelve", "twelve"),
        ("boolean", "true", True),
        ("boolean", "False", False),
        ("boolean", "yes", "yes"),
        ("date", "2026-03-01", dt.date(2026, 3, 1)),
        ("date", "1772323200000", dt.date(2026, 3, 1)),
        ("date", "2026-13-01", "2026-13-01"),
        ("date", "999999999999999999", "999999999999999999"),
        ("datetime", "2026-03-01T12:30:15.250Z", INSTANT),
        ("datetime", "2026-03-01T14:30:15.250999+02:00", INSTANT),
        ("datetime", "1772368215250", INSTANT),
        ("datetime", "0001-01-01T00:00:00+02:00", "0001-01-01T00:00:00+02:00"),
        ("datetime", "soon", "soon"),
        ("datetime", "1575052200000", dt.datetime(2019, 11, 29, 18, 30, tzinfo=dt.UTC)),
        ("datetime", "20260301T123015", "20260301T123015"),
        ("datetime", "2026-W09-7", "2026-W09-7"),
        ("date", "2026-W09-7", "2026-W09-7"),
        ("multi_select", "a;b", ("a", "b")),
        ("multi_select", ";a;;b;a", ("a", "b")),
        ("multi_select", ";", None),
    ],
)
def test_a_text_is_read_by_the_type_of_its_property(kind: FieldType, text: str, value: FieldValue) -> None:
    found = field_value(text, kind)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("kind", TYPES)
def test_empty_is_null(kind: FieldType) -> None:
    assert field_value("", kind) is None
    assert field_value(None, kind) is None
    assert property_text(None) == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (42, "42"),
        (42.0, "42"),
        (-0.0, "0"),
        (1e21, "1000000000000000000000"),
        (1.5e-7, "0.00000015"),
        (dt.date(2026, 3, 1), "2026-03-01"),
        (INSTANT, "2026-03-01T12:30:15.250Z"),
        (INSTANT.astimezone(dt.timezone(dt.timedelta(hours=2))), "2026-03-01T12:30:15.250Z"),
        (("b", "a"), "b;a"),
        (("", "a"), "a"),
        ((), ""),
        ("as it is", "as it is"),
    ],
)
def test_a_value_is_written_as_hubspot_stores_it(value: FieldValue, text: str) -> None:
    assert property_text(value) == text


@given(data=st.data(), kind=st.sampled_from(TYPES))
def test_what_is_written_is_read_back(data: Any, kind: FieldType) -> None:
    value = data.draw(VALUES[kind])
    text = property_text(value)
    assert field_value(text, kind) == value
    assert kind != "number" or "e" not in text.lower()


@given(text=st.text() | st.from_regex(r"[-+]?[0-9.eE_]{1,30}", fullmatch=True), kind=st.sampled_from(TYPES))
def test_no_text_is_too_odd_to_be_read_and_reading_settles(text: str, kind: FieldType) -> None:
    value = field_value(text, kind)
    assert field_value(property_text(value), kind) == value


@pytest.mark.parametrize(
    ("type_", "field_type_", "kind", "read_only"),
    [
        ("string", "text", "string", False),
        ("string", "html", "string", False),
        ("phone_number", "phonenumber", "string", False),
        ("number", "number", "number", False),
        ("bool", "booleancheckbox", "boolean", False),
        ("date", "date", "date", False),
        ("datetime", "date", "datetime", False),
        ("enumeration", "select", "enumeration", False),
        ("enumeration", "booleancheckbox", "enumeration", False),
        ("enumeration", "checkbox", "multi_select", False),
        ("json", "text", "string", True),
        ("object_coordinates", "text", "string", True),
        ("brand_new", "text", "string", False),
    ],
)
def test_a_definition_in_neutral_words(type_: str, field_type_: str, kind: FieldType, read_only: bool) -> None:
    found = described("deals", Property("a", type_, field_type_, options=(Option("x"), Option("y"))))
    assert (found.object_type, found.name, found.label, found.type) == ("deals", "a", "a", kind)
    assert found.read_only is read_only
    assert found.options == (("x", "y") if kind in ("enumeration", "multi_select") else ())


@pytest.mark.parametrize(("read_only", "calculated"), [(True, False), (False, True)])
def test_what_hubspot_computes_cannot_be_written(read_only: bool, calculated: bool) -> None:
    definition = Property("a", "number", "number", read_only=read_only, calculated=calculated)
    assert described("contacts", definition).read_only is True


NAMES = st.lists(OPTION, min_size=1, max_size=4, unique=True).map(tuple)


@given(kind=st.sampled_from(TYPES), options=NAMES)
def test_a_created_property_is_described_as_what_it_was_created_for(kind: FieldType, options: tuple[str, ...]) -> None:
    wanted = DescribedField("contacts", "userflow_user_plan", "Plan", kind, options)
    made = definition_of(wanted)
    found = described("contacts", made)
    # an open list has no type of its own in HubSpot
    assert found.type == ("string" if kind == "list" else kind)
    assert (found.name, found.label, made.group) == (wanted.name, "Plan", "userflow")
    assert found.options == (options if kind in ("enumeration", "multi_select") else ())
    if kind == "boolean":
        assert [option.value for option in made.options] == ["true", "false"]


@pytest.mark.parametrize(("kind", "field_type_"), [("enumeration", "text"), ("multi_select", "textarea")])
def test_a_choice_without_options_becomes_a_text(kind: FieldType, field_type_: str) -> None:
    made = definition_of(DescribedField("contacts", "a", "A", kind))
    assert (made.type, made.field_type, made.options, field_type(made)) == ("string", field_type_, (), "string")


def test_a_record_lists_what_it_holds_and_names_what_it_does_not() -> None:
    record = Record("7", {"seats": "3", "jobtitle": None, "other": "x"}, updated_at_ms=1_000)
    kinds: dict[str, FieldType] = {
        "seats": "number",
        "jobtitle": "string",
        "archived": "string",
        "hs_object_id": "number",
    }
    found = seen(record, {name: FieldDefinition(name, kind) for name, kind in kinds.items()})
    assert {name: value.value for name, value in found.fields.items()} == {
        "seats": 3,
        "jobtitle": None,
        "hs_object_id": 7,
    }
    assert found.unknown == ("archived",)
    assert {(value.at_ms, value.spread_ms) for value in found.fields.values()} == {(1_000, 0)}


def test_the_modified_time_orders_an_answer_else_the_time_of_the_answer() -> None:
    assert stamp(5, VendorInterval(1, 3)) == (5, 0)
    assert stamp(None, VendorInterval(1, 3)) == (1, 2)
    with pytest.raises(Transient, match="undated_answer"):
        stamp(None, None)


def test_fields_of_associated_objects_are_not_asked_of_the_record() -> None:
    assert own_fields(("email", "company.name")) == ("email",)
