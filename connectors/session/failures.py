"""Tells one object at which a system always fails from a system that is away."""

from collections.abc import Callable, Hashable, Sequence
from typing import Final, Generic, TypeVar

from connectors.contract.errors import ConnectorError, Refused

T = TypeVar("T")

TAKEN_APART_AT: Final = 7
"""A batch that failed so often is taken apart: as often as a system that is away is tried. From then on it is at once,
where others are written meanwhile; else, for it may be an outage, after as many failures again, a halving deeper."""
MOST_DEEP: Final = 3
"""How deep: an outage may last, and each halving asks twice as often."""
REFUSED_AT: Final = 30
"""A part that failed so often, and now alone, is refused where others were written meanwhile."""
MOST_FAILING: Final = 20_000


class Failures(Generic[T]):
    """Parts that failed in a row, whatever of their batches: one at which a system always fails is no outage.

    Else its batch would fail for ever, with all in it, and the system count as away and back, again and again.
    """

    def __init__(self, key: Callable[[T], Hashable]) -> None:
        """`key` tells whether two parts are about the same object."""
        self._key = key
        self._failed: dict[Hashable, tuple[int, int]] = {}  # how often, and how many batches had succeeded before
        self._successes = 0

    def succeeded(self, batch: Sequence[T]) -> None:
        """All of it has results."""
        self._successes += 1
        for part in batch if self._failed else ():
            self._failed.pop(self._key(part), None)

    def judged(self, batch: Sequence[T], error: ConnectorError) -> ConnectorError:
        """The error, or a refusal, by which the batch is halved, or its only part ends."""
        times, since = 0, self._successes
        for part in batch:
            before = self._failed.pop(self._key(part), (0, self._successes))
            self._failed[self._key(part)] = before[0] + 1, before[1]
            times, since = max(times, before[0] + 1), min(since, before[1])
        while len(self._failed) > MOST_FAILING:
            del self._failed[next(iter(self._failed))]
        others_succeed = self._successes > since
        if len(batch) > 1:
            deeper, rest = divmod(times, TAKEN_APART_AT)  # each half that fails too counts one more
            is_refused = rest < min(deeper, MOST_DEEP) or (deeper > 0 and others_succeed)
        else:
            is_refused = times >= REFUSED_AT and others_succeed
            if is_refused:
                del self._failed[self._key(batch[0])]
        return Refused(error.reason, status=error.status, trace=error.trace) if is_refused else error
