"""A call that also says when its answer was true: "there is none" is an observation too."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from connectors.contract.errors import Transient
from connectors.http.messages import Call, Response, VendorInterval

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Observed(Generic[T_co]):
    """An answer, true some time in `interval` of the vendor's clock; None where the answer carried no `Date`."""

    answer: T_co
    interval: VendorInterval | None

    @property
    def at_ms(self) -> int:
        """When the interval begins. Raises Transient `undated_answer` without one: our own clock orders nothing."""
        return self._dated.earliest_ms

    @property
    def spread_ms(self) -> int:
        """How long the interval is. Raises Transient `undated_answer` without one."""
        return self._dated.latest_ms - self._dated.earliest_ms

    @property
    def _dated(self) -> VendorInterval:
        if self.interval is None:
            raise Transient("undated_answer")
        return self.interval


def observed(call: Call[T]) -> Call[Observed[T]]:
    """The same call, its answer with the time of it."""

    def parse(response: Response) -> Observed[T]:
        return Observed(call.parse(response), response.observed)

    return Call(call.request, parse, call.purpose)
