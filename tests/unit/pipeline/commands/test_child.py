"""The console's work in a process of its own: what it answers comes out, and one that ends without is told."""

from dataclasses import dataclass

import pytest

from pipeline.commands.child import Opened, answer_of


@dataclass(frozen=True)
class Doubled:
    number: int


@dataclass(frozen=True)
class Broken:
    pass


def work(_: Opened, job: Doubled | Broken) -> int:
    match job:
        case Doubled(number):
            return 2 * number
        case Broken():
            raise ValueError("of the child")


def failed() -> Exception:
    return RuntimeError("without an answer")


async def test_a_child_knows_the_classes_of_its_job() -> None:
    assert await answer_of(work, Doubled(21), failed) == 42


async def test_a_child_that_ends_without_an_answer_is_told() -> None:
    with pytest.raises(RuntimeError, match="without an answer"):
        await answer_of(work, Broken(), failed)
