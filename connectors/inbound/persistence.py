"""How long one call is tried while the system goes away and comes back: not for ever."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from connectors.contract.errors import ConnectorError, Missing, Refused, Retryable
from connectors.http.retry import CALLS, Tries
from connectors.session.context import IntegrationContext

T = TypeVar("T")

MOST_OUTAGES: Final = 5
"""How often one call may be given up as an outage: a system that answers probes, and this call never, is no outage."""


class Persistence:
    """The tries of one call."""

    def __init__(self, context: IntegrationContext) -> None:
        self._context = context
        self._tries = Tries()
        self._outages = 0

    async def wait_after(self, error: ConnectorError) -> None:
        """Wait after a failure, or report the system as away; raises the error where that was done often enough."""
        context, wait_s = self._context, None
        if isinstance(error, Retryable):
            self._tries = self._tries.after(error, context.clock.monotonic())
            wait_s = CALLS.wait_s(error, self._tries, context.uniform)
        if wait_s is not None:
            await context.clock.sleep(wait_s)
            return
        self._tries, self._outages = Tries(), self._outages + 1
        if self._outages >= MOST_OUTAGES:
            raise error
        context.state.fail(error)


async def read_persistently(context: IntegrationContext, ask: Callable[[], Awaitable[T]], object_type: str) -> T:
    """The answer about a type, however long the system is away. Raises ConnectorError.

    Refused and Missing at once, every other error where the system answers everything but this.
    """
    persistence = Persistence(context)
    while True:
        await context.state.usable()
        try:
            return await context.asked(ask, object_type, "read")
        except (Refused, Missing):
            raise
        except ConnectorError as error:
            await persistence.wait_after(error)
