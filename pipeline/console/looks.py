"""How often somebody looked at values: a bound, so that nobody reads all of them one by one unnoticed."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

MOST: Final = 60
WITHIN_MS: Final = 60 * 60 * 1000
SHOWN_S: Final = 60
"""So long a page with values stays."""


def hidden_again(address: str) -> dict[str, str]:
    """The header that ends such a page; what others name stands in its address, and no header holds all letters."""
    return {"refresh": f"{SHOWN_S}; url={quote(address, safe='/?=&%+~')}"}


@dataclass
class Looks:
    """Those of the last hour, by person."""

    _at: dict[str, deque[int]] = field(default_factory=dict)

    def may(self, person: str, now_ms: int) -> bool:
        """Count a look; whether it is within the bound."""
        looked = self._at.setdefault(person, deque())
        while looked and looked[0] <= now_ms - WITHIN_MS:
            looked.popleft()
        if len(looked) >= MOST:
            return False
        looked.append(now_ms)
        return True
