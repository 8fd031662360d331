"""The rows of `sync.runs` as runs: each with its own row, its parts, and what people asked of it. Pure."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from schemas.runs import OPEN, FullSyncRun, RunProgress
from schemas.values import System

STOP: Final = "stop"
CONFIRM: Final = "confirm"
SYSTEMS: Final[tuple[System, ...]] = ("userflow", "hubspot")  # Userflow first: most of a CRM has no user


@dataclass(frozen=True, slots=True)
class Run:
    """One full sync. `parts` are by their names: the key without the run id."""

    row: RunProgress
    parts: Mapping[str, RunProgress] = field(default_factory=dict)

    @property
    def run_id(self) -> str:
        return self.row.run_id

    @property
    def full_sync(self) -> FullSyncRun:
        return self.row.full_sync or FullSyncRun()

    @property
    def under_way(self) -> bool:
        return self.row.state in OPEN

    @property
    def stop_asked(self) -> bool:
        return STOP in self.parts

    @property
    def confirm_asked(self) -> bool:
        return CONFIRM in self.parts


def runs_of(rows: Mapping[str, RunProgress]) -> Mapping[str, Run]:
    """The runs by id, oldest first; parts whose run is not there are left out."""
    parts: dict[str, dict[str, RunProgress]] = defaultdict(dict)
    for key, row in rows.items():
        run_id, slash, part = key.partition("/")
        if slash:
            parts[run_id][part] = row
    own = sorted((key, row) for key, row in rows.items() if "/" not in key and row.full_sync is not None)
    return {run_id: Run(row, parts[run_id]) for run_id, row in own}


def orphans(rows: Mapping[str, RunProgress]) -> list[str]:
    """Keys of parts whose run is not there: crawls of an earlier release, parts told after their run was forgotten."""
    return [key for key in rows if "/" in key and key.partition("/")[0] not in rows]
