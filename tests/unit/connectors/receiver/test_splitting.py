"""A body for several accounts: each gets its own events, and whose secret did not sign gets none."""

import json
from dataclasses import replace

import pytest

from tests.unit.connectors.receiver.receiving import (
    ACME,
    BETA,
    OTHER_APP,
    Bench,
    Book,
    code,
    events,
)


async def test_of_a_body_for_several_accounts_of_one_app_each_gets_its_own_events() -> None:
    bench = Bench()

    assert (await bench.hubspot(events(62515, 777, 62515, 999))).status_code == 200
    kept = {one.integration: json.loads(one.body) for one in bench.shelf.stored}
    assert kept == {"acme": json.loads(events(62515, 62515)), "beta": json.loads(events(777))}


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b'[{"portalId": 62515}, {"portalId": "777"}, "odd", {}]', {"acme": [62515], "beta": ["777"]}),
        (b'[{"portalId": 62515, "of": {"portalId": 777}}]', {"acme": [62515]}),
    ],
)
async def test_what_names_no_account_goes_to_all_and_nothing_to_who_is_named_within_an_event(
    body: bytes, kept: dict[str, list[object]]
) -> None:
    bench = Bench()

    assert (await bench.hubspot(body)).status_code == 200
    stored = {one.integration: json.loads(one.body) for one in bench.shelf.stored}
    own = {name: [item["portalId"] for item in items if item and item != "odd"] for name, items in stored.items()}
    assert own == kept
    assert all((items[1:] == ["odd", {}]) == (b"odd" in body) for items in stored.values())


async def test_a_body_of_several_accounts_that_is_no_list_is_kept_as_it_came_for_each() -> None:
    bench = Bench()
    body = events(62515, 777)[:-1]

    assert (await bench.hubspot(body)).status_code == 200
    assert bench.shelf.integrations == ["acme", "beta"]
    assert {one.body for one in bench.shelf.stored} == {body}


async def test_unknown_accounts_beside_a_known_one_are_counted() -> None:
    bench = Bench()

    assert (await bench.hubspot(events(62515, 998, 999))).status_code == 200
    assert bench.shelf.integrations == ["acme"]
    assert bench.counted == {("hubspot", "stored"): 1, ("hubspot", "unknown"): 2}


async def test_nothing_is_stored_for_an_account_whose_secret_did_not_sign() -> None:
    bench = Bench()

    response = await bench.hubspot(events(62515, 888))

    assert (response.status_code, code(response)) == (401, "mismatch")
    assert bench.shelf.integrations == ["acme"]


async def test_of_several_refusals_the_one_that_is_ours_to_mend_is_answered() -> None:
    bench = Bench(Book([replace(ACME, hubspot_secrets=(), sealed=True), BETA, OTHER_APP]))

    response = await bench.hubspot(events(62515, 777, 888, 999))

    assert (response.status_code, code(response)) == (503, "sealed")
    assert bench.counted == {
        ("hubspot", "stored"): 1,
        ("hubspot", "sealed"): 1,
        ("hubspot", "mismatch"): 1,
        ("hubspot", "unknown"): 1,
    }
