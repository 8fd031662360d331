"""Records of one integration that raise stop nobody; records of many that raise in a row do."""

import pytest

from pipeline.agents.brake import FAILURES_IN_A_ROW, INTEGRATIONS, OF_EACH, Brake

NAMES = "abcdef"


def first_stop(names: str, most: int = 10 * FAILURES_IN_A_ROW) -> int | None:
    """Which failure in a row stops the process, the integrations taking turns; None: none of so many does."""
    brake = Brake()
    return next((n + 1 for n in range(most) if brake.raised(names[n % len(names)])), None)


@pytest.mark.parametrize("several", range(1, INTEGRATIONS))
def test_few_integrations_never_stop_the_process(several: int) -> None:
    assert first_stop(NAMES[:several]) is None


@pytest.mark.parametrize("several", range(INTEGRATIONS, len(NAMES) + 1))
def test_many_integrations_stop_it_at_the_hundredth(several: int) -> None:
    assert first_stop(NAMES[:several]) == FAILURES_IN_A_ROW


def test_a_bad_record_of_others_is_no_fault_of_our_code() -> None:
    brake = Brake()
    bad = [*"bc" * (OF_EACH - 1), *"a" * 5 * FAILURES_IN_A_ROW]
    assert not any(list(map(brake.raised, bad)))
    assert [brake.raised(name) for name in "bc"] == [False, True]


def test_one_that_is_decided_starts_the_count_anew() -> None:
    brake = Brake()
    for _ in range(3):
        assert not any(list(map(brake.raised, (NAMES[n % 3] for n in range(FAILURES_IN_A_ROW - 1)))))
        brake.passed()
