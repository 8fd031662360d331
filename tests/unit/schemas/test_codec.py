"""Kinds of values survive the wire, each as its own kind, and only a topic's own record is written to it."""

import datetime as dt

import pytest
from hypothesis import given

from schemas.codec import Codec
from schemas.records import Receipt, StampedValue
from schemas.registry import LocalRegistry
from schemas.runs import RunProgress
from schemas.state import Candidate, PairState
from schemas.topics import PAIRS_STATE, RECEIPTS
from schemas.values import FieldValue, instant, millis
from tests.unit.schemas.strategies import FIELD_VALUES, INSTANTS

CODEC = Codec(LocalRegistry())
PARIS = dt.timezone(dt.timedelta(hours=2))


def through(value: FieldValue) -> FieldValue:
    record = Receipt("acme", 1, 1, "people", "ada", "hubspot", "contacts", "101", "refused", {"field": value})
    received = CODEC.decode(RECEIPTS, CODEC.encode(RECEIPTS, record))
    assert isinstance(received, Receipt)
    return received.fields["field"]


@given(FIELD_VALUES)
def test_every_value_keeps_its_kind(value: FieldValue) -> None:
    assert repr(through(value)) == repr(value)


KINDS: list[FieldValue] = [True, 1, 1.0, "1", "", (), ("",), False, 0, -0.0, dt.date(1, 1, 1), dt.date(9999, 12, 31)]


@pytest.mark.parametrize("value", KINDS, ids=repr)
def test_values_that_python_takes_for_equal_stay_apart(value: FieldValue) -> None:
    assert repr(through(value)) == repr(value)


def test_an_instant_comes_back_in_utc_to_the_millisecond() -> None:
    value = dt.datetime(2024, 1, 2, 1, 0, 0, 678_901, tzinfo=PARIS)
    assert through(value) == dt.datetime(2024, 1, 1, 23, 0, 0, 678_000, tzinfo=dt.UTC)


@given(INSTANTS)
def test_milliseconds_are_exact(moment: dt.datetime) -> None:
    assert instant(millis(moment)) == moment


def test_a_record_of_another_topic_is_not_written() -> None:
    with pytest.raises(ValueError, match=r"sync\.receipts carries Receipt, not RunProgress"):
        CODEC.encode(RECEIPTS, RunProgress("run-1", "acme", "run", "running", 1, 1))


def test_rows_share_the_names_of_their_fields_and_their_empty_maps() -> None:
    """A million rows in memory: a quarter of a pair's row was copies of the same few names and empty maps."""
    row = PairState(1, {"101": Candidate(1, 0, {"jobtitle": StampedValue("Dr", 1)})}, {})
    one, other = (CODEC.decode(PAIRS_STATE, CODEC.encode(PAIRS_STATE, row)) for _ in range(2))
    assert next(iter(one.hubspot["101"].fields)) is next(iter(other.hubspot["101"].fields))
    assert one.settled is other.settled is one.userflow
