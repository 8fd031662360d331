"""What ended within the last hour, minute by minute, from the totals that processes tell since they began. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from schemas.vitals import Vitals

MINUTE_MS: Final = 60_000
MINUTES: Final = 60
HOUR_MS: Final = MINUTES * MINUTE_MS

What = Literal["ended", "linked", "took", "took_ms", "handled"]
"""`ended`: records by stage (of a connector with its system) and outcome. `linked`: records of pairs by mapping and how
those are linked. `took`: live changes by system and bound of BOUNDS_MS; `took_ms`: what they took, by system.
`handled`: records that a stage ended, by stage and topic, of ALL: no place tells whose they were."""
ALL: Final = ""
"""Whose what is of all integrations together is."""
Named = tuple[str, str]
Figure = tuple[What, str, str, str]
"""What, whose, and the two names of it."""


@dataclass(frozen=True, slots=True)
class Hour:
    """The figures of sixty minutes, the newest last and not over yet."""

    at_ms: int
    since_ms: int | None  # from when on they are known; None: no process has told of itself
    figures: Mapping[tuple[What, str], Sequence[Counter[Named]]] = field(default_factory=dict)  # by what and whose
    together: Mapping[What, Sequence[Counter[Named]]] = field(default_factory=dict)  # of all integrations

    def each(self, what: What, integration: str) -> Sequence[Counter[Named]]:
        """Minute by minute."""
        return self.figures.get((what, integration)) or [Counter[Named]() for _ in range(MINUTES)]

    def all(self, what: What, integration: str) -> Counter[Named]:
        """The whole hour, or as much of it as is known."""
        return sum(self.each(what, integration), Counter[Named]())

    def handled(self, stage: str, topic: str) -> Sequence[int]:
        """How many records the stage ended in each minute, from the first on of which that is known."""
        if self.since_ms is None:
            return ()
        unknown = MINUTES - 1 - (self.at_ms // MINUTE_MS - self.since_ms // MINUTE_MS)
        return [minute[stage, topic] for minute in self.each("handled", ALL)][max(unknown, 0) :]


def _by_integration(minutes: Sequence[Mapping[Figure, int]]) -> dict[tuple[What, str], Sequence[Counter[Named]]]:
    found: dict[tuple[What, str], list[Counter[Named]]] = {}
    for at, minute in enumerate(minutes):
        for (what, whose, one, other), number in minute.items():
            if (what, whose) not in found:
                found[what, whose] = [Counter[Named]() for _ in minutes]
            found[what, whose][at][one, other] += number
    return dict(found)


def _together(figures: Mapping[tuple[What, str], Sequence[Counter[Named]]]) -> dict[What, Sequence[Counter[Named]]]:
    found: dict[What, list[Counter[Named]]] = {}
    for (what, _), minutes in figures.items():
        sums = found.setdefault(what, [Counter[Named]() for _ in minutes])
        for sum_, minute in zip(sums, minutes, strict=True):
            sum_.update(minute)
    return dict(found)


@dataclass(slots=True)
class LastHour:
    """Takes the figures of every process as they come, and keeps what was gained in each minute.

    What a process gained between its last figures and its end is in none: five seconds, where it was killed.
    """

    begin_ms: int  # from when on figures are taken
    _before: dict[tuple[str, int], tuple[int, Counter[Figure]]] = field(default_factory=dict)
    _minutes: dict[int, Counter[Figure]] = field(default_factory=dict)
    _since_ms: int | None = None

    def take(self, row: Vitals) -> None:
        """The figures of one process, none older than those before."""
        process, now = (row.process, row.started_at_ms), Counter[Figure]()
        for figure, number in _figures(row):
            now[figure] += number
        at_ms, before = self._before.get(process, (0, None))
        if at_ms >= row.at_ms:
            return
        self._before[process] = row.at_ms, now
        begins_here = row.started_at_ms >= self.begin_ms
        since_ms = row.started_at_ms if begins_here else row.at_ms
        self._since_ms = since_ms if self._since_ms is None else min(self._since_ms, since_ms)
        if before is None and not begins_here:
            return  # totals of longer than the hour
        minute = self._minutes.setdefault(row.at_ms // MINUTE_MS, Counter())
        for (what, whose, one, other), number in (now - (before or Counter())).items():
            minute[what, ALL if what == "handled" else whose, one, other] += number

    def told(self, now_ms: int) -> Hour:
        """The hour until now; older minutes are forgotten."""
        last = now_ms // MINUTE_MS
        minutes = range(last - MINUTES + 1, last + 1)
        self._minutes = {minute: gained for minute, gained in self._minutes.items() if minute in minutes}
        self._before = {one: known for one, known in self._before.items() if known[0] > now_ms - HOUR_MS}
        since_ms = None if self._since_ms is None else max(self._since_ms, minutes[0] * MINUTE_MS)
        figures = _by_integration([self._minutes.get(minute, Counter()) for minute in minutes])
        return Hour(now_ms, since_ms, figures, _together(figures))


def _figures(row: Vitals) -> Iterator[tuple[Figure, int]]:
    for end in row.outcomes:
        stage = f"{row.role} {end.stage}" if row.role in ("hubspot", "userflow") else end.stage
        yield ("ended", end.integration, stage, end.outcome), end.number
    for one in row.mappings:
        for word, number in (("linked", one.linked), ("not_linked", one.not_linked), ("several", one.several)):
            yield ("linked", one.integration, one.mapping, word), number
        yield ("linked", one.integration, one.mapping, "refused"), one.refused
    for place in row.places:  # by partition: each counts from when the process got it
        yield ("handled", str(place.partition), place.stage, place.topic), place.finished
    for took in row.durations:
        if took.part == "whole" and not took.bulk:
            yield ("took_ms", took.integration, took.system, ""), took.sum_ms
            for bound, number in enumerate(took.counts):
                yield ("took", took.integration, took.system, str(bound)), number
