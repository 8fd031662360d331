"""An object that compiled code made is the one that its dataclass makes, and what does not fit is refused alike."""

import dataclasses
import inspect
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import CODEC
from schemas.making import made_quickly
from schemas.records import StampedValue


@dataclass(frozen=True, slots=True)
class Plain:
    """What dataclasses make of it."""

    first: int
    second: str = "two"
    third: Mapping[str, int] = field(default_factory=dict)


Quick: Final[Any] = made_quickly(dataclasses.make_dataclass(
    "Plain",
    [("first", int), ("second", str, "two"), ("third", Mapping[str, int], field(default_factory=dict))],
    frozen=True,
    slots=True,
))  # fmt: skip

NAMES: Final = ("first", "second", "third", "fourth")
positions = st.lists(st.integers(), max_size=4)
names = st.dictionaries(st.sampled_from(NAMES), st.integers())


def made(cls: Callable[..., Any], args: list[int], named: dict[str, int]) -> str:
    """The object as text, or the refusal."""
    try:
        return repr(cls(*args, **named))
    except TypeError as error:
        return str(error)


@given(positions, names)
def test_it_makes_what_the_dataclass_makes(args: list[int], named: dict[str, int]) -> None:
    assert made(Quick, args, named) == made(Plain, args, named)


def test_each_object_has_a_default_of_its_own() -> None:
    assert Quick(1).third is not Quick(1).third


def test_it_stays_frozen_and_tells_what_it_takes() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        StampedValue(1, 1).value = 2  # type: ignore[misc]
    assert inspect.signature(Quick) == inspect.signature(Plain)


@pytest.mark.skipif(CODEC != "compiled", reason="nothing was compiled: README.md names what to install")
@pytest.mark.parametrize("first", ["compiled", "codec", "records", "making", "reference", "state"])
def test_what_was_compiled_makes_the_records_whatever_is_imported_first(first: str) -> None:
    """An import that went round in a circle once left them to dataclasses, and no test saw it."""
    asked = f"import schemas.{first}; from schemas.records import StampedValue; print(type(StampedValue.__init__))"
    answer = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert "cython" in answer.stdout


@pytest.mark.skipif(CODEC != "compiled", reason="nothing was compiled: README.md names what to install")
def test_a_class_that_is_made_of_more_than_its_fields_is_refused() -> None:
    @dataclass
    class Counted:
        number: int

        def __post_init__(self) -> None:
            self.number += 1

    @dataclass(slots=True, kw_only=True)
    class Named:
        number: int

    for cls in (Counted, Named):
        with pytest.raises(TypeError, match=cls.__name__):
            made_quickly(cls)
