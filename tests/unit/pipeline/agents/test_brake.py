"""Records of one integration that raise stop nobody; those of many in a row do, and code that raises at any."""

import pytest

from pipeline.agents.brake import ASKS_EACH, FAILURES_IN_A_ROW, INTEGRATIONS, OF_ANY, OF_EACH, OF_MANY, Brake

NAMES = "abcdef"


class Code:
    """What decides the records that are made up for a look; asked, it counts."""

    def __init__(self, *, works: bool) -> None:
        self.works = works
        self.looks = 0

    def try_out(self) -> None:
        self.looks += 1
        if not self.works:
            raise LookupError("at any record")


def brake() -> Brake:
    return Brake(Code(works=True).try_out)


def first_stop(names: str, most: int = 10 * FAILURES_IN_A_ROW) -> int | None:
    """Which failure in a row stops the process, the integrations taking turns; None: none of so many does."""
    it = brake()
    return next((n + 1 for n in range(most) if it.raised(names[n % len(names)])), None)


@pytest.mark.parametrize("several", range(1, INTEGRATIONS))
def test_few_integrations_never_stop_the_process(several: int) -> None:
    assert first_stop(NAMES[:several]) is None


@pytest.mark.parametrize("several", range(INTEGRATIONS, len(NAMES) + 1))
def test_many_integrations_stop_it_at_the_hundredth(several: int) -> None:
    assert first_stop(NAMES[:several]) == FAILURES_IN_A_ROW


def test_a_bad_record_of_others_is_no_fault_of_our_code() -> None:
    it = brake()
    bad = [*"bc" * (OF_EACH - 1), *"a" * 5 * FAILURES_IN_A_ROW]
    assert not any(list(map(it.raised, bad)))
    assert [it.raised(name) for name in "bc"] == ["", OF_MANY]


def test_one_that_is_decided_starts_the_count_anew() -> None:
    it = brake()
    for _ in range(3):
        assert not any(list(map(it.raised, (NAMES[n % 3] for n in range(FAILURES_IN_A_ROW - 1)))))
        it.passed()


def test_code_that_fails_at_any_record_stops_it_with_a_single_integration() -> None:
    """With one integration or two, every record became a dead letter, as if the data were bad."""
    it = Brake(Code(works=False).try_out)
    assert [it.raised("a") for _ in range(ASKS_EACH)] == [*[""] * (ASKS_EACH - 1), OF_ANY]


def test_it_is_looked_at_seldom_and_never_while_records_pass() -> None:
    code = Code(works=True)
    it = Brake(code.try_out)
    for _ in range(5 * ASKS_EACH):
        it.raised("a")
    assert code.looks == 5
    for _ in range(5 * ASKS_EACH):
        it.passed()
        it.raised("a")
    assert code.looks == 5
