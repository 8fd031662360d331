"""Dead letters of a running installation: read them, judge how they stand, try them again, see what becomes of them."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from connectors.kafka.latest import rows_of
from connectors.kafka.partitioner import partition_of
from connectors.kafka.producer import Publisher
from connectors.kafka.reading import Found, Reading, read_to_end
from connectors.kafka.table import TableReader
from connectors.kafka.topology import groups_of
from pipeline.agents.configuration import Configuration
from pipeline.operations import letters as reading
from pipeline.operations.actor import who
from pipeline.operations.letter_report import Told, marks_by_letter
from pipeline.operations.letter_standing import NO_PAIR, PairNow, refused_value, standing
from pipeline.operations.letters import Letter
from pipeline.operations.redrive import Plan, Try, came_back, derived_again, header, marked, place_again, sent_again
from pipeline.operations.shown_record import plain_value, repeated
from pipeline.process import Process, now_ms
from schemas.operating import LetterMark
from schemas.records import DeadLetter, MatchedChange
from schemas.state import PairState
from schemas.topics import (
    DEAD_LETTERS,
    INTEGRATIONS,
    LETTER_MARKS,
    MAPPINGS,
    PAIRS_STATE,
    STATE_COMMANDS,
    TopicAndPartition,
)

LOOK_S: Final = 0.5
AT_ONCE: Final = 500
OFFSETS_A_LETTER: Final = 8
_NOWHERE: Final[Mapping[TopicAndPartition, int]] = {}

Became = Literal["written", "handled", "refused again", "gone", "not known yet"]


@dataclass(slots=True)
class Outcomes:
    """What became of letters that were tried once more."""

    became: dict[str, Became]
    at_ms: dict[str, int] = field(default_factory=dict)

    @property
    def waiting(self) -> list[str]:
        return [id for id, what in self.became.items() if what == "not known yet"]

    def count(self, what: Became) -> int:
        return sum(1 for one in self.became.values() if one == what)


class LetterDesk:
    """The letters, as one command sees them."""

    def __init__(self, process: Process, tables: TableReader, by: Callable[[], str] = who) -> None:
        """`by` tells who marks letters."""
        self._by = by
        self._process = process
        self._tables = tables
        self._admin = process.admin()
        self._partitions = process.settings.partitions

    @property
    def marks(self) -> Mapping[str, LetterMark]:
        return marks_by_letter(self._tables.table(LETTER_MARKS))

    def letters(self) -> list[Letter]:
        """Every letter that is retained; blocks."""
        places = [(DEAD_LETTERS, number) for number in range(self._partitions)]
        return self._read(dict.fromkeys(places, 0))

    def newest(self, most: int) -> tuple[list[Letter], int]:
        """So many at most, the newest of each partition, and how many offsets stand before them; blocks.

        Offsets are markers of transactions too, and letters that were written again: where half of them are no letter,
        more are read, up to OFFSETS_A_LETTER for each that is wanted.
        """
        first, ends = self._admin.begin_offsets([DEAD_LETTERS]), self._admin.end_offsets([DEAD_LETTERS])
        there, offsets = {place: end - first[place] for place, end in ends.items()}, most
        while True:
            taken = shares(there, offsets)
            found = self._read({place: end - taken[place] for place, end in ends.items()})
            older = sum(there.values()) - sum(taken.values())
            if not older or 2 * len(found) >= most or offsets >= OFFSETS_A_LETTER * most:
                return found[-most:], older + max(len(found) - most, 0)
            offsets *= 2

    def _read(self, begins: Mapping[TopicAndPartition, int]) -> list[Letter]:
        return reading.collect(read_to_end(self._process.cluster, begins), self._process.codec)

    def told(self, letters: Iterable[Letter]) -> list[Told]:
        """How each stands now; blocks: the pairs' rows are read from their topic."""
        wanted = list(letters)
        keys = {letter.letter.key for letter in wanted if letter.of_field}
        rows = rows_of(self._process.cluster, PAIRS_STATE, self._partitions, keys) if keys else {}
        return list(self.judged(wanted, rows))

    def judged(
        self,
        letters: Sequence[Letter],
        rows: Mapping[str, bytes],
        alike: Callable[[Letter, PairNow], int] = lambda *_: 0,
    ) -> Iterator[Told]:
        """How each stands by its pair's row; a few rows are decoded at a time, for they take many times their bytes."""
        configuration, marks = self._configuration(), self.marks
        for start in range(0, len(letters), AT_ONCE):
            some = letters[start : start + AT_ONCE]
            there = {one.letter.key: rows[one.letter.key] for one in some if rows.get(one.letter.key)}
            now = {key: self._pair(configuration, key, row) for key, row in there.items()}
            for letter in some:
                mark, pair = marks.get(letter.id), now.get(letter.letter.key, NO_PAIR)
                yield Told(letter, standing(letter, mark, pair), mark, alike(letter, pair))

    def pairs(self, rows: Mapping[str, bytes]) -> Mapping[str, PairNow]:
        """Each pair's row, with its mapping as it is in force now."""
        configuration = self._configuration()
        return {key: self._pair(configuration, key, value) for key, value in rows.items()}

    def _configuration(self) -> Configuration:
        configuration = Configuration()
        for topic in (MAPPINGS, INTEGRATIONS):
            for key, record in self._tables.table(topic).items():
                configuration.apply(topic, key, record)
        return configuration

    def _pair(self, configuration: Configuration, key: str, value: bytes) -> PairNow:
        integration, connection, mapping, _ = key.split(":", 3)
        view = configuration.view(integration)
        if view is None or not view.connected or str(view.connection) != connection:
            return NO_PAIR
        state = self._process.codec.decode(PAIRS_STATE, value)
        return PairNow(state if isinstance(state, PairState) else None, view.mappings.get(mapping))

    def bodies(self, letters: Iterable[Letter]) -> Iterator[tuple[Letter, DeadLetter]]:
        """Each letter with the record that it repeats; blocks."""

        def messages(place: TopicAndPartition, begin: int) -> Iterator[Found]:
            return read_to_end(self._process.cluster, {place: begin})

        return reading.bodies(messages, letters, self._process.codec)

    def body(self, letter: Letter) -> DeadLetter:
        """The same of one letter. Raises NoSuchLetter where retention took it meanwhile."""
        for _, whole in self.bodies([letter]):
            return whole
        raise reading.NoSuchLetter(f"{letter.id} is retained no longer")

    def values(self, letters: Iterable[Letter]) -> Mapping[str, Any]:
        """What was refused, by the letters' ids; blocks.

        A field's value, where its pair's row remembers it; else the record that the letter repeats, as JSON.
        """
        wanted = list(letters)
        keys = {one.letter.key for one in wanted if one.of_field}
        rows = rows_of(self._process.cluster, PAIRS_STATE, self._partitions, keys) if keys else {}
        now = self.pairs(rows)
        held = {one.id: refused_value(one, now.get(one.letter.key, NO_PAIR)) for one in wanted if one.of_field}
        found = {id: plain_value(one.value) for id, one in held.items() if one is not None}
        records = self.bodies(one for one in wanted if not one.of_field and one.size)
        return found | {one.id: repeated(whole, self._process.codec, values=True) for one, whole in records}

    async def redrive(self, publisher: Publisher, plan: Plan, per_s: float) -> Mapping[TopicAndPartition, int]:
        """Try again what the plan says, so many letters a second; returns the last record published, by partition.

        A letter is marked once the brokers have its record: a crash in between costs a repeat, and hides no letter.
        """
        pace, last = _Pace(per_s), dict[TopicAndPartition, int]()
        by = self._by()
        of_pair: dict[str, list[Try]] = {}
        for one in plan.fields:
            of_pair.setdefault(one.letter.letter.key, []).append(one)
        for command, tries in zip(derived_again(plan.fields), of_pair.values(), strict=True):
            await pace.turn(len(tries))
            place = await publisher.send(STATE_COMMANDS, command.object_key or "", command)
            last[STATE_COMMANDS, place[0]] = max(place[1], last.get((STATE_COMMANDS, place[0]), 0))
            for one in tries:
                await publisher.send(LETTER_MARKS, one.letter.id, marked(one, now_ms(), by))
        by_id = {one.letter.id: one for one in plan.records}
        whole = self.bodies(one.letter for one in plan.records)
        while (found := await asyncio.to_thread(next, whole, None)) is not None:
            one = by_id[found[0].id]
            await pace.turn(1)
            topic, place = await self._again(publisher, one, found[1])
            last[topic, place[0]] = max(place[1], last.get((topic, place[0]), 0))
            await publisher.send(LETTER_MARKS, one.letter.id, marked(one, now_ms(), by))
        return last

    async def _again(self, publisher: Publisher, one: Try, letter: DeadLetter) -> tuple[str, tuple[int, int]]:
        if one.road == "resend":
            change = self._process.codec.decode(letter.topic, letter.value)
            assert isinstance(change, MatchedChange)
            topic, key, record = sent_again(change)
            return topic, await publisher.send(topic, key, record)
        headers, number = header(one).headers(), place_again(letter, self._partitions)
        return letter.topic, await publisher.send_bytes(letter.topic, letter.key, letter.value, number, headers)

    async def mark(self, publisher: Publisher, letters: Iterable[Letter], note: str) -> None:
        """Put letters away."""
        by, marks = self._by(), self.marks
        for letter in letters:
            before = marks.get(letter.id)
            redrives = before.redrives if before is not None else 0
            mark = LetterMark(letter.id, "discarded", now_ms(), by, redrives, note)
            await publisher.send(LETTER_MARKS, letter.id, mark)

    async def give_back(self, publisher: Publisher, letters: Iterable[Letter]) -> None:
        """Take letters that were put away as open again."""
        by, marks = self._by(), self.marks
        for letter in letters:
            before = marks.get(letter.id)
            redrives = before.redrives if before is not None else 0
            await publisher.send(LETTER_MARKS, letter.id, LetterMark(letter.id, "open", now_ms(), by, redrives))

    def watch(self, plan: Plan) -> "Watch":
        """What becomes of the letters of a plan; made before they are tried. Blocks."""
        keys = {one.letter.letter.key for one in plan.fields}
        places = [(PAIRS_STATE, number) for number in sorted({partition_of(key, self._partitions) for key in keys})]
        ends = self._admin.end_offsets([DEAD_LETTERS, *([PAIRS_STATE] if places else [])])
        begins = {place: end for place, end in ends.items() if place[0] == DEAD_LETTERS or place in places}
        return Watch(self, self._process, plan, Reading(self._process.cluster, begins))

    def ends_once_passed(self, last: Mapping[TopicAndPartition, int]) -> Mapping[TopicAndPartition, int]:
        """Where the dead letters end, once who handles these records has committed past them; blocks."""
        ends = {place: offset + 1 for place, offset in last.items()}
        by_group: dict[str, dict[TopicAndPartition, int]] = {}
        for place, end in ends.items():
            for group in groups_of(place[0]):
                by_group.setdefault(group, {})[place] = end
        if any(self._admin.not_passed(group, wanted) for group, wanted in by_group.items()):
            return _NOWHERE
        return self._admin.end_offsets([DEAD_LETTERS])


class Watch:
    """Follows the pairs' rows and the dead letters that are written, until each letter's end is known."""

    def __init__(self, desk: LetterDesk, process: Process, plan: Plan, follow: Reading) -> None:
        self._desk = desk
        self._process = process
        self._tries = {one.letter.id: one for one in plan.tries}
        self._follow = follow
        self._rows: dict[str, bytes] = {}

    async def outcomes(self, last: Mapping[TopicAndPartition, int], within_s: float) -> Outcomes:
        """What became of each within that time."""
        found = Outcomes(dict.fromkeys(self._tries, "not known yet"))
        deadline, ends = time.monotonic() + within_s, _NOWHERE
        with self._follow:
            while found.waiting and time.monotonic() < deadline:
                for message in await asyncio.to_thread(self._follow.take, LOOK_S):
                    self._hear(message, found)
                self._judge(found)
                # what failed again was written before who handles it committed: up to there all of it is heard
                if ends and all(self._follow.reached.get(place, 0) >= end for place, end in ends.items()):
                    self._handled(found)
                ends = ends or await asyncio.to_thread(self._desk.ends_once_passed, last)
        return found

    def _hear(self, message: Found, found: Outcomes) -> None:
        if message.topic == PAIRS_STATE:
            self._rows[message.key.decode(errors="replace")] = message.value or b""
            return
        letter = reading.whole(message, self._process.codec)
        if letter is not None and came_back(letter, self._tries):
            found.became[letter.id], found.at_ms[letter.id] = "refused again", letter.at_ms

    def _judge(self, found: Outcomes) -> None:
        """Fields: by their pairs' rows."""
        fields = [self._tries[id] for id in found.waiting if self._tries[id].road == "derive"]
        rows = {one.letter.letter.key: self._rows.get(one.letter.letter.key) for one in fields}
        now = self._desk.pairs({key: row for key, row in rows.items() if row})
        for one in fields:
            key = one.letter.letter.key
            if rows[key] is None:
                continue
            stands = standing(one.letter, None, now.get(key, NO_PAIR))
            if stands.word == "mended":
                found.became[one.letter.id] = "written"
                found.at_ms[one.letter.id] = stands.at_ms or 0
            elif stands.word in ("gone", "replaced"):
                found.became[one.letter.id] = "gone"

    def _handled(self, found: Outcomes) -> None:
        """Records: those that did not come back by the time that they were handled."""
        for id in found.waiting:
            if self._tries[id].road != "derive":
                found.became[id] = "handled"


class _Pace:
    """So many a second, from the beginning on."""

    def __init__(self, per_s: float) -> None:
        self._per_s = per_s
        self._began = time.monotonic()
        self._taken = 0

    async def turn(self, number: int) -> None:
        await asyncio.sleep(max(0.0, self._began + self._taken / self._per_s - time.monotonic()))
        self._taken += number


def shares(there: Mapping[TopicAndPartition, int], most: int) -> dict[TopicAndPartition, int]:
    """How many of each partition's records are looked at: equal parts; what one does not fill goes to the others."""
    taken, left = {}, most
    for number, (place, size) in enumerate(sorted(there.items(), key=lambda one: one[1])):
        taken[place] = min(size, left // (len(there) - number))
        left -= taken[place]
    return taken


def of_ids(letters: Sequence[Letter], ids: Sequence[str]) -> list[Letter]:
    """The letters whose ids begin so, each once. Raises NoSuchLetter."""
    return list({letter.id: letter for letter in (reading.named(letters, one) for one in ids)}.values())
