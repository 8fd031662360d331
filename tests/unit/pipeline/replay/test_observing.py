"""A replay has ended once a pass of the road is over in which nothing more followed from it."""

from collections.abc import Iterator

from pipeline.replay.observing import SEEN, wait_until_handled
from schemas.topics import HUBSPOT_REQUESTS, USERFLOW_REQUESTS


def looks(*followed: int) -> Iterator[int]:
    return iter(followed)


def test_it_waits_for_what_follows_from_what_a_system_answered() -> None:
    there, passes = looks(40, 2, 0, 9), list[float]()

    def passed(deadline: float) -> bool:
        passes.append(deadline)
        return True

    assert wait_until_handled(passed, lambda: next(there), 600)
    assert len(passes) == 3 and len(set(passes)) == 1, "one deadline for all of them"
    assert list(there) == [9]


def test_what_did_not_end_in_time_is_told_with_what_was_seen_of_it() -> None:
    there = looks(40, 2)
    ended = iter((True, False))
    assert not wait_until_handled(lambda _: next(ended), lambda: next(there), 600)
    assert list(there) == []


def test_questions_to_the_systems_are_looked_for_too() -> None:
    assert {HUBSPOT_REQUESTS, USERFLOW_REQUESTS} <= set(SEEN)
