"""A batch on its way to a system, and what each error makes of it: alike for patches and for events."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from connectors.contract.errors import ConnectorError, Denied, Refused, Transient, UnknownResult
from connectors.contract.sink import OwnershipLost
from connectors.http.batches import halves
from connectors.session.dispatcher import NOT_OURS_S, BatchDispatcher
from connectors.session.failures import Failures

T = TypeVar("T")
R = TypeVar("R")


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
