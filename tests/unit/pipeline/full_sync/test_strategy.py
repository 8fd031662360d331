"""The cheapest way to read two sides, by the calls that each way takes."""

from dataclasses import replace

import pytest

from pipeline.full_sync.strategy import Sizes, choose, provisional
from tests.unit.pipeline.full_sync.simulated import FIRMS, PEOPLE


@pytest.mark.parametrize(
    ("hubspot", "userflow", "wanted"),
    [
        (500_000, 50_000, "lookup_hubspot"),  # 500 + 500 calls, not 5,500
        (50_000, 50_000, "lists"),
        (50_000, 500_000, "lists"),
        (40, 50_000, "lookup_userflow"),  # 1 + 40 calls, not 501
        (5_000, 50_000, "lists"),
        (None, 50_000, "lookup_hubspot"),
        (None, None, "lists"),
        (40, None, "lookup_userflow"),
        (5_000, None, "lists"),
    ],
)
def test_people_by_email(hubspot: int | None, userflow: int | None, wanted: str) -> None:
    assert choose(PEOPLE, Sizes(hubspot, userflow)) == wanted


def test_where_userflows_size_is_not_known_its_list_comes_first_and_tells_it() -> None:
    assert provisional(PEOPLE, Sizes(500_000, None)) == "lookup_hubspot"
    assert provisional(PEOPLE, Sizes(40, None)) == "lookup_userflow"
    assert provisional(FIRMS, Sizes(500_000, None)) == "lists"


def test_a_field_that_is_not_unique_is_never_asked_for_by_batch() -> None:
    assert choose(FIRMS, Sizes(500_000, 50_000)) == "lists"
    assert choose(replace(FIRMS, match_hubspot="hs_object_id"), Sizes(500_000, 50_000)) == "lookup_hubspot"


def test_users_are_not_asked_for_by_a_field_that_userflow_cannot_find() -> None:
    assert choose(replace(PEOPLE, match_userflow="customer_number"), Sizes(40, 50_000)) == "lists"
