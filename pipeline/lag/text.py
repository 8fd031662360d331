"""The road as tables and sentences."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from pipeline.lag.judging import BUDGET, Lag, TopicLag
from pipeline.lag.report import by_integration
from pipeline.lag.stages import STAGES

HEAD: Final = ("STAGE", "TOPIC", "LAG", "BEHIND", "IN/S", "OUT/S", "")
PLACES_HEAD: Final = (
    "GROUP",
    "TOPIC",
    "PARTITION",
    "CURRENT-OFFSET",
    "LOG-END-OFFSET",
    "LAG",
    "MARKERS",
    "BEHIND",
    "CONSUMER-ID",
)
INTEGRATION_HEAD: Final = ("INTEGRATION", "STAGE", "TOPIC", "LAG", "BEHIND", "LIVE-BEHIND")
NAMES: Final = {"hubspot": "HubSpot", "userflow": "Userflow"}
RETENTION_SOON_S: Final = 6 * 3600.0
FEW: Final = 10.0  # rates and seconds below it are shown with a digit more

Row = tuple[str, ...]


def stage_table(lag: Lag, parked: dict[str, list[str]], changes_retention_days: int | None = None) -> list[str]:
    """A line for each topic before each stage, what is in memory, what is parked, and what it comes to."""
    rows: list[Row] = []
    told = ""
    for topic in _shown(lag):
        rows.append(
            (
                "" if topic.stage == told else topic.stage,
                topic.topic,
                f"{'' if topic.exact else '~'}{topic.lag:,}",
                seconds(lag.behind_s(topic.oldest)),
                rate(topic.in_per_s),
                rate(topic.out_per_s),
                _notes(topic),
            )
        )
        told = topic.stage
        if topic.in_memory:
            since = topic.in_memory_at_ms
            behind = None if since is None else max(lag.at_ms - since, 0) / 1000
            told_ms = topic.overdue_since_ms
            note = "" if told_ms is None else f"as of {seconds((lag.at_ms - told_ms) / 1000)} ago, nothing since"
            rows.append(("", "in memory", f"{topic.in_memory:,}", seconds(behind), "", "", note))
    for number, (system, names) in enumerate(sorted(parked.items())):
        note = f"of {', '.join(names)}: patches are derived again when {NAMES.get(system, system)} is back"
        rows.append(("" if number else "parked", system, f"{len(names):,}", "", "", "", note if names else ""))
    return [*aligned(HEAD, rows, right=(2, 3, 4, 5)), *sentences(lag, changes_retention_days)]


def sentences(lag: Lag, changes_retention_days: int | None) -> list[str]:
    """How far behind the road is, of what, and what retention is about to reach."""
    oldest, live = lag.oldest, [one.oldest_live for one in lag.places if one.oldest_live is not None]
    if oldest is None:
        found = ["behind: nothing waits"]
    else:
        place, waiting = oldest
        cause = waiting.cause
        of = f" as {cause.topic}[{cause.partition}]@{cause.offset}" if cause is not None and cause.topic else ""
        where = f"{place.place.topic}[{place.place.partition}]@{waiting.offset}"
        newest = lag.behind_s(min(live, key=lambda one: one.at_ms)) if live else None
        apart = f"; live only: {seconds(newest) if newest is not None else 'nothing waits'}"
        behind = seconds(lag.behind_s(waiting))
        found = [f"behind: {behind} ({where}, first held {_clock(waiting.at_ms)}{of}){apart}"]
    found += [f"{number:,} of the records are of full sync {run}" for run, number in sorted(lag.runs().items())]
    for topic in lag.topics:
        at_ms = topic.retention_reaches_ms(changes_retention_days)
        if at_ms is not None and (at_ms - lag.at_ms) / 1000 < RETENTION_SOON_S:
            moment = datetime.fromtimestamp(at_ms / 1000, UTC)
            found.append(f"{topic.topic}: retention reaches unread records at {moment:%Y-%m-%d %H:%M} UTC")
    return found


def place_table(lag: Lag, group: str | None = None) -> list[str]:
    """A line for each partition, in Kafka's own columns."""
    rows = dict.fromkeys(
        (
            place.group,
            place.topic,
            str(place.partition),
            str(place.position),
            str(place.end),
            f"{place.unread.records:,}",
            f"{place.markers:,}",
            seconds(lag.behind_s(one.oldest)),
            place.member or "-",
        )
        for one in lag.places
        for place in [one.place]
        if group in (None, place.group)
    )
    return aligned(PLACES_HEAD, list(rows), right=(2, 3, 4, 5, 6, 7))


def integration_table(lag: Lag) -> list[str]:
    """A line for each integration before each stage where something of it waits."""
    rows: list[Row] = [
        (
            one["integration"] or "-",
            one["stage"],
            one["topic"],
            f"{one['lag']:,}",
            seconds(one["behind_s"]),
            seconds(one["live_behind_s"]),
        )
        for one in sorted(by_integration(lag), key=lambda one: one["integration"])
    ]
    return aligned(INTEGRATION_HEAD, rows, right=(3, 4, 5)) if rows else ["nothing waits of any integration"]


def too_late(lag: Lag, allowed_s: float) -> list[str]:
    """A sentence for each stage that is further behind than that."""
    behind = lag.stage_behind()
    return [
        f"{stage.name} is {seconds(behind[stage.name])} behind (allowed: {allowed_s:g} s)"
        for stage in STAGES
        if behind[stage.name] > allowed_s
    ]


def _shown(lag: Lag) -> list[TopicLag]:
    always = {(stage.name, topic) for stage in STAGES for topic in stage.always}
    return [one for one in lag.topics if (one.stage, one.topic) in always or one.lag or one.in_memory]


def _notes(topic: TopicLag) -> str:
    found = []
    if topic.state != "OK":
        found.append(f"{topic.state}: {topic.why}")
    if held := held_back(topic):
        found.append(held)
    if topic.lag and topic.drain_s is not None and topic.trend == "shrinking":
        found.append(f"{left(topic.drain_s)} left")
    return ", ".join(found)


def held_back(topic: TopicLag) -> str:
    """What keeps a sink from what waits for it; empty: nothing that was told."""
    if not (topic.limited_by and topic.lag and topic.stage.endswith("sink")):
        return ""
    name = NAMES[topic.stage.split()[0]]
    return f"limited by {name}'s limits" if topic.limited_by == BUDGET else f"limited by {name} (429)"


def seconds(value: float | None) -> str:
    """`0.4 s`, `92 s`; a dash where nothing waits."""
    if value is None:
        return "-"
    return f"{value:.1f} s" if value < FEW else f"{value:,.0f} s"


def rate(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1f}".removesuffix(".0") if value < FEW else f"{value:,.0f}"


def left(value: float) -> str:
    """`40 s`, `6 min`."""
    return f"{value:.0f} s" if value < 100 else f"{value / 60:.0f} min"


def _clock(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%H:%M:%S}"


def aligned(head: Row, rows: Sequence[Row], right: Sequence[int]) -> list[str]:
    """Columns as wide as they need to be; numbers stand at the right."""
    cells = [head, *rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    return [
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
