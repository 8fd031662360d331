"""Records that may have ended a worker: halved at every end, until the guilty one is alone."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connectors.kafka.consumer import Taken
from connectors.runtime.suspects import MOST_ENDS, Suspects
from connectors.runtime.waiting import Waiting

NAME = "acme"


def records(number: int) -> list[Waiting]:
    return [(Taken("topic", 0, offset, NAME, b"", lambda: None), offset) for offset in range(number)]


def offered(suspects: Suspects, waiting: list[Waiting]) -> list[Waiting]:
    """The records that a worker is given, as it is given them; they are taken out of those that wait."""
    pairs = [(suspects.given(NAME, taken), taken, record) for taken, record in list(waiting)]
    waiting[:] = [(taken, record) for given, taken, record in pairs if given is None]
    return [(given, record) for given, _, record in pairs if given is not None]


def played(number: int, guilty: int | None, most_ends: int = 200) -> tuple[list[Any], list[Any]]:
    """What was buried and what ended well, where a worker ends whenever it has the guilty record."""
    changes: list[None] = []
    suspects, waiting, buried, well = Suspects(lambda: changes.append(None)), records(number), list[Any](), list[Any]()
    at_work: list[Waiting] = []
    for _ in range(most_ends * number):
        suspects.begin_anew(NAME)
        at_work = offered(suspects, waiting)
        while at_work and guilty not in [record for _, record in at_work]:
            taken, record = at_work.pop(0)
            taken.finished()
            well.append(record)
            at_work += offered(suspects, waiting)
        if not at_work and not waiting:
            return buried, well
        ended = suspects.ended(NAME, at_work)
        buried += [record for _, record in ended]
        waiting[:0] = [one for one in at_work if one not in ended]
    raise AssertionError("it does not come to an end")


@given(st.integers(1, 60), st.data())
def test_the_guilty_record_is_buried_and_no_other(number: int, data: st.DataObject) -> None:
    guilty = data.draw(st.integers(0, number - 1))
    buried, well = played(number, guilty)
    assert buried == [guilty]
    assert sorted(well) == [one for one in range(number) if one != guilty]


def test_without_an_end_all_are_given_at_once() -> None:
    suspects, waiting = Suspects(lambda: None), records(5)
    assert len(offered(suspects, waiting)) == 5


def test_those_behind_the_suspects_wait_for_them() -> None:
    suspects, waiting = Suspects(lambda: None), records(4)
    first = offered(suspects, waiting)[:2]
    assert suspects.ended(NAME, first) == []
    later = [*first, *records(6)[4:]]
    ((only, _),) = offered(suspects, later)
    assert (only.offset, offered(suspects, later)) == (0, [])
    only.finished()
    ((second, _),) = offered(suspects, later)
    second.finished()
    assert [record for _, record in offered(suspects, later)] == [4, 5]


def test_one_alone_is_tried_as_often_as_before() -> None:
    suspects, (alone,) = Suspects(lambda: None), records(1)
    for _ in range(MOST_ENDS - 1):
        assert suspects.ended(NAME, [alone]) == []
    assert suspects.ended(NAME, [alone]) == [alone]


def test_another_process_judges_anew() -> None:
    suspects, waiting = Suspects(lambda: None), records(3)
    suspects.ended(NAME, waiting)
    suspects.forget(NAME)
    assert len(offered(suspects, waiting)) == 3
