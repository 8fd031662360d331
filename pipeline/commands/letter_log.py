"""All dead letters with how each stands, for a process that lasts: read whole once, then only what came since.

Rows of pairs are read, judged and let go, so that a hundred thousand letters fit beside a console. What changes how a
letter stands is news of its pair's row, its mark, or the mappings in force; the last two are rare, and cost a read of
the rows that they concern.
"""

import hashlib
import secrets
import threading
from bisect import insort
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from connectors.kafka.latest import rows_of
from connectors.kafka.reading import Found, Tail
from connectors.kafka.table import TableReader
from pipeline.commands.letter_desk import LetterDesk
from pipeline.operations import letters as reading
from pipeline.operations.letter_report import Told
from pipeline.operations.letter_standing import PairNow, Standing, refused_value
from pipeline.operations.letters import Letter
from pipeline.process import Process
from schemas.topics import DEAD_LETTERS, INTEGRATIONS, MAPPINGS, PAIRS_STATE, TopicAndPartition

AT_ONCE: Final = 5_000
FEW: Final = 50
"""A part so small of all letters is put in its place one by one."""
MOST: Final = 200_000
"""The newest so many are kept."""


class LetterLog:
    """The letters, as a process that lasts sees them."""

    def __init__(self, process: Process, tables: TableReader, desk: LetterDesk) -> None:
        self._process = process
        self._tables = tables
        self._desk = desk
        numbers = range(process.settings.partitions)
        self._letters = Tail(process.cluster, {(DEAD_LETTERS, number): 0 for number in numbers})
        self._pairs = Tail(process.cluster, {(PAIRS_STATE, number): 0 for number in numbers})
        self._told: dict[str, Told] = {}
        self._of_pair: dict[str, tuple[str, ...]] = {}
        self._in_force: Mapping[str, object] = {}
        self._begins: Mapping[TopicAndPartition, int] = {}
        self._in_order: list[Told] = []
        self._due = set[str]()
        """What is still to be judged: a look that brokers cut off has read what the next one does not see again."""
        self._changed = set[str]()
        """What was judged or forgotten since the letters were sorted."""
        self._begun = False
        self._looking = threading.Lock()
        self._key = secrets.token_bytes(16)

    def told(self) -> list[Told]:
        """Every letter that is retained, the oldest first; the very same object while nothing is new; blocks."""
        with self._looking:
            begins = self._process.admin().begin_offsets([DEAD_LETTERS])
            self._take(self._letters.news())
            self._due |= self._marked() | self._of_other_rules()
            first, self._begun = not self._begun, True
            for rows in self._rows(self._pairs.news()):
                self._judge(rows, {id for key in rows for id in self._of_pair[key]})
            # what has no row among all that there are has none
            self._judge({} if first else self._looked_for(), self._due)
            self._forget(begins)
            if self._changed:
                self._in_order = self._sorted()
                self._changed.clear()
            return self._in_order

    def _sorted(self) -> list[Told]:
        """The oldest first: a few that changed take their places among the others."""
        changed = self._changed
        if len(changed) > len(self._told) // FEW:
            return sorted(self._told.values(), key=_order)
        found = [one for one in self._in_order if one.letter.letter.id not in changed]
        for id in changed & self._told.keys():
            insort(found, self._told[id], key=_order)
        return found

    def _take(self, messages: Iterable[Found]) -> None:
        """The letters that came, each as it was written last."""
        for message in messages:
            letter = reading.read(message, self._process.codec)
            if letter is None:
                continue
            before = self._told.get(letter.id)
            self._told[letter.id] = Told(reading.newer(before.letter if before else None, letter), _UNJUDGED)
            if letter.of_field and before is None:
                key = letter.letter.key
                self._of_pair[key] = (*self._of_pair.get(key, ()), letter.id)
            self._due.add(letter.id)

    def _rows(self, messages: Iterable[Found]) -> Iterator[dict[str, bytes]]:
        """The rows of pairs with letters, not all at once: a process that begins reads every one."""
        rows: dict[str, bytes] = {}
        for message in messages:
            key = message.key.decode(errors="replace")
            if key in self._of_pair:
                rows[key] = message.value or b""
                self._due.update(self._of_pair[key])
            if len(rows) >= AT_ONCE:
                yield rows
                rows = {}
        if rows:
            yield rows

    def _marked(self) -> set[str]:
        marks = self._desk.marks
        of_ids = {*marks, *(id for id, one in self._told.items() if one.mark is not None)}
        return {id for id in of_ids if id in self._told and self._told[id].mark != marks.get(id)}

    def _of_other_rules(self) -> set[str]:
        """The letters of integrations whose mappings in force are other ones than when it was looked last."""
        before, self._in_force = self._in_force, self._configuration()
        names = {name for name in {*before, *self._in_force} if before.get(name) != self._in_force.get(name)}
        return {id for id, one in self._told.items() if one.letter.letter.integration in names} if names else set()

    def _configuration(self) -> Mapping[str, object]:
        """What the mappings in force of each integration follow from."""
        rows: defaultdict[str, dict[str, object]] = defaultdict(dict)
        for key, settings in self._tables.table(INTEGRATIONS).items():
            if key.endswith("/settings"):
                rows[settings.integration][key] = settings
        for key, mapping in self._tables.table(MAPPINGS).items():
            rows[mapping.integration][key] = mapping
        return rows

    def _looked_for(self) -> dict[str, bytes]:
        """The rows of what is due, which came some time ago."""
        keys = {one.letter.key for id in self._due if (one := self._told[id].letter).of_field}
        return rows_of(self._process.cluster, PAIRS_STATE, self._process.settings.partitions, keys) if keys else {}

    def _judge(self, rows: Mapping[str, bytes], ids: Collection[str]) -> None:
        if ids:
            judged = self._desk.judged([self._told[id].letter for id in ids], rows, self._alike)
            self._told.update((told.letter.id, told) for told in judged)
            self._changed.update(ids)
            self._due.difference_update(tuple(ids))

    def _alike(self, letter: Letter, pair: PairNow) -> int:
        """A number for the letter's value, by a key that this process alone has."""
        refused = refused_value(letter, pair) if letter.of_field else None
        if refused is None:
            return 0
        told = hashlib.blake2b(repr(refused.value).encode(errors="replace"), digest_size=7, key=self._key)
        return int.from_bytes(told.digest(), "big") or 1

    def _forget(self, begins: Mapping[TopicAndPartition, int]) -> None:
        """Leave out what retention took, and what is past the newest so many."""
        before, self._begins, gone = self._begins, begins, set[str]()
        if begins != before:
            gone = {id for id, one in self._told.items() if one.letter.offset < begins.get(one.letter.place, 0)}
        if len(self._told) - len(gone) > MOST:
            by_age = sorted(self._told, key=lambda id: self._told[id].letter.letter.at_ms)
            gone |= set(by_age[: len(self._told) - MOST])
        for id in gone:
            key = self._told.pop(id).letter.letter.key
            left = tuple(one for one in self._of_pair.get(key, ()) if one != id)
            if left:
                self._of_pair[key] = left
            else:
                self._of_pair.pop(key, None)
        self._changed |= gone


def _order(one: Told) -> tuple[int, str]:
    return one.letter.letter.at_ms, one.letter.letter.id


_UNJUDGED: Final = Standing("open")
