"""Counts the requests that a piece of work sends, however deep below it they leave."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class CallsMade:
    """Requests sent so far; retries count each."""

    calls: int = 0


_counting: ContextVar[CallsMade | None] = ContextVar("calls_made", default=None)


@contextmanager
def counting_calls() -> Iterator[CallsMade]:
    """Count every request of this task, and of those that it starts within."""
    made = CallsMade()
    token = _counting.set(made)
    try:
        yield made
    finally:
        _counting.reset(token)


def note_call() -> None:
    """A request leaves."""
    made = _counting.get()
    if made is not None:
        made.calls += 1
