"""Our own recent writes: a notification that only repeats them needs no read, a patch that repeats them no call."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from connectors.contract.sink import Write
from connectors.contract.source import News
from schemas.records import FieldPatch
from schemas.values import FieldValue

REMEMBERED_WRITES: Final = 10_000
ECHO_WITHIN_S: Final = 0.5
"""How long the read for a notification that may be our write's echo waits for the write's answer."""

WRITES_OF_A_FIELD: Final = 4
"""A field is edited again before the echo of the write before has come."""

ECHO_APART_MS: Final = 1_000
"""How far the time that an echo names may be from that of the answer: they are two clock readings of the vendor."""

_Field = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class _Written:
    """What was sent, what the system stored, when by its clock, and whether anybody waited for it."""

    sent: FieldValue
    stored: FieldValue
    at_ms: int
    bulk: bool


class RecentWrites:
    """The last values written here, and those under way."""

    def __init__(self) -> None:
        self._written: dict[_Field, tuple[_Written, ...]] = {}  # the newest last
        self._under_way: dict[_Field, FieldValue] = {}
        self._ends: dict[tuple[str, str], int] = {}

    def began(self, write: Write) -> None:
        """The write is under way until it has ended."""
        for name, value in write.fields.items():
            self._under_way[write.object_type, write.object_id, name] = value

    def ended(self, write: Write) -> None:
        """The write has an outcome, or waits again."""
        for name in write.fields:
            self._under_way.pop((write.object_type, write.object_id, name), None)

    def wrote(self, write: Write, stored: Mapping[str, FieldValue], at_ms: int) -> None:
        """The system answered that it holds these values of the write since then, by its clock."""
        for name, value in stored.items():
            key = (write.object_type, write.object_id, name)
            before = self._written.pop(key, ())[1 - WRITES_OF_A_FIELD :]
            self._written[key] = (*before, _Written(write.fields.get(name, value), value, at_ms, write.bulk))
        while len(self._written) > REMEMBERED_WRITES:
            del self._written[next(iter(self._written))]

    def repeats(self, patch: FieldPatch, name: str) -> bool:
        """Whether the patch asks for what was written after all that its pair knew of the field.

        The answer to that write is on its way to the pair, which decides again when it comes: with whatever somebody
        else wrote meanwhile, which it does not know yet or has seen to be older.
        """
        writes = self._written.get((patch.object_type, patch.object_id, name))
        known_until_ms = patch.known_until_ms.get(name)
        if writes is None or known_until_ms is None or known_until_ms >= writes[-1].at_ms:
            return False
        written = writes[-1]
        return _same(patch.fields[name], written.sent) or _same(patch.fields[name], written.stored)

    def spread_ms(self, object_type: str, object_id: str, at_ms: int, spread_ms: int) -> int:
        """The spread of an answer that ends after the one before it.

        Two answers of one object within a second carry the same `Date`, but the second was made after the first.
        """
        until_ms = max(at_ms + spread_ms, self._ends.get((object_type, object_id), 0) + 1)
        if spread_ms == 0 or until_ms > at_ms + 2 * spread_ms:
            return spread_ms
        self._ends.pop((object_type, object_id), None)
        self._ends[object_type, object_id] = until_ms
        if len(self._ends) > REMEMBERED_WRITES:
            del self._ends[next(iter(self._ends))]
        return until_ms - at_ms

    def echoed(self, news: News) -> bool:
        """Whether every field of the notification is as we wrote it, at about that time.

        The values are told with their own stamps all the same: somebody else's equal edit is not lost.
        """
        return bool(news.fields) and all(self._echoes_of(news, name) for name in news.fields)

    def echoed_bulk(self, news: News) -> bool:
        """Whether all that is echoed was bulk: nobody waits for the echo either."""
        return all(written.bulk for name in news.fields for written in self._echoes_of(news, name))

    def _echoes_of(self, news: News, name: str) -> list[_Written]:
        """The writes that a field of the notification may be the echo of."""
        value = news.fields[name]
        return [
            written
            for written in self._written.get((news.object_type, news.object_id, name), ())
            if _same(written.stored, value.value) and abs(written.at_ms - value.at_ms) <= ECHO_APART_MS
        ]

    def may_echo(self, news: News) -> bool:
        """Whether every field of the notification is as a write has it that is still under way."""
        keys = {name: (news.object_type, news.object_id, name) for name in news.fields}
        return bool(keys) and all(
            keys[name] in self._under_way and _same(self._under_way[keys[name]], value.value)
            for name, value in news.fields.items()
        )


def _same(a: FieldValue, b: FieldValue) -> bool:
    return type(a) is type(b) and a == b
