"""Kinds of values survive the wire, each as its own kind, and only a topic's own record is written to it."""

import datetime as dt
from typing import Any, cast

import pytest
from hypothesis import given

from schemas.codec import CODEC, Codec, Unencodable
from schemas.records import ChangeEvent, Receipt, StampedValue
from schemas.registry import LocalRegistry
from schemas.runs import RunProgress
from schemas.state import Candidate, PairState
from schemas.topics import HUBSPOT_CHANGES, PAIRS_STATE, RECEIPTS
from schemas.values import FieldValue, instant, millis
from tests.unit.schemas.strategies import FIELD_VALUES, INSTANTS

CODEC_HERE = Codec(LocalRegistry())
PARIS = dt.timezone(dt.timedelta(hours=2))


def through(value: FieldValue) -> FieldValue:
    record = Receipt("acme", 1, 1, "people", "ada", "hubspot", "contacts", "101", "refused", {"field": value})
    received = CODEC_HERE.decode(RECEIPTS, CODEC_HERE.encode(RECEIPTS, record))
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
        CODEC_HERE.encode(RECEIPTS, RunProgress("run-1", "acme", "run", "running", 1, 1))


def test_rows_share_the_names_of_their_fields_and_their_empty_maps() -> None:
    """A million rows in memory: a quarter of a pair's row was copies of the same few names and empty maps."""
    row = PairState(1, {"101": Candidate(1, 0, {"jobtitle": StampedValue("Dr", 1)})}, {})
    one, other = (CODEC_HERE.decode(PAIRS_STATE, CODEC_HERE.encode(PAIRS_STATE, row)) for _ in range(2))
    assert next(iter(one.hubspot["101"].fields)) is next(iter(other.hubspot["101"].fields))
    assert one.settled is other.settled is one.userflow


BY_PYTHON = "python"


@pytest.fixture(params=sorted({CODEC, BY_PYTHON}))
def either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Codec:
    """A codec of each kind that is there."""
    monkeypatch.setattr("schemas.codec.CODEC", request.param)
    return Codec(LocalRegistry())


UNTOLD = "a value that must not be told"
MISFITS: list[tuple[Any, str]] = [
    (ChangeEvent("acme", 2**70, 1, "hubspot", "contacts", "1", "upserted", 1, 0, "crawl"), "connection"),
    (ChangeEvent("acme", 1, 1, "hubspot", "contacts", "1", "upserted", cast(int, UNTOLD), 0, "crawl"), "at_ms"),
    (
        ChangeEvent(
            "acme", 1, 1, "hubspot", "contacts", "1", "upserted", 1, 0, "crawl",
            {"name": StampedValue(cast(str, {UNTOLD}), 1)},
        ),
        "fields.value",
    ),
    (
        ChangeEvent(
            "acme", 1, 1, "hubspot", "contacts", "1", "upserted", 1, 0, "crawl",
            {"name": StampedValue(UNTOLD + "\ud800", 1)},
        ),
        "fields.value",
    ),
    (
        ChangeEvent(
            "acme", 1, 1, "hubspot", "contacts", "1", "upserted", 1, 0, "crawl",
            {"since": StampedValue(dt.datetime(2024, 1, 1), 1)},
        ),
        "fields.value",
    ),
    (
        ChangeEvent(
            "acme", 1, 1, "hubspot", "contacts", "1", "upserted", 1, 0, "crawl", sent={"name": cast(str, 10**400)}
        ),
        "sent",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("record", "field"), MISFITS, ids=[field for _, field in MISFITS])
def test_what_does_not_fit_is_named_by_record_and_field_without_its_value(
    either: Codec, record: Any, field: str
) -> None:
    with pytest.raises(Unencodable) as found:
        either.encode(HUBSPOT_CHANGES, record)
    assert f"a ChangeEvent that does not fit its schema in its field {field} (" in str(found.value)
    assert UNTOLD not in str(found.value)


def test_each_kind_of_codec_reads_the_other(either: Codec) -> None:
    row = PairState(1, {"101": Candidate(1, 0, {"jobtitle": StampedValue("Dr", 1)})}, {})
    data = CODEC_HERE.encode(PAIRS_STATE, row)
    assert either.encode(PAIRS_STATE, row) == data
    assert either.decode(PAIRS_STATE, data) == row
