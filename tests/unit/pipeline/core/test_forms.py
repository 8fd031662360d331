"""What counts as another form of what was sent, and what as something else."""

import datetime as dt
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.conversion import equal
from pipeline.core.forms import alike
from schemas.values import FieldValue

NOON = dt.datetime(2026, 3, 1, 12, 30, 45, 678_000, dt.UTC)


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        (" Prof ", "Prof"),
        ("PROF", "prof"),
        ("a  b", "a b"),
        ("+1 (555) 010-0", "+15550100"),
        ("https://www.Example.com/", "example.com"),
        ("<b>bold</b>", "bold"),
        ("ﬁn", "fin"),
        ("042.0", 42),
        (42, "42.0"),
        (4.4, 4),
        (1.23456, 1.23),
        (NOON, NOON.replace(microsecond=0)),
        (NOON, dt.date(2026, 3, 1)),
        (NOON, "2026-03-01T12:30:45Z"),
        (("a", "b"), ("b", "a", "a")),
        (("a", "b"), "A;b"),
        (True, "true"),
        ("!!!", " !!! "),
        (None, ""),
    ],
)
def test_another_form(sent: FieldValue, stored: FieldValue) -> None:
    assert alike(sent, stored)


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("lead", "customer"),
        ("lead", "marketingqualifiedlead"),
        ("Prof", "Pro"),
        ("42", "43"),
        (4.4, 5.5),
        (0, 0.4),
        (None, "Prof"),
        ("Prof", None),
        (True, False),
        (NOON, NOON + dt.timedelta(days=1)),
        (("a", "b"), ("a",)),
        ("!!!", "???"),
        ("登録完了", "解約完了"),
    ],
)
def test_something_else(sent: FieldValue, stored: FieldValue) -> None:
    assert not alike(sent, stored)


_VALUES: st.SearchStrategy[FieldValue] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(),
    st.sampled_from(["1e999999999", "-1e-999999999", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00+14:00"]),
    st.dates(),
    st.datetimes(timezones=st.just(dt.UTC)),
    st.lists(st.text(min_size=1), max_size=4).map(tuple),
)


@given(_VALUES, _VALUES)
def test_any_two_values_can_be_compared(one: FieldValue, other: FieldValue) -> None:
    alike(one, other)
    assert alike(one, one) or not equal(one, one)


@given(st.text(string.ascii_letters + string.digits, min_size=1), st.text(string.ascii_letters, min_size=1))
def test_letters_that_are_added_are_no_form(text: str, more: str) -> None:
    assert not alike(text, text + more)


@given(st.text(min_size=1), st.sampled_from(["", " ", "\t", "\n "]))
def test_blanks_around_and_letter_case_are_a_form(text: str, blank: str) -> None:
    assert alike(blank + text + blank, text)


@pytest.mark.parametrize("odd", ["1e999999999", "1e-999999999", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00+14:00"])
@pytest.mark.parametrize("other", [5, "5", NOON, dt.date(2026, 3, 1)])
def test_what_no_arithmetic_holds_is_a_text(odd: str, other: FieldValue) -> None:
    assert not alike(odd, other)
    assert not alike(other, odd)
    assert alike(f" {odd} ", odd)
