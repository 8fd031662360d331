"""Hypothesis strategies built from the records' own type hints: any record the code can make."""

import collections.abc
import dataclasses
import datetime as dt
import types
import typing
from typing import Any, TypeVar

from hypothesis import strategies as st

from schemas.values import FieldValue

T = TypeVar("T")

LONGS = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(max_size=8)
_moments = st.datetimes(dt.datetime(1, 1, 2), dt.datetime(9999, 12, 30), timezones=st.just(dt.UTC))
INSTANTS = _moments.map(lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000, fold=0))
FIELD_VALUES: st.SearchStrategy[FieldValue] = st.one_of(
    st.none(),
    st.booleans(),
    LONGS,
    st.floats(allow_nan=False),
    TEXT,
    st.dates(),
    INSTANTS,
    st.lists(TEXT, max_size=3).map(tuple),
)


def records(record: type[T]) -> st.SearchStrategy[T]:
    """Any value of a record class."""
    hints = typing.get_type_hints(record)
    fields = dataclasses.fields(typing.cast(Any, record))
    return st.builds(record, **{field.name: _of(hints[field.name]) for field in fields})


def _of(hint: Any) -> st.SearchStrategy[Any]:
    if hint == FieldValue:
        return FIELD_VALUES
    if dataclasses.is_dataclass(hint):
        return st.deferred(lambda: records(typing.cast(type[Any], hint)))
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return st.sampled_from(arguments)
    if origin is tuple:
        return st.lists(_of(arguments[0]), max_size=2).map(tuple)
    if origin is collections.abc.Mapping:
        return st.dictionaries(TEXT, _of(arguments[1]), max_size=2)
    if origin in (types.UnionType, typing.Union):
        return st.one_of(*map(_of, arguments))
    plain: dict[Any, st.SearchStrategy[Any]] = {
        str: TEXT,
        int: LONGS,
        bool: st.booleans(),
        bytes: st.binary(max_size=8),
        type(None): st.none(),
    }
    return plain[hint]
