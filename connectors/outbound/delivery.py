"""A batch on its way to a system, and what each error makes of it: alike for patches and for events."""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from connectors.contract.errors import ConnectorError, Denied, Refused, Transient, UnknownResult
from connectors.contract.sink import OwnershipLost
from connectors.http.batches import halves
from connectors.session.dispatcher import NOT_OURS_S, BatchDispatcher

T = TypeVar("T")
R = TypeVar("R")

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


@dataclass(frozen=True, slots=True)
class Sending(Generic[T, R]):
    """What one half of an integration does with its batches."""

    ask: Callable[[Sequence[T]], Awaitable[Sequence[R]]]  # send it; raises OwnershipLost and ConnectorError
    put_back: Callable[[Sequence[T]], None]  # all of it waits again
    park_denied: Callable[[Sequence[T]], Awaitable[None]]  # all of it comes back when the permission is tried again
    refused: Callable[[T, str], R]  # the result of a part that is refused, with the reason
    settle: Callable[[Sequence[R], int], Awaitable[None]]  # end what has results, of a batch that began in that round
    park_if_away: Callable[[], Awaitable[None]]
    failures: Failures[T]


async def deliver(batch: Sequence[T], sending: Sending[T, R], dispatcher: BatchDispatcher) -> None:
    """Send a batch and settle its results; whatever the system answers, each of its parts ends or waits again."""
    begun_in = dispatcher.rounds
    try:
        try:
            results = await sending.ask(batch)
        except (Transient, UnknownResult) as error:
            raise sending.failures.judged(batch, error) from error
        sending.failures.succeeded(batch)
    except OwnershipLost:
        # these records stay uncommitted: the partition's new owner sends them
        sending.put_back(batch)
        dispatcher.pause(NOT_OURS_S)
        await sending.park_if_away()
    except Denied:
        await sending.park_denied(batch)
    except Refused as error:
        for half in halves(batch):  # so that one bad part costs the others nothing
            await deliver(half, sending, dispatcher)
        if len(batch) == 1:
            await sending.settle([sending.refused(batch[0], error.reason)], begun_in)
    except ConnectorError as error:
        sending.put_back(batch)
        dispatcher.failed(error, begun_in)
        await sending.park_if_away()
    else:
        await sending.settle(results, begun_in)
