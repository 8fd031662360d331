"""Roads made by hand: what the brokers hold, and the figures that processes wrote."""

from dataclasses import replace

from pipeline.lag.facts import Place, Share, Unread, Waiting
from pipeline.lag.judging import Lag, TopicLag, judged
from pipeline.lag.stages import STAGES
from schemas.records import Cause
from schemas.vitals import InMemory, LimitVitals, PlaceVitals, Vitals

NOW_MS = 1_700_000_000_000
SINK, PATCHES = "userflow sink", "userflow.field-patches"
CAUSE = Cause("hubspot.notifications", 2, 4_410, NOW_MS - 92_000)


def quiet() -> list[Place]:
    """Every place of one partition each, with a marker at its end."""
    return [
        Place(stage.name, stage.group, topic, 0, 9, 0, 10, Unread(), "member", True)
        for stage in STAGES
        for topic in stage.topics
    ]


def waiting(records: int = 100, *, since_ms: int = 92_000, bulk: bool = False, arrived: int = 0) -> Unread:
    """So many records, the first of which was caused `since_ms` ago and can be taken since."""
    if not records:
        return Unread(0, arrived)
    at_ms = NOW_MS - since_ms
    share = Share(records, at_ms, None if bulk else at_ms)
    return Unread(
        records,
        arrived,
        True,
        at_ms,
        (Waiting(9, at_ms, bulk, CAUSE),),
        {"acme": share},
        {"run-1": records} if bulk else {},
    )


def road(unread: Unread, *rows: Vitals, member: str | None = "userflow-0", known: bool = True) -> Lag:
    """A quiet road but for what waits before the sink."""
    places = [
        replace(one, unread=unread, end=9 + unread.records, member=member, members_known=known)
        if (one.stage, one.topic) == (SINK, PATCHES)
        else one
        for one in quiet()
    ]
    return judged(places, rows, NOW_MS)


def figures(ago_ms: int, finished: int, *held: InMemory, started_ago_ms: int = 600_000, limited: str = "") -> Vitals:
    """What the sink's process wrote so long ago."""
    at_ms = NOW_MS - ago_ms
    place = PlaceVitals(SINK, PATCHES, 0, 50, finished + sum(one.records for one in held), finished, held)
    limits = (LimitVitals("", "userflow", None, limited, at_ms),) if limited else ()
    return Vitals(
        "userflow-0", "userflow", at_ms, NOW_MS - started_ago_ms, 5_000, "0.1.0", 0, 0, (place,), limits=limits
    )


def sink(lag: Lag) -> TopicLag:
    (found,) = (one for one in lag.topics if (one.stage, one.topic) == (SINK, PATCHES))
    return found
