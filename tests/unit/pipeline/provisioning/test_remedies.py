"""What a system's refusal of an apply tells the owner of the file."""

from collections.abc import Mapping

import pytest

from pipeline.operations.apply import desired, refusal
from pipeline.provisioning.remedies import REMEDIES, problem, remedy
from schemas.values import SYSTEMS
from tests.unit.pipeline.integration_file.files import GOOD, loaded


def told(reason: str) -> str:
    file = loaded(GOOD)
    return refusal(reason, file, desired(file, lambda *_: b"", 1), {})


def test_the_line_what_is_wrong_and_what_to_do() -> None:
    line = next(number for number, text in enumerate(GOOD.splitlines(), 1) if "account:" in text)
    assert told("hubspot: failed: wrong_account") == (
        f"acme.yaml:{line}: hubspot.account: the credentials are of another account (wrong_account). "
        "Fix: give its number, or credentials of this one."
    )


@pytest.mark.parametrize("reason", ["hubspot: needs reconnect: unauthorized", "userflow: needs reconnect: forbidden"])
def test_credentials_that_are_not_accepted(reason: str) -> None:
    assert told(reason).startswith("acme.yaml:")
    assert "Fix: give a" in told(reason)


def test_a_reason_that_nobody_knows_is_told_as_it_is() -> None:
    assert "hubspot refuses: of_tomorrow" in told("hubspot: failed: of_tomorrow")
    assert remedy("hubspot", "of_tomorrow") is None


def test_every_place_is_one_of_a_file() -> None:
    places: Mapping[str, object] = loaded(GOOD).positions.places
    for system in SYSTEMS:
        for reason, known in REMEDIES[system].items():
            assert problem(loaded(GOOD).positions, system, reason).line > 0
            assert known.path.split(".")[0] in places
