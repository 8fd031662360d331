"""Calls that know no time-out, made within a bound."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, Final, TypeVar

T = TypeVar("T")


def within(seconds: float, call: Callable[[], T], name: str) -> T:
    """What a call returns or raises, made on a thread of its own, which `name` names.

    Raises TimeoutError where it takes longer; the thread is left to it, and what becomes of the call is not told.
    """
    answer: Future[T] = Future()
    threading.Thread(target=_answer, args=(answer, call), name=name, daemon=True).start()
    return answer.result(seconds)


class Caller:
    """Makes many such calls, one after the other, on one thread: a thread for each costs more than a small call.

    Whoever gives a call up ends this too: the thread is left to the call, and ends when it does, if ever.
    """

    def __init__(self, name: str) -> None:
        self._calls: Final = SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None]()
        threading.Thread(target=_make_calls, args=(self._calls,), name=name, daemon=True).start()

    def begin(self, call: Callable[[], T]) -> "Future[T]":
        """Make a call; the future has what it returns or raises."""
        answer: Future[T] = Future()
        self._calls.put((answer, call))
        return answer

    def end(self) -> None:
        """End the thread once its calls have ended; it may be ended already."""
        self._calls.put(None)


def _make_calls(calls: "SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None]") -> None:
    while (asked := calls.get()) is not None:
        _answer(*asked)
        del asked  # what a call holds, such as a whole transaction, is not kept until the next


def _answer(answer: Future[T], call: Callable[[], T]) -> None:
    try:
        answer.set_result(call())
    except BaseException as error:  # noqa: BLE001 - whoever waits raises it
        answer.set_exception(error)
