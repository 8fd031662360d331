"""The conversion table: every pair of types, then what must hold for any value at all."""

import datetime as dt
import math
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.conversion import (
    MEANING,
    TEXT_LIMIT_CHARACTERS,
    ConversionReason,
    Converted,
    DoesNotFit,
    Result,
    convert,
    equal,
    has_converter,
    is_empty,
)
from schemas.values import FieldDefinition, FieldType, FieldValue

FIELD_TYPES: tuple[FieldType, ...] = get_args(FieldType)
OPTIONS = ("red", "green", "Grün", "n/a; later")
BERLIN = dt.timezone(dt.timedelta(hours=2))
LATE_EVENING = dt.datetime(2024, 1, 2, 23, 30, 0, 999_999, tzinfo=dt.timezone(dt.timedelta(hours=-5)))
LONGEST = "ü" * TEXT_LIMIT_CHARACTERS

OK = Converted
NO = DoesNotFit

CONVERTIBLE: dict[tuple[FieldType, FieldType], list[tuple[FieldValue, Result]]] = {
    ("string", "string"): [
        ("Zoë 🦊", OK("Zoë 🦊")),
        (" padded ", OK(" padded ")),
        (LONGEST, OK(LONGEST)),
        (LONGEST + "ü", NO("too_long")),
    ],
    ("number", "string"): [
        (42, OK("42")),
        (42.0, OK("42")),
        (0, OK("0")),
        (-0.0, OK("0")),
        (1.5, OK("1.5")),
        (0.1, OK("0.1")),
        (100, OK("100")),
        (1e-7, OK("0.0000001")),
        (1e22, OK("10000000000000000000000")),
        (2**53 + 1, OK("9007199254740993")),
        (-(2**63), OK("-9223372036854775808")),
        (10**5000, OK("1" + "0" * 5000)),
        (10**TEXT_LIMIT_CHARACTERS, NO("too_long")),
        (math.inf, NO("not_finite")),
        (math.nan, NO("not_finite")),
    ],
    ("boolean", "string"): [(True, OK("true")), (False, OK("false"))],
    ("date", "string"): [(dt.date(2024, 2, 29), OK("2024-02-29")), (dt.date(33, 4, 3), OK("0033-04-03"))],
    ("datetime", "string"): [
        (dt.datetime(2024, 1, 2, 3, 4, 5, 678_901, tzinfo=dt.UTC), OK("2024-01-02T03:04:05.678Z")),
        (dt.datetime(2024, 1, 2, 1, 0, tzinfo=BERLIN), OK("2024-01-01T23:00:00.000Z")),
        (dt.datetime(1969, 12, 31, 23, 59, 59, 999_000, tzinfo=dt.UTC), OK("1969-12-31T23:59:59.999Z")),
        (dt.datetime(2024, 1, 2), NO("no_time_zone")),
        (dt.datetime(1, 1, 1, tzinfo=BERLIN), NO("out_of_range")),
    ],
    ("enumeration", "string"): [("Grün", OK("Grün"))],
    ("multi_select", "string"): [(("red", "Grün"), OK("red; Grün"))],
    ("list", "string"): [(("a", "b"), OK("a; b")), (("",), OK(None)), (("x" * 40_000,) * 2, NO("too_long"))],
    ("number", "number"): [
        (42, OK(42)),
        (42.0, OK(42)),
        (1.5, OK(1.5)),
        (2**53 + 1, OK(2**53 + 1)),
        (1e300, OK(1e300)),
        (2**63, NO("too_large")),
        (-math.inf, NO("not_finite")),
        ("42", NO("not_a_number")),
        (True, NO("not_a_number")),
    ],
    ("boolean", "boolean"): [(False, OK(False)), (1, NO("not_a_boolean")), ("true", NO("not_a_boolean"))],
    ("date", "date"): [(dt.date(2024, 2, 29), OK(dt.date(2024, 2, 29))), (LATE_EVENING, NO("not_a_date"))],
    ("date", "datetime"): [
        (dt.date(2024, 2, 29), OK(dt.datetime(2024, 2, 29, tzinfo=dt.UTC))),
        (LATE_EVENING, NO("not_a_date")),
        ("2024-02-29", NO("not_a_date")),
    ],
    ("datetime", "datetime"): [
        (LATE_EVENING, OK(dt.datetime(2024, 1, 3, 4, 30, 0, 999_000, tzinfo=dt.UTC))),
        (dt.date(2024, 2, 29), NO("not_an_instant")),
        (dt.datetime(2024, 1, 2), NO("no_time_zone")),
    ],
    ("datetime", "date"): [
        (LATE_EVENING, OK(dt.date(2024, 1, 3))),
        (dt.datetime(2024, 1, 2, 1, 0, tzinfo=BERLIN), OK(dt.date(2024, 1, 1))),
        (dt.datetime.max.replace(tzinfo=dt.timezone(dt.timedelta(hours=-1))), NO("out_of_range")),
        ("2024-02-29", NO("not_an_instant")),
    ],
    ("string", "enumeration"): [
        ("Grün", OK("Grün")),
        ("Red", NO("not_an_option")),
        ("red ", NO("not_an_option")),
        (5, NO("not_text")),
    ],
    ("string", "multi_select"): [
        ("red", OK(("red",))),
        ("green; red;green", OK(("red", "green"))),
        ("n/a; later", OK(("n/a; later",))),
        ("red; blue", NO("not_an_option")),
        ("red;", NO("not_an_option")),
        (5, NO("not_text")),
    ],
    ("enumeration", "enumeration"): [("red", OK("red")), ("blue", NO("not_an_option"))],
    ("enumeration", "multi_select"): [
        ("red", OK(("red",))),
        ("red; green", NO("not_an_option")),
        (("red",), NO("not_text")),
    ],
    ("multi_select", "enumeration"): [
        (("red",), OK("red")),
        (("red", "green"), NO("several_items")),
        (("blue",), NO("not_an_option")),
    ],
    ("multi_select", "multi_select"): [
        (("green", "red"), OK(("red", "green"))),
        (("red", "blue"), NO("not_an_option")),
    ],
    ("multi_select", "list"): [(("green", "red"), OK(("green", "red"))), ("green", NO("not_a_list"))],
    ("list", "enumeration"): [
        (("red",), OK("red")),
        (("red", "red"), OK("red")),
        (("red", "green"), NO("several_items")),
        (("RED",), NO("not_an_option")),
        ("red", NO("not_a_list")),
    ],
    ("list", "multi_select"): [
        (("Grün", "red", "red"), OK(("red", "Grün"))),
        (("",), NO("not_an_option")),
        ("red", NO("not_a_list")),
    ],
    ("list", "list"): [(("b", "a", "b"), OK(("b", "a", "b"))), ("b", NO("not_a_list"))],
}

SAMPLES: dict[FieldType, FieldValue] = {
    "string": "red",
    "number": 1,
    "boolean": True,
    "date": dt.date(2024, 2, 29),
    "datetime": LATE_EVENING,
    "enumeration": "red",
    "multi_select": ("red",),
    "list": ("red",),
}


def target(field_type: FieldType) -> FieldDefinition:
    return FieldDefinition("target", field_type, options=OPTIONS)


def cases() -> Iterator[Any]:
    for (source, wanted), rows in CONVERTIBLE.items():
        for index, (value, result) in enumerate(rows):
            yield pytest.param(source, wanted, value, result, id=f"{source}-{wanted}-{index}")


@pytest.mark.parametrize(("source", "wanted", "value", "result"), list(cases()))
def test_a_value_of_a_convertible_pair(source: FieldType, wanted: FieldType, value: FieldValue, result: Result) -> None:
    assert convert(value, source, target(wanted)) == result
    # 1 == True and 42 == 42.0 to Python, so the spelling is compared as well
    assert repr(convert(value, source, target(wanted))) == repr(result)


@pytest.mark.parametrize("source", FIELD_TYPES)
@pytest.mark.parametrize("wanted", FIELD_TYPES)
def test_each_of_the_64_pairs_either_clears_on_empty_or_has_no_converter(source: FieldType, wanted: FieldType) -> None:
    known = (source, wanted) in CONVERTIBLE
    expected: Result = Converted(None) if known else DoesNotFit("no_converter")

    assert has_converter(source, wanted) is known
    assert [convert(empty, source, target(wanted)) for empty in (None, "", ())] == [expected] * 3


@pytest.mark.parametrize(("source", "wanted"), CONVERTIBLE)
def test_each_convertible_pair_converts_an_ordinary_value(source: FieldType, wanted: FieldType) -> None:
    assert isinstance(convert(SAMPLES[source], source, target(wanted)), Converted)


def test_text_is_never_read_as_a_number_a_boolean_or_a_date() -> None:
    assert not any(has_converter("string", wanted) for wanted in ("number", "boolean", "date", "datetime"))


def test_an_enumeration_without_options_takes_nothing() -> None:
    assert convert("red", "string", FieldDefinition("owner", "enumeration")) == DoesNotFit("not_an_option")


def test_every_reason_has_a_sentence() -> None:
    assert set(MEANING) == set(get_args(ConversionReason))


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (42, 42.0, True),
        (True, 1, False),
        (False, 0, False),
        (False, None, False),
        (0, None, False),
        (None, "", True),
        ("", (), True),
        ("42", 42, False),
        (2**53 + 1, float(2**53), False),
        (0.0, -0.0, True),
        (math.nan, math.nan, True),
        (("a", "b"), ("b", "a"), False),
        (("a",), "a", False),
        (dt.datetime(2024, 1, 2, 3, tzinfo=dt.UTC), dt.datetime(2024, 1, 2, 5, tzinfo=BERLIN), True),
        (dt.datetime(2024, 1, 2, 3, 0, 0, 1, tzinfo=dt.UTC), dt.datetime(2024, 1, 2, 3, tzinfo=dt.UTC), True),
        (dt.datetime(2024, 1, 2, 3, 0, 0, 1000, tzinfo=dt.UTC), dt.datetime(2024, 1, 2, 3, tzinfo=dt.UTC), False),
        (dt.date(2024, 1, 2), dt.datetime(2024, 1, 2, tzinfo=dt.UTC), False),
        (dt.date(2024, 1, 2), dt.date(2024, 1, 2), True),
    ],
)
def test_equality_is_what_a_target_would_store(a: FieldValue, b: FieldValue, same: bool) -> None:
    assert equal(a, b) is same
    assert equal(b, a) is same


def test_the_order_of_a_multi_select_means_nothing() -> None:
    assert equal(("a", "b"), ("b", "a"), stored_as="multi_select")
    assert not equal(("a", "b"), ("b", "c"), stored_as="multi_select")


values: st.SearchStrategy[FieldValue] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.sampled_from(OPTIONS),
    st.dates(),
    st.datetimes(timezones=st.none() | st.timezones()),
    st.lists(st.text() | st.sampled_from(OPTIONS)).map(tuple),
)
types = st.sampled_from(FIELD_TYPES)

FITS: dict[FieldType, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "boolean": (bool,),
    "date": (dt.date,),
    "datetime": (dt.datetime,),
    "enumeration": (str,),
    "multi_select": (tuple,),
    "list": (tuple,),
}


@given(values, types, types)
def test_any_value_is_refused_or_fits_the_target(value: FieldValue, source: FieldType, wanted: FieldType) -> None:
    result = convert(value, source, target(wanted))

    if isinstance(result, DoesNotFit):
        assert result.reason in MEANING
    else:
        assert result.value is None or type(result.value) in FITS[wanted]
        assert result.value is None or not is_empty(result.value)
        if wanted in ("enumeration", "multi_select") and result.value is not None:
            assert isinstance(result.value, str | tuple)
            items = result.value if isinstance(result.value, tuple) else (result.value,)
            assert set(items) <= set(OPTIONS)


@given(values, types)
def test_converting_to_the_same_type_twice_changes_nothing_more(value: FieldValue, field_type: FieldType) -> None:
    once = convert(value, field_type, target(field_type))

    if isinstance(once, Converted):
        again = convert(once.value, field_type, target(field_type))
        assert again == once
        assert equal(once.value, again.value)


@given(values, values)
def test_equality_never_raises_and_has_two_sides(a: FieldValue, b: FieldValue) -> None:
    assert equal(a, b) is equal(b, a)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_as_text_reads_back_as_the_same_number(number: float) -> None:
    result = convert(number, "number", target("string"))

    assert isinstance(result, Converted) and isinstance(result.value, str)
    assert float(result.value) == number
    assert "e" not in result.value.lower()


@pytest.mark.parametrize("target", ["enumeration", "multi_select"])
@given(value=st.lists(st.text(min_size=1), min_size=1, max_size=3, unique=True).map(tuple))
def test_a_target_whose_options_nobody_could_read_judges_itself(target: FieldType, value: tuple[str, ...]) -> None:
    unread = FieldDefinition("owner", target, external=True)
    several = target == "enumeration" and len(value) > 1
    assert convert(value, "list", unread) == (
        DoesNotFit("several_items") if several else Converted(value[0] if target == "enumeration" else value)
    )
    read = FieldDefinition("owner", target, options=("nobody",), external=True)
    assert isinstance(convert(("somebody",), "list", read), DoesNotFit)
