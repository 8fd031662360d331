"""What trying dead letters once more comes to: by which road each goes, and which are left alone and why. Pure.

A refused field is derived again from what is known now. A record is published again, the same bytes to the same
partition. A record of `sync.matches` is not: handled on newer state, an object that left its pair would join it again
(decision 0010), so its object's matches are sent again from what is known now.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from pipeline.operations.letter_standing import Standing
from pipeline.operations.letters import Letter
from schemas.operating import LetterMark
from schemas.records import ActivityEvent, DeadLetter, MatchedChange, StateCommand
from schemas.redrives import Redriven
from schemas.topics import MATCHES, STATE_COMMANDS, TOPICS, USERFLOW_ACTIVITY, object_key

MOST_REDRIVES: Final = 3
"""A letter that came back so often is left alone: what is broken is not its record's fault alone, or is not mended."""
UNSURE: Final = frozenset({"unknown_result"})
"""Reasons after which a repeat may show something twice."""

Road = Literal["derive", "publish", "resend"]

LEFT: Final[Mapping[str, str]] = {
    "mended": "mended already",
    "put_away": "not open",
    "looping": f"came back {MOST_REDRIVES} times: --force tries it once more",
    "unsure": "may be there already: --force tries it once more",
    "no_record": "has no record to publish again",
    "no_bytes": "its record did not fit the letter: a full sync brings what it said",
    "match": "cannot be read, and tells of a pair as it was: a full sync brings what it said",
}
"""Why a letter is left alone."""


@dataclass(frozen=True, slots=True)
class Try:
    """A letter that is to be tried once more."""

    letter: Letter
    road: Road
    redrives: int  # this one counted
    lasts: bool = False  # it would be refused for the same reason


@dataclass(frozen=True, slots=True)
class Plan:
    """What is tried, and what is left alone, by the key of LEFT."""

    tries: tuple[Try, ...] = ()
    left: Mapping[str, tuple[Letter, ...]] = field(default_factory=dict)

    @property
    def promising(self) -> "Plan":
        """The same without what would be refused for the same reason."""
        return replace(self, tries=tuple(one for one in self.tries if not one.lasts))

    @property
    def fields(self) -> tuple[Try, ...]:
        return tuple(one for one in self.tries if one.road == "derive")

    @property
    def records(self) -> tuple[Try, ...]:
        return tuple(one for one in self.tries if one.road != "derive")

    @property
    def pairs(self) -> int:
        return len({one.letter.letter.key for one in self.fields})

    def by_integration(self) -> Mapping[str, int]:
        """How many letters of each integration are tried; those of none under an empty name."""
        return Counter(one.letter.letter.integration or "" for one in self.tries)

    def writes(self, system: str) -> int:
        """The most writes that the refused fields lead to: one for each object."""
        targets = {one.letter.letter.key for one in self.fields if _system(one.letter) == system}
        return len(targets)


def plan(
    letters: Sequence[tuple[Letter, Standing]],
    marks: Mapping[str, LetterMark],
    *,
    most: int | None = None,
    force: bool = False,
) -> Plan:
    """What trying these letters once more comes to; of more than `most` the oldest are tried."""
    tries: list[Try] = []
    left: dict[str, list[Letter]] = {}
    for letter, now in letters:
        redrives = redrives_of(letter, marks.get(letter.id))
        why = _left_alone(letter, now, redrives, force=force)
        if why is not None:
            left.setdefault(why, []).append(letter)
        elif most is None or len(tries) < most:
            tries.append(Try(letter, road(letter), redrives + 1, now.lasts))
    return Plan(tuple(tries), {why: tuple(some) for why, some in left.items()})


def redrives_of(letter: Letter, mark: LetterMark | None) -> int:
    """How often it was redriven: by its mark, or by its record's header where that tells of more."""
    return max(letter.letter.redrives, mark.redrives if mark is not None else 0)


def road(letter: Letter) -> Road:
    """The road by which a letter goes."""
    if letter.of_field:
        return "derive"
    return "resend" if letter.letter.topic == MATCHES else "publish"


def _left_alone(letter: Letter, now: Standing, redrives: int, *, force: bool) -> str | None:
    if not now.open:
        return "mended" if now.word in ("mended", "replaced", "gone") else "put_away"
    if not letter.of_field:
        if letter.letter.partition < 0 or letter.letter.topic not in TOPICS:
            return "no_record"
        if not letter.size:
            return "no_bytes"
        if letter.letter.topic == MATCHES and not letter.about.kind:
            return "match"
    if force:
        return None
    if redrives >= MOST_REDRIVES:
        return "looping"
    return "unsure" if letter.letter.reason in UNSURE else None


def derived_again(tries: Iterable[Try]) -> list[StateCommand]:
    """One command for each pair, with its refused fields; its key is the pair's."""
    by_pair: dict[str, list[str]] = {}
    for one in tries:
        by_pair.setdefault(one.letter.letter.key, []).append(one.letter.letter.field or "")
    return [_command(key, tuple(dict.fromkeys(names))) for key, names in by_pair.items()]


def _command(key: str, names: tuple[str, ...]) -> StateCommand:
    integration, connection, mapping, _ = key.split(":", 3)
    return StateCommand(
        integration,
        int(connection),
        stage="pairs",
        kind="rederive",
        mapping=mapping,
        object_key=key,
        retry_refused=True,
        fields=names,
    )


def sent_again(change: MatchedChange) -> tuple[str, str, StateCommand | ActivityEvent]:
    """Topic, key and record by which an object's matches are sent once more, from what is known now.

    Where the news was an event, the event itself: its id keeps it from showing twice.
    """
    key = object_key(change.integration, change.connection, change.system, change.object_type, change.object_id)
    if change.activity is not None:
        return USERFLOW_ACTIVITY, key, change.activity
    command = StateCommand(change.integration, change.connection, stage="objects", kind="resend", object_key=key)
    return STATE_COMMANDS, key, replace(command, caused_by=change.caused_by)


def place_again(letter: DeadLetter, partitions: int) -> int | None:
    """The partition that a letter's record is published to again: where it stood, if it was sent to that by number.

    None: where its key belongs, for the partition count may be another one by now.
    """
    by_number = TOPICS[letter.topic].key == "partition" and letter.key.startswith("partition-")
    return letter.partition % partitions if by_number else None


def marked(one: Try, at_ms: int, by: str) -> LetterMark:
    """The mark of a letter that was tried once more."""
    return LetterMark(one.letter.id, "redriven", at_ms, by, one.redrives)


def header(one: Try) -> Redriven:
    """What its record is published again with."""
    return Redriven(one.letter.id, one.redrives)


def came_back(letter: DeadLetter, tries: Mapping[str, Try]) -> bool:
    """Whether a letter that was just written is one of those that were tried; a record's tells how often it was."""
    one = tries.get(letter.id)
    return one is not None and (one.road == "derive" or letter.redrives >= one.redrives)


def _system(letter: Letter) -> str:
    return (letter.letter.field or "").partition(".")[0]
