"""What `pairstream lag` prints, word by word."""

from pipeline.lag.report import report
from pipeline.lag.text import integration_table, place_table, stage_table, too_late
from schemas.vitals import InMemory
from tests.unit.pipeline.lag.roads import NOW_MS, figures, road, waiting

PARKED: dict[str, list[str]] = {"hubspot": [], "userflow": ["acme"]}


def test_the_road_while_a_sink_is_limited() -> None:
    held = InMemory("acme", 30, 0, NOW_MS - 101_000, NOW_MS - 101_000, 20)
    lag = road(
        waiting(2_911),
        figures(10_000, 920, limited="burst"),
        figures(5_000, 960, limited="burst"),
        figures(0, 1_000, held, limited="burst"),
    )
    assert stage_table(lag, PARKED) == [
        "STAGE            TOPIC                     LAG  BEHIND  IN/S  OUT/S",
        "hubspot source   hubspot.notifications       0       -     0      -",
        "userflow source  userflow.notifications      0       -     0      -",
        "objects          hubspot.changes             0       -     0      -",
        "                 userflow.changes            0       -     0      -",
        "pairs            sync.matches                0       -     0      -",
        "hubspot sink     hubspot.field-patches       0       -     0      -",
        "userflow sink    userflow.field-patches  2,911   101 s     0      8  limited by Userflow (429), 6 min left",
        "                 in memory                  30   101 s",
        "parked           hubspot                     0",
        "                 userflow                    1"
        "                       of acme: patches are derived again when Userflow is back",
        "behind: 101 s (userflow.field-patches[0]@20, first held 22:11:39); live only: 101 s",
    ]


def test_the_last_figures_of_a_process_that_tells_no_more_are_not_told_as_fresh() -> None:
    held = InMemory("acme", 30, 0, NOW_MS - 101_000, NOW_MS - 101_000, 20)
    (line,) = (one for one in stage_table(road(waiting(), figures(9_000, 7, held)), {}) if "in memory" in one)
    assert line.rstrip().endswith("30   101 s               as of 9.0 s ago, nothing since")


def test_the_first_cause_is_named() -> None:
    *_, last = stage_table(road(waiting()), {})
    assert last == (
        "behind: 92 s (userflow.field-patches[0]@9, first held 22:11:48 as hubspot.notifications[2]@4410);"
        " live only: 92 s"
    )


def test_a_full_sync_is_told_apart() -> None:
    lines = stage_table(road(waiting(2_905, bulk=True)), {})
    assert lines[-2].endswith("live only: nothing waits")
    assert lines[-1] == "2,905 of the records are of full sync run-1"


def test_the_hour_at_which_retention_reaches_what_waits() -> None:
    lines = stage_table(road(waiting(since_ms=(3 * 24 - 5) * 3_600_000)), {})
    assert lines[-1] == "userflow.field-patches: retention reaches unread records at 2023-11-15 03:13 UTC"
    assert not any("retention" in line for line in stage_table(road(waiting()), {}))


def test_a_stop() -> None:
    lines = stage_table(road(waiting(), member=None), {})
    (line,) = (line for line in lines if "userflow sink" in line)
    assert line.endswith("STOP: nobody takes its records")


def test_kafkas_own_columns() -> None:
    head, *lines = place_table(road(waiting(3)), "pairstream-userflow")
    assert head.split() == [
        "GROUP",
        "TOPIC",
        "PARTITION",
        "CURRENT-OFFSET",
        "LOG-END-OFFSET",
        "LAG",
        "MARKERS",
        "BEHIND",
        "CONSUMER-ID",
    ]
    assert [line.split() for line in lines if "patches" in line] == [
        ["pairstream-userflow", "userflow.field-patches", "0", "9", "12", "3", "0", "92", "s", "userflow-0"]
    ]
    assert ["pairstream-userflow", "userflow.requests", "0", "9", "10", "0", "1", "-", "member"] in [
        line.split() for line in lines
    ]


def test_a_place_that_two_stages_take_is_shown_once_where_they_agree() -> None:
    lines = place_table(road(waiting(0)), "pairstream-worker")
    assert sum("sync.state-commands" in line for line in lines) == 1


def test_by_integration() -> None:
    head, line = integration_table(road(waiting()))
    assert head.split() == ["INTEGRATION", "STAGE", "TOPIC", "LAG", "BEHIND", "LIVE-BEHIND"]
    assert line.split() == ["acme", "userflow", "sink", "userflow.field-patches", "100", "92", "s", "92", "s"]
    assert integration_table(road(waiting(0))) == ["nothing waits of any integration"]


def test_what_is_later_than_allowed() -> None:
    lag = road(waiting())
    assert too_late(lag, 60) == ["userflow sink is 92 s behind (allowed: 60 s)"]
    assert too_late(lag, 92) == []


def test_the_object_for_scripts_has_stable_keys() -> None:
    told = report(road(waiting(), figures(0, 7)), PARKED)
    assert list(told) == [
        "at_ms",
        "lag",
        "behind_s",
        "live_behind_s",
        "oldest",
        "stages",
        "partitions",
        "integrations",
        "runs",
        "parked",
        "processes",
    ]
    assert (told["lag"], told["behind_s"], told["live_behind_s"]) == (100, 92, 92)
    assert told["oldest"] == {
        "place": "userflow.field-patches[0]@9",
        "stage": "userflow sink",
        "first_held_at_ms": NOW_MS - 92_000,
        "caused_by": "hubspot.notifications[2]@4410",
    }
    (sink,) = (one for one in told["stages"] if one["topic"] == "userflow.field-patches")
    assert list(sink) == [
        "stage",
        "group",
        "topic",
        "state",
        "why",
        "lag",
        "exact",
        "markers",
        "behind_s",
        "live_behind_s",
        "in_per_s",
        "out_per_s",
        "trend",
        "drain_s",
        "limited_by",
        "in_memory",
        "in_memory_s",
        "retention_reaches_at_ms",
    ]


def test_a_road_at_rest_is_zero_behind() -> None:
    told = report(road(waiting(0)), {})
    assert (told["lag"], told["behind_s"], told["oldest"]) == (0, 0.0, None)
