"""The state of an integration in a word or two, worst first, and what to do about it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from pipeline.counting import counted
from pipeline.full_sync.report import percent
from pipeline.full_sync.rows import Run
from pipeline.integration_file.export import MAPS_NOTHING
from pipeline.lag.judging import STANDSTILL, Lag, PlaceLag
from pipeline.operations.full_sync import current, runs_in
from pipeline.provisioning.remedies import remedy
from schemas.configuration import IntegrationPart, IntegrationSettings
from schemas.integrations import connector_of
from schemas.values import SYSTEMS, System

Kind = Literal["ok", "work", "warn", "bad", "idle"]
State = Literal[
    "disconnected",
    "paused",
    "needs_fix",
    "needs_reconnect",
    "away",
    "connecting",
    "unmapped",
    "not_known",
    "stopped",
    "falling_behind",
    "catching_up",
    "full_sync",
    "never_synced",
    "in_step",
]
NAMES: Final[Mapping[System, str]] = {"hubspot": "HubSpot", "userflow": "Userflow"}
BEHIND_S: Final = 30.0
_HTTP: Final = "http_"
DIRECTIONS: Final[Mapping[System, frozenset[str]]] = {
    "userflow": frozenset({"hubspot.notifications", "hubspot.requests", "hubspot.changes", "userflow.field-patches"}),
    "hubspot": frozenset(
        {
            *("userflow.notifications", "userflow.requests", "userflow.changes", "userflow.activity"),
            *("hubspot.field-patches", "hubspot.timeline-events"),
        }
    ),
}
"""The topics on the way to each system; what waits as a match goes to either."""
EITHER: Final = frozenset({"sync.matches"})


@dataclass(frozen=True, slots=True)
class Condition:
    """How an integration is: its state, and, where somebody has to know, what it means and what to do.

    `name` and `more` are one sentence: "Catching up" and ", 1,204 left".
    """

    state: State
    kind: Kind
    name: str
    more: str = ""  # figures, which change while the state lasts
    sign: str = ""  # the icon, where it is not that of the kind
    percent: int | None = None  # of a full sync: how much of it is over, as far as that is known
    reason: str = ""  # of a pause, in the words of whoever asked for it
    title: str = ""
    meaning: str = ""
    code: str = ""
    needs_person: bool = False
    system: str = ""  # the one in trouble

    @property
    def word(self) -> str:
        return self.name + self.more

    @property
    def icon(self) -> str:
        return self.sign or self.kind


@dataclass(frozen=True, slots=True)
class Waiting:
    """What has not reached a system yet."""

    records: int
    behind_s: float | None  # the oldest live change; 0: none waits; None: not known


def condition(
    name: str,
    settings: IntegrationSettings,
    parts: Mapping[str, IntegrationPart],
    runs: Sequence[Run],
    lag: Lag | None,
    refused: int = 0,
    since: Mapping[System, str] = MappingProxyType({}),
) -> Condition:
    """The first state that holds. `since`: when a system that is in trouble got there, as far as that is known."""
    if settings.state == "disconnected":
        return Condition("disconnected", "idle", "Disconnected", sign="off")
    if settings.state == "paused":
        return Condition("paused", "idle", "Paused", sign="pause", reason=settings.pause_reason)
    if settings.apply_state == "failed" and not settings.active_revision:
        reason = settings.reason or "refused"
        return _needs_fix("The last apply was refused.", reason)
    for system in SYSTEMS:
        reported = connector_of(parts, name, system)
        if reported is not None and reported.connection == settings.connection and reported.status != "ok":
            return troubled(name, system, reported.status, reported.reason or "", since.get(system, ""))
    if settings.state == "connecting" or not settings.active_revision:
        return Condition("connecting", "work", "Connecting")
    if settings.document.endswith(MAPS_NOTHING):
        return Condition("unmapped", "idle", "Nothing is mapped yet", sign="info")
    return _at_work(name, runs, lag, refused)


def troubled(name: str, system: System, status: str, reason: str, since: str = "") -> Condition:
    """The state of an integration of which one system is in trouble."""
    known = remedy(system, reason)
    said = f"{known.message}." if known is not None else ""
    fix = known.fix.replace("`pairstream connect`", f"`pairstream connect {name}`") if known is not None else ""
    code = f"{system}: {status}: {reason}"
    if status == "needs_reconnect":
        title = said or f"{NAMES[system]} does not accept the credentials."
        meaning = f"Stopped at {since}. " if since else ""
        meaning += (
            "Nothing is lost: what both send is still stored, and every pair is derived again after you reconnect."
        )
        return Condition(
            "needs_reconnect",
            "bad",
            "Needs reconnect",
            title=title,
            meaning=f"{meaning} {_as_sentence(fix)}".strip(),
            code=code,
            needs_person=True,
            system=NAMES[system],
        )
    if status == "unavailable":
        answer = f"answers {reason[len(_HTTP) :]}" if reason.startswith(_HTTP) else "does not answer as it should"
        title = f"{NAMES[system]} {answer}{f' since {since}' if since else ''}. You need not do anything."
        meaning = "Pairstream tries again and goes on by itself. Nothing is lost."
        return Condition("away", "warn", f"{NAMES[system]} is away", title=title, meaning=meaning, code=code)
    return _needs_fix(said or f"{NAMES[system]} refuses.", _as_sentence(fix), code)


def _needs_fix(title: str, meaning: str, code: str = "") -> Condition:
    return Condition("needs_fix", "bad", "Needs a fix", title=title, meaning=meaning, code=code, needs_person=True)


def _as_sentence(fix: str) -> str:
    return f"{fix[:1].upper()}{fix[1:]}." if fix else ""


def _at_work(name: str, runs: Sequence[Run], lag: Lag | None, refused: int) -> Condition:
    if lag is None:
        return Condition("not_known", "idle", "Not known", sign="clock", title="The brokers do not answer.")
    stopped = [topic for topic in lag.topics if topic.state in STANDSTILL and _share(topic.places, name)]
    if stopped:
        told = f"{counted(stopped[0].lag, 'record')} of {stopped[0].topic} wait: {stopped[0].why}."
        title = f"{stopped[0].stage} stands still."
        return Condition("stopped", "bad", "Stopped", title=title, meaning=told, needs_person=True)
    run = current(name, runs)
    behind = [waiting(name, system, lag) for system in SYSTEMS]
    if run is None and any((one.behind_s or 0) > BEHIND_S for one in behind):
        left = sum(one.records for one in behind)
        if any(topic.state == "WARN" and _share(topic.places, name) for topic in lag.topics):
            return Condition("falling_behind", "warn", "Falling behind", f", {left:,} wait", "clock")
        return Condition("catching_up", "warn", "Catching up", f", {left:,} left", "clock")
    if run is not None:
        done = percent(run)
        ended = [one for one in runs_in(runs, name) if one.row.state == "completed"]
        what = "Full sync" if ended else "First full sync"
        percents = None if done is None else round(done)
        return Condition("full_sync", "work", what, "" if done is None else f", {percents} %", percent=percents)
    if not any(one.row.state == "completed" for one in runs_in(runs, name)):
        return Condition("never_synced", "idle", "No full sync yet", sign="info")
    return Condition("in_step", "ok", "In step", f" but for {refused:,} refused" if refused else "")


def waiting(name: str, to: System, lag: Lag | None) -> Waiting:
    """What of an integration has not reached that system."""
    if lag is None:
        return Waiting(0, None)
    topics = DIRECTIONS[to] | EITHER
    shares = [
        share
        for topic in lag.topics
        if topic.topic in topics
        for place in topic.places
        if (share := place.place.unread.shares.get(name)) is not None
    ]
    oldest = min((share.live_at_ms for share in shares if share.live_at_ms is not None), default=None)
    behind = 0.0 if oldest is None else max(lag.at_ms - oldest, 0) / 1000
    return Waiting(sum(share.records for share in shares), behind)


def _share(places: Sequence[PlaceLag], name: str) -> bool:
    return any(name in one.place.unread.shares for one in places)
