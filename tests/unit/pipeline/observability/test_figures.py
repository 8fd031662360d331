"""The figures of vital signs that metrics keep beside their counters."""

from prometheus_client import CollectorRegistry

from pipeline.observability.metrics import LINKS, Metrics
from schemas.spent import PARTS, Parts
from schemas.vitals import ApiVitals, MappingVitals


def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


def test_pairs_are_told_by_integration_and_mapping_and_by_how_they_are_linked() -> None:
    it = metrics()
    ends = {"derived": 2, "equal": 3, "unmatched": 4, "ambiguous": 1, "crowded": 1, "refused": 5}
    for outcome, number in ends.items():
        it.outcome("pairs", "acme", "people", outcome, number)
    it.outcome("objects", "acme", "people", "derived")
    it.outcome("pairs", "", None, "undecodable")
    it.outcome("pairs", "acme", "people", "parked")
    it.outcome("pairs", "beta", "people", "equal")
    assert it.mappings() == (MappingVitals("people", 5, 4, 2, 5, "acme"), MappingVitals("people", 1, 0, 0, 0, "beta"))


def test_the_parts_of_a_change_are_told_beside_the_whole_and_sum_up_to_it() -> None:
    it = metrics()
    it.change_visible("userflow", False, Parts(40, 300, 0, 160))
    it.change_visible("userflow", False, Parts(60, 0, 2_000, 90))
    told = {one.part: one.sum_ms for one in it.durations()}
    assert told["whole"] == 2_650 == sum(told[f"whole/{part}"] for part in PARTS)
    assert {one.system for one in it.durations()} == {"userflow"}


def test_the_whole_is_told_by_integration_its_parts_of_all_together() -> None:
    it = metrics()
    it.change_visible("userflow", False, Parts(40, 300, 0, 160), "acme")
    it.change_visible("userflow", False, Parts(60, 0, 0, 40), "beta")
    told = {(one.part, one.integration): one.sum_ms for one in it.durations()}
    assert (told["whole", "acme"], told["whole", "beta"], told["whole/write", ""]) == (500, 100, 200)


def test_every_way_to_be_linked_is_a_figure() -> None:
    assert set(LINKS.values()) == {"linked", "not_linked", "several", "refused"}


def test_calls_tell_what_they_waited_for_their_place_by_purpose() -> None:
    it = metrics()
    it.api_call("hubspot", "write", 200, 0.2)
    it.api_call("hubspot", "live_read", 429, 0.1)
    it.api_waited("hubspot", "write", 1.25)
    it.api_waited("hubspot", "write", 0.5)
    assert it.calls() == (ApiVitals("hubspot", "live_read", 1, 1, 0), ApiVitals("hubspot", "write", 1, 0, 1_750))
