"""How long a piece of work waited for places in a system's limits, and for the system's answers, however deep below it.

Requests under way together count once: work that waits for all of them waits for a place while any of them does, and
for the system once all have left.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds, of which none counts twice."""

    budget_s: float = 0.0  # waiting for places in the system's limits
    system_s: float = 0.0  # waiting for the system's answers

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(self.budget_s + other.budget_s, self.system_s + other.system_s)

    def __sub__(self, other: "Spent") -> "Spent":
        return Spent(self.budget_s - other.budget_s, self.system_s - other.system_s)


class Meter:
    """Adds up what the requests that are made under it wait for."""

    def __init__(self, monotonic: Callable[[], float], above: "Meter | None" = None) -> None:
        """`above` counts the same requests, and those of other work."""
        self._monotonic = monotonic
        self._above = above
        self._budget_s = self._system_s = self._since = 0.0
        self._queued = self._asked = 0

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """Count the requests of this task, and of those that it starts within."""
        token = _measuring.set(self)
        try:
            yield
        finally:
            _measuring.reset(token)

    def spent(self) -> Spent:
        """All so far."""
        self._turn()
        return Spent(self._budget_s, self._system_s)

    def note(self, *, queued: int = 0, asked: int = 0) -> None:
        """So many more requests, or fewer, wait for a place, or for an answer."""
        self._turn()
        self._queued += queued
        self._asked += asked
        if self._above is not None:
            self._above.note(queued=queued, asked=asked)

    @property
    def _for_a_place(self) -> bool:
        return self._queued > 0

    @property
    def _for_the_system(self) -> bool:
        return self._asked > 0

    def _turn(self) -> None:
        """Count the time until now as what it was."""
        now = self._monotonic()
        if self._for_a_place:
            self._budget_s += now - self._since
        elif self._for_the_system:
            self._system_s += now - self._since
        self._since = now


class QueueMeter(Meter):
    """What holds up work that is queued: the calls under way only where they take every place, and whoever saves."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        super().__init__(monotonic)
        self._full = self._saving = False

    def held_up(self, *, full: bool, saving: bool) -> None:
        """From now on; `full`: nothing leaves before a call ends.

        `saving`: something would leave, were the system's limits not short.
        """
        if (full, saving) != (self._full, self._saving):
            self._turn()
            self._full, self._saving = full, saving

    @property
    def _for_a_place(self) -> bool:
        return self._saving or (self._full and self._queued > 0)

    @property
    def _for_the_system(self) -> bool:
        return self._full and self._asked > 0


class Stopwatch:
    """What one queued thing waited for: by the meter of its queue, then by that of its call, and back."""

    __slots__ = ("_before", "_began", "_meter")

    def __init__(self, meter: Meter) -> None:
        self._before = Spent()
        self._meter, self._began = meter, meter.spent()

    def go_on(self, meter: Meter) -> None:
        """From now on by that meter."""
        self._before = self.spent()
        self._meter, self._began = meter, meter.spent()

    def spent(self) -> Spent:
        """All so far."""
        return self._before + (self._meter.spent() - self._began)


_measuring: ContextVar[Meter | None] = ContextVar("meter", default=None)


def waiting_for_a_place() -> AbstractContextManager[None]:
    """A request waits for its place in the limits."""
    return _noted(queued=1)


def waiting_for_an_answer() -> AbstractContextManager[None]:
    """A request is with the system."""
    return _noted(asked=1)


@contextmanager
def _noted(*, queued: int = 0, asked: int = 0) -> Iterator[None]:
    meter = _measuring.get()
    if meter is None:
        yield
        return
    meter.note(queued=queued, asked=asked)
    try:
        yield
    finally:
        meter.note(queued=-queued, asked=-asked)
