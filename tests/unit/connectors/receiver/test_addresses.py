"""The address that counts for a signature: the configured one, whatever a request says of its own."""

import pytest

from tests.unit.connectors.receiver.receiving import (
    HUBSPOT_URL,
    Bench,
    code,
    events,
    signed,
)


async def test_the_url_that_counts_is_the_public_one_with_hubspots_escapes_undone() -> None:
    bench = Bench()
    headers = signed(events(62515), url=f"{HUBSPOT_URL}?shard=a%20b&tag=x:y")

    # HubSpot undoes %3A before it signs
    response = await bench.call("/webhooks/hubspot?shard=a%20b&tag=x%3Ay", events(62515), headers)

    assert response.status_code == 200


@pytest.mark.parametrize(("scheme", "host"), [("https", "evil.com"), ("http", "sync.acme.com")])
async def test_what_a_request_says_of_its_own_address_does_not_count(scheme: str, host: str) -> None:
    headers = signed(events(62515), url=f"{scheme}://{host}/webhooks/hubspot") | {"X-Forwarded-Proto": scheme}

    response = await Bench().call("/webhooks/hubspot", events(62515), headers, host=host)

    assert (response.status_code, code(response)) == (401, "mismatch")


async def test_the_query_is_part_of_what_is_signed() -> None:
    bench = Bench()

    response = await bench.call("/webhooks/hubspot?shard=b", events(62515), signed(events(62515)))

    assert (response.status_code, code(response)) == (401, "mismatch")


@pytest.mark.parametrize("path", ["/webhooks/hubspot", "/pairstream/webhooks/hubspot"], ids=["taken off", "kept"])
async def test_a_path_of_the_public_url_may_be_kept_by_the_proxy_or_not(path: str) -> None:
    bench = Bench(public_url="https://acme.com/pairstream/")
    headers = signed(events(62515), url="https://acme.com/pairstream/webhooks/hubspot")

    assert (await bench.call(path, events(62515), headers)).status_code == 200
    assert (await bench.call(path, events(62515), signed(events(62515)))).status_code == 401
