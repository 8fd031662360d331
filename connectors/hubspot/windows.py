"""The arithmetic of polling by modified time: which search comes next, and up to where every change was found.

Pure. HubSpot's search pages no further than 10,000 rows, its index lags behind the records, and one bulk edit gives
ten thousands of rows one time. So no search is paged: each begins at the newest time of the one before (a later row
is never skipped, whatever moves meanwhile), and where one time fills a whole answer its rows are listed by their ids.
Two passes: the leading one finds what the index shows by now; the trailing one lists each stretch of time once more
after the index has surely caught up.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from connectors.contract.errors import Refused
from connectors.http.lenient_json import JsonObject, as_object, as_whole, object_at, parsed, text_at, whole_at

OVERLAP_MS: Final = 10_000
"""How far the leading pass looks back: most rows come into the index that much out of order, at most."""
AHEAD_MS: Final = 2_000
"""How far the leading pass looks ahead: an answer's `Date` counts whole seconds, so the time it gives is early."""
TRAIL_SHARE: Final = 8
"""A trailing pass is due once an eighth of the index lag has passed since the last."""
NO_PROGRESS: Final = "paging_no_progress"
"""Reason of a refused pull: the search's answer leads back to where it was asked."""

Kind = Literal["lead", "trail"]


@dataclass(frozen=True, slots=True)
class Row:
    """A record as the index shows it."""

    id: str
    modified_ms: int


@dataclass(frozen=True, slots=True)
class Pass:
    """What is left of one pass: rows modified from `since_ms` to `until_ms`; of `since_ms` only ids over `after_id`.

    `after_id` None: rows are listed by their time.
    """

    kind: Kind
    since_ms: int
    until_ms: int
    after_id: int | None = None

    def after(self, rows: Sequence[Row], *, more: bool) -> "Pass | None":
        """What is left after an answer; None if nothing is. `more`: the answer says that other rows follow.

        Raises Refused `paging_no_progress` where the answer brings nothing that was not listed.
        """
        if self.after_id is not None:
            return self._after_ids(rows, more=more)
        if not more:
            return None
        newest_ms = min(max((row.modified_ms for row in rows), default=self.since_ms), self.until_ms)
        if not rows:
            raise Refused(NO_PROGRESS)
        if newest_ms > self.since_ms:
            return replace(self, since_ms=newest_ms)
        return replace(self, after_id=0)

    def _after_ids(self, rows: Sequence[Row], *, more: bool) -> "Pass | None":
        if not more:
            since_ms = self.since_ms + 1  # this time is listed to its end; what the index shows late is the trail's
            return None if since_ms > self.until_ms else Pass(self.kind, since_ms, self.until_ms)
        last = max((number for row in rows if (number := as_whole(row.id)) is not None), default=0)
        if last <= (self.after_id or 0):
            raise Refused(NO_PROGRESS)
        return replace(self, after_id=last)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a type was polled, by the vendor's clock.

    The index was asked for everything up to `lead_ms`, and showed all that was modified before `trail_ms`. `under_way`
    is the pass that was begun.
    """

    lead_ms: int
    trail_ms: int
    under_way: Pass | None = None
    newest_ms: int = 0  # the newest row of the leading pass under way

    def begun(self, now_ms: int, lag_ms: int) -> "Progress":
        """With the pass that comes next under way; `now_ms` is the vendor's clock, `lag_ms` how late its index is.

        A time that is too early does no harm; one too late would leave out what the index shows late.
        """
        if self.under_way is not None:
            return self
        certain_ms = now_ms - lag_ms
        if certain_ms - self.trail_ms >= max(lag_ms // TRAIL_SHARE, 1):
            return replace(self, under_way=Pass("trail", self.trail_ms, certain_ms))
        since_ms = max(self.lead_ms - OVERLAP_MS, self.trail_ms)
        return replace(self, under_way=Pass("lead", since_ms, max(now_ms + AHEAD_MS, since_ms)), newest_ms=self.lead_ms)

    def after(self, rows: Sequence[Row], *, more: bool) -> "Progress":
        """After an answer to the pass under way. Raises Refused `paging_no_progress`."""
        now = self.under_way
        if now is None:
            raise RuntimeError("an answer to no pass")
        left = now.after(rows, more=more)
        newest_ms = max((self.newest_ms, *(min(row.modified_ms, now.until_ms) for row in rows)))
        if left is not None:
            return replace(self, under_way=left, newest_ms=newest_ms)
        if now.kind == "trail":
            return Progress(max(self.lead_ms, now.until_ms), now.until_ms)
        return Progress(max(self.lead_ms, newest_ms), self.trail_ms)

    def text(self) -> str:
        """The same as text, to be kept."""
        now = self.under_way
        kept: dict[str, object] = {"lead": self.lead_ms, "trail": self.trail_ms}
        if now is not None:
            kept["pass"] = {"kind": now.kind, "since": now.since_ms, "until": now.until_ms, "after": now.after_id}
            kept["newest"] = self.newest_ms
        return json.dumps(kept, separators=(",", ":"))


def progress_of(text: str) -> Progress | None:
    """What `Progress.text` made; None for anything else, which begins anew."""
    raw = as_object(parsed(text.encode()))
    lead_ms, trail_ms = whole_at(raw, "lead"), whole_at(raw, "trail")
    if lead_ms is None or trail_ms is None:
        return None
    return Progress(lead_ms, trail_ms, _pass_of(object_at(raw, "pass")), whole_at(raw, "newest") or 0)


def _pass_of(raw: JsonObject) -> Pass | None:
    since_ms, until_ms = whole_at(raw, "since"), whole_at(raw, "until")
    if since_ms is None or until_ms is None:
        return None
    kind: Kind = "trail" if text_at(raw, "kind") == "trail" else "lead"
    return Pass(kind, since_ms, until_ms, whole_at(raw, "after"))
