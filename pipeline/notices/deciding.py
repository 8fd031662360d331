"""Which changes are told: each once, and none that is over before it is worth a word. Pure, but for its memory."""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from pipeline.notices.conditions import Standing, Standings, Subject
from schemas.operating import Condition, Notice

SECOND_MS: Final = 1_000
LASTS_MS: Final[Mapping[Condition, int]] = {
    "needs_reconnect": 0,
    "failed": 0,
    "over": 0,
    "ok": 30 * SECOND_MS,
    "stopped": 30 * SECOND_MS,
    "unavailable": 300 * SECOND_MS,
    "behind": 300 * SECOND_MS,
}
"""How long a condition has to last before it is told: a vendor that is away for a minute is nobody's business."""


@dataclass(frozen=True, slots=True)
class _Since:
    standing: Standing
    at_ms: int


class Deciding:
    """Remembers since when each subject is as it is; what was told stands in the rows, so a takeover forgets only
    the time that a condition has lasted."""

    def __init__(self) -> None:
        self._since: dict[str, _Since] = {}

    def changes(
        self, standings: Standings, rows: Mapping[str, Notice], connected: Collection[str], now_ms: int
    ) -> list[Notice]:
        """The rows to write: what is told from now on. `connected` names the integrations that are."""
        return [*self._changes(standings, rows, now_ms), *_over(rows, connected, now_ms)]

    def forget(self) -> None:
        """Somebody else watches for a while."""
        self._since.clear()

    def _changes(self, standings: Standings, rows: Mapping[str, Notice], now_ms: int) -> Iterator[Notice]:
        keys = {subject.key for subject in standings}
        self._since = {key: since for key, since in self._since.items() if key in keys}
        for subject, standing in standings.items():
            key = subject.key
            since = self._since.get(key)
            if since is None or _differ(subject, since.standing, standing):
                since = self._since[key] = _Since(standing, now_ms)
            row = rows.get(key)
            if _news(subject, standing, row) and now_ms - since.at_ms >= LASTS_MS[standing.condition]:
                yield changed(subject, standing, row, now_ms)


def changed(subject: Subject, standing: Standing, row: Notice | None, now_ms: int) -> Notice:
    """The row of a change. Its id follows from what was told before, so whoever decides the same gives the same."""
    number = row.number + 1 if row is not None else 1
    text = "\n".join((subject.key, str(number), standing.condition, standing.reason))
    return Notice(
        integration=subject.integration,
        subject=subject.name,
        condition=standing.condition,
        before=_before(row),
        number=number,
        notice_id=hashlib.sha256(text.encode()).hexdigest()[:24],
        at_ms=now_ms,
        state="waiting",
        reason=standing.reason,
    )


def _over(rows: Mapping[str, Notice], connected: Collection[str], now_ms: int) -> Iterator[Notice]:
    """Troubles of integrations that are no more: whoever was told of them is told of the end."""
    for row in rows.values():
        if row.integration and row.integration not in connected and row.condition not in ("ok", "over"):
            yield changed(Subject(row.integration, row.subject), Standing("over"), row, now_ms)


def _news(subject: Subject, standing: Standing, row: Notice | None) -> bool:
    if row is None:
        return standing.condition != "ok"  # nobody was told of anything else
    return _differ(subject, Standing(row.condition, row.reason), standing)


def _differ(subject: Subject, one: Standing, other: Standing) -> bool:
    """An integration's reason says what to mend; a stage's says how it shows, which differs from look to look."""
    return one.condition != other.condition or (bool(subject.integration) and one.reason != other.reason)


def _before(row: Notice | None) -> str:
    if row is None:
        return "ok"
    return row.condition if row.state == "told" else row.before
