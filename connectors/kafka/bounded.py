"""Calls that know no time-out, made within a bound."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def within(seconds: float, call: Callable[[], T], name: str) -> T:
    """What a call returns or raises, made on a thread of its own, which `name` names.

    Raises TimeoutError where it takes longer; the thread is left to it, and what becomes of the call is not told.
    """
    answer: Future[T] = Future()
    threading.Thread(target=_answer, args=(answer, call), name=name, daemon=True).start()
    return answer.result(seconds)


def _answer(answer: Future[T], call: Callable[[], T]) -> None:
    try:
        answer.set_result(call())
    except BaseException as error:  # noqa: BLE001 - whoever waits raises it
        answer.set_exception(error)
