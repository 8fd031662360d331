"""How records of one integration ended within the last hour, and how long live changes took, as shown. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pipeline.console.took import Took, means_in, took_in
from pipeline.console.words import clock
from pipeline.core.outcome import Outcome
from pipeline.lag.hour import MINUTE_MS, Hour
from schemas.values import SYSTEMS, System

LATELY: Final = 10
"""Minutes that a rate is of, the one that is not over aside."""
OWN: Final[frozenset[Outcome]] = frozenset({"derived", "held"})
"""A step's own ends: the record goes on, and ends as another one."""
_EVENTS: Final = "hubspot timeline"


@dataclass(frozen=True, slots=True)
class EndKind:
    """Some outcomes under one name."""

    name: str
    sign: str  # the class that colours it
    outcomes: frozenset[str]
    always: bool = True  # whether it is named where none ended so


KINDS: Final[Sequence[EndKind]] = (
    EndKind("Written", "work", frozenset({"written"})),
    EndKind("Equal: nothing to write, our own echoes too", "idle", frozenset({"equal"})),
    EndKind("Not linked", "ink", frozenset({"unmatched"})),
    EndKind("Older than what is known", "warn", frozenset({"stale"})),
    EndKind("Refused", "bad", frozenset({"refused", "dead-lettered", "contested"})),
    EndKind("Several candidates, nothing written", "bad", frozenset({"ambiguous", "crowded"})),
    EndKind("Parked until its system is back", "warn", frozenset({"parked"}), always=False),
    EndKind("A later value took its place", "idle", frozenset({"superseded"}), always=False),
    EndKind("Of what was erased or disconnected", "idle", frozenset({"erased", "disconnected"}), always=False),
)
OTHERS: Final = EndKind("In another way, as a newer release tells", "idle", frozenset(), always=False)


@dataclass(frozen=True, slots=True)
class End:
    """One kind."""

    kind: EndKind
    number: int
    percent: float


@dataclass(frozen=True, slots=True)
class Rate:
    """How many a minute, lately and minute by minute."""

    per_minute: float
    minutes: Sequence[int]


@dataclass(frozen=True, slots=True)
class Ends:
    """The last hour of one integration."""

    since: str  # from when on it is known; empty: the whole hour is
    total: int
    kinds: Sequence[End]
    columns: Sequence[Sequence[tuple[int, str]]]  # minute by minute: how many, and the class that colours them
    written: Mapping[System, Rate]
    events: Rate
    took: Mapping[System, Took]
    means_ms: Mapping[System, Sequence[int]]  # of the minutes in which a change was written
    links: Mapping[str, Counter[str]]  # by mapping: how the pairs are linked whose records ended

    @property
    def shares(self) -> list[tuple[float, str]]:
        """Percent of each kind, and the class that colours it."""
        return [(one.percent, one.kind.sign) for one in self.kinds if one.number]

    @property
    def all_written(self) -> Rate:
        """To both systems."""
        rates = list(self.written.values())
        minutes = [sum(several) for several in zip(*(rate.minutes for rate in rates), strict=True)]
        return Rate(sum(rate.per_minute for rate in rates), minutes)


def ends_of(integration: str, hour: Hour) -> Ends | None:
    """None where no process has told of itself."""
    if hour.since_ms is None:
        return None
    minutes = hour.each("ended", integration)
    by_kind = [_by_kind(minute) for minute in minutes]
    totals = sum(by_kind, Counter[EndKind]())
    total = totals.total()
    known = min(max((hour.at_ms // MINUTE_MS * MINUTE_MS - hour.since_ms) // MINUTE_MS, 1), LATELY)

    def rate(stage: str) -> Rate:
        numbers = [minute[stage, "written"] for minute in minutes]
        return Rate(sum(numbers[-1 - known : -1]) / known, numbers)

    took, took_ms = hour.each("took", integration), hour.each("took_ms", integration)
    links: dict[str, Counter[str]] = {}
    for (mapping, word), number in hour.all("linked", integration).items():
        links.setdefault(mapping, Counter())[word] += number
    return Ends(
        "" if hour.since_ms <= hour.at_ms - 59 * MINUTE_MS else clock(hour.since_ms, hour.at_ms),
        total,
        [
            End(kind, totals[kind], 100 * totals[kind] / total if total else 0.0)
            for kind in (*KINDS, OTHERS)
            if kind.always or totals[kind]
        ],
        [[(found[kind], kind.sign) for kind in (*KINDS, OTHERS) if found[kind]] for found in by_kind],
        {system: rate(f"{system} sink") for system in SYSTEMS},
        rate(_EVENTS),
        {system: took_in(system, took) for system in SYSTEMS},
        {system: list(means_in(system, took, took_ms)) for system in SYSTEMS},
        links,
    )


def _by_kind(minute: Counter[tuple[str, str]]) -> Counter[EndKind]:
    found = Counter[EndKind]()
    for (_, outcome), number in minute.items():
        if outcome not in OWN:
            found[next((kind for kind in KINDS if outcome in kind.outcomes), OTHERS)] += number
    return found
