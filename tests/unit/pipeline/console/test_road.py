"""The road's picture says what the table says: seconds over each pipe, what stands still, and what nobody told."""

import re
from dataclasses import replace

from prometheus_client import CollectorRegistry

from pipeline.console.pages.road import calls_of, means_at, shares_to
from pipeline.console.took import took_to
from pipeline.lag.hour import HOUR_MS, MINUTE_MS, Hour, LastHour
from pipeline.observability.metrics import Metrics
from schemas.spent import Parts
from schemas.topics import MATCHES
from schemas.vitals import BOUNDS_MS, ApiVitals, DurationVitals, PlaceVitals, Vitals
from tests.unit.pipeline.console.fixtures import AT_MS, connect, in_memory
from tests.unit.pipeline.console.test_pages import lag, seen, text


def told(part: str, system: str, number: int, sum_ms: int, *, bulk: bool = False) -> Vitals:
    counts = (number, *[0] * len(BOUNDS_MS))
    took = DurationVitals(part, system, bulk, counts, sum_ms)
    return Vitals("userflow-0", "userflow", AT_MS, AT_MS - 9_000, 5_000, "0.1.0", 10, 1, durations=(took,))


async def test_the_picture_says_where_records_wait() -> None:
    it = in_memory(lambda: lag(waits_ms=252_000, records=9_480, state="STOP"))
    answer = await (await it.signed_in("viewer")).get("/road?integration=acme")
    (drawn,) = re.findall(r'<svg class="road.*?</svg>', answer.text, re.DOTALL)
    assert "4 min 12 s" in drawn and "9,480 waiting" in drawn
    assert drawn.count("stands still") == 1 and drawn.count('class="pipe bad"') == 1
    assert 'role="img" aria-label="The road' in drawn
    assert "Stopped at userflow sink" in answer.text


async def test_what_waits_says_how_long_it_is_kept() -> None:
    said = await seen(in_memory(lambda: lag(waits_ms=60_000, records=5)), "/road")
    assert "2 d 23 h" in said  # patches are kept for three days


async def test_one_integrations_share() -> None:
    it = in_memory(lambda: lag("globex", waits_ms=60_000, records=5))
    assert "By stage, of globex" in await seen(it, "/road?integration=globex")
    assert "1 min 0 s" in await seen(it, "/road?integration=globex")
    table = (await seen(it, "/road?integration=acme")).split("By stage")[1]
    assert "1 min 0 s" not in table


def test_means_are_of_live_changes_alone() -> None:
    rows = [told("read", "userflow", 2, 400), told("write", "userflow", 1, 99_000, bulk=True)]
    assert means_at("userflow", rows) == [0.2, None, None]
    assert means_at("hubspot", rows) == [None, None, None]


def whole(system: str, parts: Parts, *, bulk: bool = False) -> Vitals:
    """The figures of a connector that has written one change."""
    metrics = Metrics(CollectorRegistry())
    metrics.change_visible(system, bulk, parts)
    return replace(told("read", system, 1, 1), durations=metrics.durations())


def test_a_release_that_counts_under_other_bounds_is_counted_too() -> None:
    ours = told("whole", "userflow", 1, 10)
    rows = [ours, *(replace(ours, durations=(replace(ours.durations[0], counts=other),)) for other in ((0, 5), ()))]
    took = took_to("userflow", rows)
    assert (took.number, took.half_ms) == (6, BOUNDS_MS[1])


def test_the_shares_of_a_change_are_those_of_live_ones_in_one_direction() -> None:
    rows = [
        whole("userflow", Parts(100, 300, 0, 100)),
        whole("userflow", Parts(100, 100, 100, 200)),
        whole("userflow", Parts(9_000, 9_000, 9_000, 9_000), bulk=True),
        whole("hubspot", Parts(9_000, 9_000, 9_000, 9_000)),
    ]
    shares = [(one.part, one.seconds, one.percent) for one in shares_to("userflow", rows)]
    assert shares == [("pairstream", 0.1, 20), ("read", 0.2, 40), ("budget", 0.05, 10), ("write", 0.15, 30)]
    assert shares_to("userflow", rows[2:]) == []
    assert [one.percent for one in shares_to("userflow", [whole("userflow", Parts(0, 0, 0, 0))])] == [0, 0, 0, 0]


async def test_where_the_time_goes_is_drawn_and_said() -> None:
    found = replace(lag(), processes=(whole("userflow", Parts(100, 300, 0, 100)),))
    said = (await (await in_memory(lambda: found).signed_in("viewer")).get("/road")).text
    assert 'aria-label="Pairstream 20 %, answers to reads 60 %, waiting for limits 0 %, Userflow' in said
    assert "no change was written" in said  # to HubSpot


def test_requests_are_summed_by_system_and_purpose() -> None:
    first, second = told("read", "hubspot", 1, 1), told("write", "hubspot", 1, 1)
    rows = [
        replace(first, calls=(ApiVitals("hubspot", "live_read", 3, 1, 500),)),
        replace(second, calls=(ApiVitals("hubspot", "live_read", 4), ApiVitals("userflow", "write", 9))),
    ]
    assert calls_of(rows) == [("userflow", "write", 9, 0, 0.0), ("hubspot", "live_read", 7, 1, 0.5)]


async def test_a_limit_is_told_where_it_holds_something_back_and_nowhere_else() -> None:
    looked = lag(waits_ms=1_000, records=5)
    topics = tuple(replace(one, limited_by="unknown") for one in looked.topics)
    it = in_memory(lambda: replace(looked, topics=topics))
    connect(it)
    said = text((await (await it.signed_in("viewer")).get("/road")).text)
    assert said.count("limited by Userflow (429)") == said.count("limited by") == 1


async def test_each_stage_has_a_line_of_what_it_ended_in_the_last_hour() -> None:
    def hour() -> Hour:
        made = LastHour(AT_MS - HOUR_MS)
        for at_ms, ended in ((AT_MS - 3 * MINUTE_MS, 100), (AT_MS - MINUTE_MS, 140), (AT_MS, 141)):
            place = PlaceVitals("pairs", MATCHES, 0, 0, 0, ended)
            made.take(Vitals("worker-0", "worker", at_ms, 1, 5_000, "0.1.0", 10, 1, places=(place,)))
        return made.told(AT_MS)

    it = in_memory(lambda: lag(waits_ms=252_000, records=9_480, state="STOP"), hour=hour)
    await it.desk.hour_look.get()
    for path in ("/road", "/road?integration=acme"):  # of whom they were no place tells
        table = (await (await it.signed_in("viewer")).get(path)).text.split('id="tab"')[1].split("</section>")[0]
        lines = dict(re.findall(r'<svg class="spark ?(\w*)" width="88".*?aria-label="(.*?)"', table))
        assert re.search(r'class="spark "[^>]*aria-label="pairs, sync.matches: records ended[^"]*at most 40"', table)
        assert "userflow sink" in lines["bad"]  # coloured like its stage
        assert table.count('<svg class="spark') == table.count("<tr ") - 1


async def test_without_vital_signs_no_line_is_drawn() -> None:
    said = await seen(in_memory(lambda: lag(waits_ms=60_000, records=5)), "/road")
    assert "Last hour" in said and "not known" in said
    answer = await (await in_memory(lag).signed_in("viewer")).get("/road")
    assert 'class="spark' not in answer.text
