"""Where a listing of the recycling bin stands, and which of its records went there since the last; pure."""

import json
from dataclasses import dataclass
from typing import Final

from connectors.http.lenient_json import as_object, parsed, text_at, whole_at

LATE_MS: Final = 300_000
"""How much later than its time a deletion may come into the list."""


@dataclass(frozen=True, slots=True)
class BinListing:
    """The listing under way; times are the vendor's.

    What was deleted before `told_ms` was told by earlier listings; `began_ms` is when this one began.
    """

    told_ms: int = 0
    began_ms: int | None = None
    cursor: str | None = None

    def is_news(self, archived_ms: int | None) -> bool:
        """Whether a record was deleted since the last listing; one without a time may have been."""
        return archived_ms is None or archived_ms >= self.told_ms - LATE_MS

    def after(self, cursor: str | None, at_ms: int) -> "BinListing":
        """After a page that was true at `at_ms` and names the next by `cursor`; None: it was the last."""
        began_ms = at_ms if self.began_ms is None else self.began_ms
        return BinListing(began_ms) if cursor is None else BinListing(self.told_ms, began_ms, cursor)

    def text(self) -> str:
        """The same as text, to be kept."""
        kept = {"told": self.told_ms, "began": self.began_ms, "cursor": self.cursor}
        return json.dumps(kept, separators=(",", ":"))


def bin_listing_of(text: str) -> BinListing | None:
    """What `BinListing.text` made; None for anything else, which begins anew."""
    raw = as_object(parsed(text.encode()))
    told_ms = whole_at(raw, "told")
    return None if told_ms is None else BinListing(told_ms, whole_at(raw, "began"), text_at(raw, "cursor"))
