"""How long parts took, in the buckets of the vital signs."""

from pipeline.observability.durations import Durations
from schemas.vitals import BOUNDS_MS


def test_each_falls_under_the_first_bound_that_is_not_less() -> None:
    durations = Durations()
    for seconds in (0.0, 0.05, 0.051, 3_600.0, 4_000.0):
        durations.took("whole", "userflow", False, seconds)
    (told,) = durations.vitals()
    counts = dict(zip((*BOUNDS_MS, "above"), told.counts, strict=True))
    assert {bound: number for bound, number in counts.items() if number} == {50: 2, 100: 1, 3_600_000: 1, "above": 1}
    assert told.sum_ms == 7_600_101


def test_parts_systems_and_bulk_are_told_apart() -> None:
    durations = Durations()
    durations.took("write", "userflow", True, 1)
    durations.took("write", "hubspot", True, 1)
    durations.took("write", "hubspot", False, 1)
    durations.took("budget", "hubspot", False, 1)
    assert [(one.part, one.system, one.bulk) for one in durations.vitals()] == [
        ("budget", "hubspot", False),
        ("write", "hubspot", False),
        ("write", "hubspot", True),
        ("write", "userflow", True),
    ]
