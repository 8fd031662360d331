"""Tells faulty code, which must stop before every record is a dead letter, from bad records of one integration."""

from collections import Counter
from collections.abc import Callable
from typing import Final

FAILURES_IN_A_ROW: Final = 100
INTEGRATIONS: Final = 3
"""The least number of integrations that raise where our code is at fault: a bad record of one must not stop others."""
OF_EACH: Final = 10
ASKS_EACH: Final = 10
"""Failures in a row between two looks at our code; a look takes less than a millisecond."""
OF_MANY: Final = "records of many integrations failed in a row"
OF_ANY: Final = "records failed in a row, and so does one that is made up for this look: our code fails at any"


class Brake:
    """The records of one partition that raised since the last one that did not."""

    def __init__(self, try_out: Callable[[], object]) -> None:
        """`try_out` decides records that no input can make fail; where it raises, no integration is to blame."""
        self._raised = Counter[str]()
        self._try_out = try_out

    def passed(self) -> None:
        """A record was decided, so the code works."""
        self._raised.clear()

    def raised(self, integration: str) -> str:
        """Count a record of that integration; why the process is to stop, or nothing."""
        self._raised[integration] += 1
        often, total = sum(number >= OF_EACH for number in self._raised.values()), self._raised.total()
        if often >= INTEGRATIONS and total >= FAILURES_IN_A_ROW:
            return OF_MANY
        return OF_ANY if total % ASKS_EACH == 0 and not self._works() else ""

    def _works(self) -> bool:
        try:
            self._try_out()
        except Exception:  # noqa: BLE001 - whatever it raises is the answer
            return False
        return True
