"""Tells faulty code, which must stop before every record is a dead letter, from bad records of one integration."""

from collections import Counter
from typing import Final

FAILURES_IN_A_ROW: Final = 100
INTEGRATIONS: Final = 3
"""The least number of integrations that raise where our code is at fault: a bad record of one must not stop others."""
OF_EACH: Final = 10


class Brake:
    """The records of one partition that raised since the last one that did not."""

    def __init__(self) -> None:
        self._raised = Counter[str]()

    def passed(self) -> None:
        """A record was decided, so the code works."""
        self._raised.clear()

    def raised(self, integration: str) -> bool:
        """Count a record of that integration; whether the process is to stop."""
        self._raised[integration] += 1
        often = sum(number >= OF_EACH for number in self._raised.values())
        return often >= INTEGRATIONS and self._raised.total() >= FAILURES_IN_A_ROW
