"""A copy with changed fields is what `dataclasses.replace` makes, whatever the record."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.records import StampedValue
from schemas.replacing import replace
from schemas.state import ObjectState, PairState
from tests.examples import share
from tests.unit.schemas.strategies import records


@pytest.mark.parametrize("record", [ObjectState, PairState, StampedValue])
def test_it_is_what_dataclasses_replace_makes(record: type[Any]) -> None:
    names = [field.name for field in dataclasses.fields(record)]

    @settings(max_examples=share(0.3))
    @given(records(record), records(record), st.sets(st.sampled_from(names)))
    def same(one: Any, other: Any, changed: set[str]) -> None:
        changes = {name: getattr(other, name) for name in changed}
        kept = repr(one)
        assert repr(replace(one, **changes)) == repr(dataclasses.replace(one, **changes))
        assert repr(one) == kept

    same()


def test_a_name_that_is_no_field_is_refused() -> None:
    with pytest.raises(TypeError):
        replace(StampedValue(1, 1), valeu=2)
