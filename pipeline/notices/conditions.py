"""How every integration and every stage is, as the rows and the last look at the road say. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from pipeline.full_sync.rows import Run
from pipeline.lag.judging import STATES, Lag, State
from schemas.configuration import ConnectorState, ConnectorStatus, IntegrationPart
from schemas.integrations import connected, connector_of
from schemas.operating import Condition
from schemas.values import SYSTEMS

FULL_SYNC: Final = "full-sync"
_OF_CONNECTORS: Final[Mapping[ConnectorStatus, Condition]] = {
    "ok": "ok",
    "needs_reconnect": "needs_reconnect",
    "failed": "failed",
    "unavailable": "unavailable",
}
_OF_STAGES: Final[Mapping[State, Condition]] = {"OK": "ok", "WARN": "behind", "STALL": "stopped", "STOP": "stopped"}
_TOLD: Final = frozenset({"completed", "failed"})


@dataclass(frozen=True, slots=True)
class Subject:
    """Something that has a condition. Without an integration it is a stage of the installation."""

    integration: str
    name: str

    @property
    def key(self) -> str:
        return f"{self.integration}/{self.name}"


@dataclass(frozen=True, slots=True)
class Standing:
    """How a subject is, and why."""

    condition: Condition
    reason: str = ""


Standings = Mapping[Subject, Standing]


def of_integrations(parts: Mapping[str, IntegrationPart], runs: Iterable[Run]) -> Standings:
    """Both systems and the newest full sync of every integration that is not disconnected; `runs` oldest first."""
    found: dict[Subject, Standing] = {}
    names = connected(parts)
    for name, settings in names.items():
        for system in SYSTEMS:
            state = connector_of(parts, name, system)
            if state is not None and state.connection == settings.connection:
                found[Subject(name, system)] = _of_connector(state)
    for run in runs:
        settings_now = names.get(run.row.integration)
        if run.row.state in _TOLD and settings_now and settings_now.connection == run.full_sync.connection:
            bad = run.row.state == "failed"
            standing = Standing("failed", run.row.reason or "") if bad else Standing("ok")
            found[Subject(run.row.integration, FULL_SYNC)] = standing
    return found


def of_stages(lag: Lag) -> Standings:
    """Each stage by the worst of its topics."""
    found: dict[Subject, Standing] = {}
    for one in sorted(lag.topics, key=lambda topic: STATES.index(topic.state)):
        if one.places:
            found[Subject("", one.stage)] = Standing(_OF_STAGES[one.state], one.why)
    return found


def _of_connector(state: ConnectorState) -> Standing:
    condition = _OF_CONNECTORS[state.status]
    return Standing(condition, "" if condition == "ok" else state.reason or "")
