"""The road as one picture, for wide screens: seconds over each pipe. A list beside it says the same. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

UPPER: Final = 74
LOWER: Final = 226
MIDDLE: Final = 150
TALL: Final = LOWER - UPPER + 68


@dataclass(frozen=True, slots=True)
class Pipe:
    """What waits between two stages."""

    behind: str  # `0.31 s`
    waiting: str  # `118`
    kind: str = ""  # warn, bad


@dataclass(frozen=True, slots=True)
class Box:
    """A stage."""

    rate: str  # `38/s`
    kind: str = ""  # bad


@dataclass(frozen=True, slots=True)
class Road:
    """Every stage, and what waits before each."""

    receiver: Box
    hubspot_notifications: Pipe
    userflow_notifications: Pipe
    hubspot_source: Box
    userflow_source: Box
    hubspot_changes: Pipe
    userflow_changes: Pipe
    objects: Box
    matches: Pipe
    pairs: Box
    to_userflow: Pipe
    to_hubspot: Pipe
    userflow_sink: Box
    hubspot_sink: Box


def picture(road: Road, label: str) -> Markup:
    """The SVG; `label` says what it shows."""
    drawn = Markup().join(_drawn(road))
    return Markup('<svg class="road wide-only" viewBox="0 0 1100 312" role="img" aria-label="{}">{}</svg>').format(
        label, drawn
    )


def _drawn(road: Road) -> Iterator[Markup]:
    yield _vendor(0, UPPER, 72, "HubSpot", "hs")
    yield _vendor(0, LOWER, 72, "Userflow", "uf")
    for y in (UPPER, LOWER):
        yield _arrow(72, 103, y)
    yield _box(104, UPPER - 34, 84, TALL, "Receiver", road.receiver)
    yield _pipe(188, 312, UPPER, "notifications", road.hubspot_notifications)
    yield _pipe(188, 312, LOWER, "notifications", road.userflow_notifications)
    yield _box(313, UPPER - 30, 106, 60, "HubSpot", road.hubspot_source)
    yield _box(313, LOWER - 30, 106, 60, "Userflow", road.userflow_source)
    yield _pipe(419, 532, UPPER, "changes", road.hubspot_changes)
    yield _pipe(419, 532, LOWER, "changes", road.userflow_changes)
    yield _box(533, UPPER - 34, 84, TALL, "Objects", road.objects)
    yield _pipe(617, 710, MIDDLE, "matches", road.matches)
    yield _box(711, UPPER - 34, 78, TALL, "Pairs", road.pairs)
    yield _pipe(789, 902, UPPER, "field-patches", road.to_userflow)
    yield _pipe(789, 902, LOWER, "field-patches", road.to_hubspot)
    yield _box(903, UPPER - 30, 106, 60, "Userflow", road.userflow_sink)
    yield _box(903, LOWER - 30, 106, 60, "HubSpot", road.hubspot_sink)
    for x, word in ((366, "read"), (956, "write")):
        for y in (UPPER - 38, LOWER - 38):
            yield Markup('<text class="t2" x="{}" y="{}" text-anchor="middle">{}</text>').format(x, y, word)
    for y in (UPPER, LOWER):
        yield _arrow(1009, 1029, y)
    yield _vendor(1030, UPPER, 70, "Userflow", "uf")
    yield _vendor(1030, LOWER, 70, "HubSpot", "hs")
    yield Markup(
        '<path class="back" d="M956 256V302H575V260"/><path class="hd" d="M575 261l-4 8h8z" opacity=".6"/>'
        '<text class="t2" x="766" y="297" text-anchor="middle">what was seen comes back as a change</text>'
    )


def _vendor(x: int, y: int, width: int, name: str, kind: str) -> Markup:
    return Markup(
        '<rect class="v{}" x="{}" y="{}" width="{}" height="48" rx="7"/>'
        '<text class="t{}" x="{}" y="{}" text-anchor="middle">{}</text>'
    ).format(kind, x, y - 24, width, kind, x + width // 2, y + 4, name)


def _arrow(x1: int, x2: int, y: int) -> Markup:
    return Markup('<path class="pipe" d="M{} {}H{}"/><path class="hd" d="M{} {}l-9 -5v10z"/>').format(
        x1, y, x2 - 7, x2, y
    )


def _box(x: int, y: int, width: int, height: int, name: str, box: Box) -> Markup:
    middle, centre = x + width / 2, y + height / 2
    told = "bad-t tb" if box.kind == "bad" else "t2 tn"
    return Markup(
        '<rect class="box {}" x="{}" y="{}" width="{}" height="{}" rx="7"/>'
        '<text x="{}" y="{}" text-anchor="middle" font-weight="600">{}</text>'
        '<text class="{}" x="{}" y="{}" text-anchor="middle">{}</text>'
    ).format(box.kind, x, y, width, height, middle, centre - 3, name, told, middle, centre + 13, box.rate)


def _pipe(x1: int, x2: int, y: int, topic: str, pipe: Pipe) -> Markup:
    middle = (x1 + x2) / 2 - 3
    return Markup(
        '<path class="pipe {0}" d="M{1} {2}H{3}"/><path class="hd {0}" d="M{4} {2}l-9 -5v10z"/>'
        '<text class="tb {5}" x="{6}" y="{7}" text-anchor="middle">{8}</text>'
        '<text class="t2 tn" x="{6}" y="{9}" text-anchor="middle">{10} waiting</text>'
        '<text class="tm" x="{6}" y="{11}" text-anchor="middle">{12}</text>'
    ).format(
        pipe.kind, x1, y, x2 - 7, x2, f"{pipe.kind}-t" if pipe.kind else "", middle, y - 9, pipe.behind,
        y + 17, pipe.waiting, y + 31, topic,
    )  # fmt: skip
