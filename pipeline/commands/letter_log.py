"""All dead letters with how each stands, for a process that lasts: read whole once, then only what came since.

Rows of pairs are read, judged and let go, so that a hundred thousand letters fit beside a console. What changes how a
letter stands is news of its pair's row, its mark, or the mappings in force; the last two are rare, and cost a read of
the rows that they concern.
"""

import hashlib
import secrets
import sys
import threading
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Final

from connectors.kafka.latest import rows_of
from connectors.kafka.reading import Found, Tail
from connectors.kafka.table import TableReader
from pipeline.commands.letter_desk import LetterDesk
from pipeline.operations import letters as reading
from pipeline.operations.letter_report import Told
from pipeline.operations.letter_standing import NO_PAIR, PairNow, Standing, refused_value, standing
from pipeline.operations.letters import Letter
from pipeline.process import Process
from schemas.topics import DEAD_LETTERS, INTEGRATIONS, MAPPINGS, PAIRS_STATE, TopicAndPartition

AT_ONCE: Final = 500
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
        self._of_pair: defaultdict[str, set[str]] = defaultdict(set)
        self._in_force: object = None
        self._looking = threading.Lock()
        self._key = secrets.token_bytes(16)

    def told(self) -> list[Told]:
        """Every letter that is retained, the oldest first; blocks."""
        with self._looking:
            new = self._take(self._letters.news())
            rows = self._newest(self._pairs.news())
            again = {id for key in rows for id in self._of_pair.get(key, ())} | self._marked()
            if (in_force := self._configuration()) != self._in_force:
                self._in_force, again = in_force, set(self._told)
            self._judge(new | again, rows)
            self._forget()
            return sorted(self._told.values(), key=lambda one: (one.letter.letter.at_ms, one.letter.id))

    def _take(self, messages: Iterable[Found]) -> set[str]:
        """The letters that came, each as it was written last."""
        came = set()
        for message in messages:
            letter = reading.read(message, self._process.codec)
            if letter is None:
                continue
            before = self._told.get(letter.id)
            self._told[letter.id] = Told(_shared(reading.newer(before.letter if before else None, letter)), _UNJUDGED)
            if letter.of_field:
                self._of_pair[letter.letter.key].add(letter.id)
            came.add(letter.id)
        return came

    def _newest(self, messages: Iterable[Found]) -> dict[str, bytes]:
        rows: dict[str, bytes] = {}
        for message in messages:
            key = message.key.decode(errors="replace")
            if key in self._of_pair:
                rows[key] = message.value or b""
        return rows

    def _marked(self) -> set[str]:
        marks = self._desk.marks
        of_ids = {*marks, *(id for id, one in self._told.items() if one.mark is not None)}
        return {id for id in of_ids if id in self._told and self._told[id].mark != marks.get(id)}

    def _configuration(self) -> object:
        """What the mappings in force follow from."""
        tables = self._tables
        settings = {key: row for key, row in tables.table(INTEGRATIONS).items() if key.endswith("/settings")}
        return dict(tables.table(MAPPINGS)), settings

    def _judge(self, ids: Collection[str], rows: dict[str, bytes]) -> None:
        keys = {self._told[id].letter.letter.key for id in ids if self._told[id].letter.of_field}
        missing = keys - rows.keys()
        if missing:
            cluster, partitions = self._process.cluster, self._process.settings.partitions
            rows |= rows_of(cluster, PAIRS_STATE, partitions, missing)
        marks, left = self._desk.marks, list(ids)
        for start in range(0, len(left), AT_ONCE):  # decoded rows take many times what their bytes take
            some = [self._told[id].letter for id in left[start : start + AT_ONCE]]
            now = self._desk.pairs({one.letter.key: rows[one.letter.key] for one in some if rows.get(one.letter.key)})
            for letter in some:
                mark = marks.get(letter.id)
                pair = now.get(letter.letter.key, NO_PAIR)
                self._told[letter.id] = Told(letter, standing(letter, mark, pair), mark, self._alike(letter, pair))

    def _alike(self, letter: Letter, pair: PairNow) -> int:
        """A number for the letter's value, by a key that this process alone has."""
        refused = refused_value(letter, pair) if letter.of_field else None
        if refused is None:
            return 0
        told = hashlib.blake2b(repr(refused.value).encode(errors="replace"), digest_size=7, key=self._key)
        return int.from_bytes(told.digest(), "big") or 1

    def _forget(self) -> None:
        """Leave out what retention took, and what is past the newest so many."""
        begins: Mapping[TopicAndPartition, int] = self._process.admin().begin_offsets([DEAD_LETTERS])
        gone = [id for id, one in self._told.items() if one.letter.offset < begins.get(one.letter.place, 0)]
        if len(self._told) - len(gone) > MOST:
            by_age = sorted(self._told, key=lambda id: self._told[id].letter.letter.at_ms)
            gone = [*gone, *by_age[: len(self._told) - MOST]]
        for id in set(gone):
            letter = self._told.pop(id).letter
            ids = self._of_pair.get(letter.letter.key, set())
            ids.discard(id)
            if not ids:
                self._of_pair.pop(letter.letter.key, None)


def _shared(letter: Letter) -> Letter:
    """The same, the texts that thousands of letters have in common kept once."""
    told = letter.letter
    return replace(
        letter,
        letter=replace(
            told,
            stage=sys.intern(told.stage),
            reason=sys.intern(told.reason),
            detail=sys.intern(told.detail),
            topic=sys.intern(told.topic),
            integration=_interned(told.integration),
            mapping=_interned(told.mapping),
            field=_interned(told.field),
        ),
    )


def _interned(text: str | None) -> str | None:
    return None if text is None else sys.intern(text)


_UNJUDGED: Final = Standing("open")
