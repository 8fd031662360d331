"""What the decision about a run is made of, beside the run; and what comes of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from schemas.configuration import ConnectorState, IntegrationSettings
from schemas.records import ObjectMapping
from schemas.runs import RunProgress
from schemas.values import System

STALLED_MS: Final = 60_000
"""After so long without a sign of life somebody who is waited for is told as stalled."""

TOTALS: Final = "totals"
CRAWL: Final = "crawl"
CRAWLED: Final = "crawled"
ASK: Final = "ask"
ASKED: Final = "asked"
SWEEP: Final = "sweep"
SWEPT: Final = "swept"
COUNT: Final = "count"
COUNTED: Final = "counted"
HOLD: Final = "hold"
WRITE: Final = "write"
WRITE_PACED: Final = "write paced"
WRITTEN: Final = "written"
CONFIRM: Final = "confirm"
CONFIRM_PACED: Final = "confirm paced"
OPEN_YET: Final = "open"

PHASE_OF: Final[Mapping[str, str]] = {
    **dict.fromkeys((TOTALS, CRAWL, CRAWLED, ASK, ASKED, SWEEP, SWEPT), "read"),
    **dict.fromkeys((COUNT, COUNTED, HOLD, WRITE, WRITE_PACED, WRITTEN), "compare"),
    **dict.fromkeys((CONFIRM, CONFIRM_PACED, OPEN_YET), "confirm"),
}
PASSES: Final[Mapping[str, int]] = {
    **dict.fromkeys((CRAWLED, ASKED, SWEPT, COUNTED, WRITE_PACED, CONFIRM_PACED), 1),
    **dict.fromkeys((WRITTEN, OPEN_YET), 3),
}
"""Steps that wait until the road is empty of the run, and the hops that each takes at least: what is seen of a written
patch carries no run id, and takes patches, changes and matches one after the other."""


@dataclass(frozen=True, slots=True)
class RoadSeen:
    """What the brokers say of the pass under way."""

    ends: Mapping[str, int]  # `<topic>/<partition>` -> its end now
    behind: int = 0  # offsets before the ends waited for that groups have not committed
    waiting: int = 0  # of those: patches
    emitted: bool = True  # whether a record of the run lies between the ends waited for and these


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything that a decision needs to know beside the run."""

    now_ms: int
    partitions: int
    most_emptied: float
    settings: IntegrationSettings | None
    mappings: Mapping[str, ObjectMapping] = field(default_factory=dict)  # in force
    connectors: Mapping[System, ConnectorState] = field(default_factory=dict)
    read_before: Mapping[str, int] = field(default_factory=dict)  # `<system>.<type>` -> objects when last read whole
    road: RoadSeen | None = None
    superseded_by: str | None = None
    renewing: bool = False  # mappings of a revision are there that the settings do not name as active yet


@dataclass(frozen=True, slots=True)
class Command:
    """One record to be published for a step."""

    topic: str
    key: str
    record: Any
    partition: int | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """The run's next row, and the request of a run that takes its place, if there is one."""

    row: RunProgress
    successor: RunProgress | None = None
