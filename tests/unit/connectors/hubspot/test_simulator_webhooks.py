"""The simulated HubSpot's webhooks: what is told, how it is signed, and how badly it may arrive."""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import pytest

from connectors.hubspot.simulator import HubSpotSettings, HubSpotSimulator
from connectors.hubspot.simulator.webhooks import signature_v1, signature_v3
from tests.unit.connectors.hubspot.conftest import QUIET, SEED
from tests.unit.connectors.hubspot.test_simulator import row, update
from tests.unit.connectors.simulation.simulated import RECEIVER_URL, Receiver, caller, eventually, sample

ECONOMIC = {"webhook_window_ms": 1, "webhook_backoff_ms": 1, "webhook_backoff_cap_ms": 2}


@asynccontextmanager
async def told(receiver: Receiver, **settings: Any) -> AsyncIterator[HubSpotSimulator]:
    """A seeded portal that tells `receiver`."""
    chosen = HubSpotSettings(**{**QUIET, "webhook_target_url": RECEIVER_URL, **ECONOMIC, **settings})
    simulator = HubSpotSimulator(chosen, webhook_transport=receiver.transport)
    simulator.load(SEED)
    async with simulator:
        yield simulator


async def settled(simulator: HubSpotSimulator) -> None:
    await eventually(lambda: simulator.courier.pending == 0)


async def test_a_persons_edit_is_told_as_captures_show_it() -> None:
    receiver = Receiver()
    async with told(receiver) as portal:
        portal.edit_object("contacts", "1", {"email": "x@y.com", "city": "Paris"})
        events = await receiver.until(2)
    assert events[0].keys() == sample("hubspot", "webhook_property_change")[0].keys()
    assert [(event["propertyName"], event["propertyValue"]) for event in events] == [
        ("email", "x@y.com"),
        ("city", "Paris"),
    ]
    assert events[0]["occurredAt"] == events[1]["occurredAt"]
    assert events[0]["eventId"] != events[1]["eventId"]
    assert (events[0]["changeSource"], events[0]["objectId"]) == ("CRM_UI", 1)


async def test_requests_are_signed_over_the_target_url() -> None:
    receiver = Receiver()
    async with told(receiver, app_secret="s3cret") as portal:  # noqa: S106
        portal.edit_object("contacts", "1", {"city": "Paris"})
        await receiver.until(1)
    request = receiver.requests[0]
    timestamp = request.headers["x-hubspot-request-timestamp"]
    message = b"POST" + RECEIVER_URL.encode() + request.raw + timestamp.encode()
    expected = base64.b64encode(hmac.new(b"s3cret", message, hashlib.sha256).digest()).decode()
    assert request.headers["x-hubspot-signature-v3"] == expected
    assert request.headers["x-hubspot-signature"] == hashlib.sha256(b"s3cret" + request.raw).hexdigest()
    assert request.headers["x-hubspot-signature-version"] == "v1"


def test_signatures_are_the_published_ones() -> None:
    vectors = sample("hubspot", "signature_vectors")
    by_version = {one["version"]: one for one in vectors["vectors"]}
    v1, v3 = by_version["v1"], by_version["v3"]
    assert signature_v1(vectors["secret"], v1["body"].encode()) == v1["signature"]
    signed = signature_v3(vectors["secret"], v3["method"], v3["uri"], v3["body"].encode(), v3["timestamp"])
    assert signed == v3["signature"]


async def test_the_apps_own_writes_echo() -> None:
    receiver = Receiver()
    async with told(receiver) as portal, caller(portal.app, "pat-simulated") as api:
        await update(api, row("1", city="Paris"))
        events = await receiver.until(1)
        assert (events[0]["changeSource"], events[0]["sourceId"]) == ("INTEGRATION", str(events[0]["appId"]))
        portal.change_settings(own_writes_echo=False)
        await update(api, row("1", city="Rome"))
        await settled(portal)
    assert len(receiver.events) == 1


async def test_an_equal_write_tells_nobody() -> None:
    receiver = Receiver()
    async with told(receiver) as portal, caller(portal.app, "pat-simulated") as api:
        await update(api, row("1", firstname="Annie"))
        portal.change_settings(noop_write_counts=True)
        await update(api, row("1", firstname="Annie"))
        await settled(portal)
    assert [event["propertyValue"] for event in receiver.events] == ["Annie"]


async def test_a_workflow_speaks_for_itself() -> None:
    receiver = Receiver()
    async with told(receiver, workflows={"contacts.city": "HQ"}) as portal, caller(portal.app, "pat-simulated") as api:
        await update(api, row("1", city="Paris"))
        events = await receiver.until(2)
    assert [(event["changeSource"], event["propertyValue"]) for event in events] == [
        ("INTEGRATION", "Paris"),
        ("AUTOMATION_PLATFORM", "HQ"),
    ]
    assert events[1]["occurredAt"] > events[0]["occurredAt"]


async def test_only_subscribed_properties_are_told() -> None:
    receiver = Receiver()
    async with told(receiver, webhook_properties=("city",)) as portal:
        portal.edit_object("contacts", "1", {"city": "Paris", "jobtitle": "CEO"})
        await settled(portal)
        portal.change_settings(webhook_properties=None)
        portal.edit_object("contacts", "1", {"num_associated_deals": "3", "num_unique_conversion_events": "1"})
        portal.change_settings(calculated_fire_webhooks=True)
        portal.edit_object("contacts", "1", {"num_associated_deals": "4"})
        await settled(portal)
    assert [event["propertyName"] for event in receiver.events] == ["city", "num_associated_deals"]


@pytest.mark.parametrize(("as_epoch", "value"), [(True, "1772323200000"), (False, "2026-03-01")])
async def test_dates_may_be_told_as_milliseconds(as_epoch: bool, value: str) -> None:
    receiver = Receiver()
    async with told(receiver, webhook_dates_as_epoch=as_epoch) as portal:
        portal.edit_object("contacts", "1", {"renewal": "2026-03-01"})
        assert (await receiver.until(1))[0]["propertyValue"] == value


async def test_a_silent_edit_and_switched_off_webhooks_tell_nobody() -> None:
    receiver = Receiver()
    async with told(receiver) as portal:
        portal.edit_object("contacts", "1", {"city": "Paris"}, silent=True)
        portal.change_settings(webhooks=False)
        portal.edit_object("contacts", "1", {"city": "Rome"})
        await settled(portal)
    assert receiver.requests == []


async def test_creation_deletion_and_restore_are_told() -> None:
    receiver = Receiver()
    async with told(receiver, creation_fires_property_changes=False) as portal:
        created = portal.create_object("contacts", {"email": "new@example.com"})["id"]
        portal.delete_object("contacts", created)
        portal.restore_object("contacts", created)
        events = await receiver.until(3)
    assert [event["subscriptionType"] for event in events] == ["object.creation", "object.deletion", "object.restore"]
    assert events[0].keys() == sample("hubspot", "webhook_creation")[0].keys()
    assert events[0]["changeFlag"] == "CREATED"


async def test_a_privacy_deletion_is_told_twice_and_final() -> None:
    receiver = Receiver()
    async with told(receiver) as portal:
        portal.forget_object("contacts", "1")
        events = await receiver.until(2)
        with pytest.raises(KeyError):
            portal.restore_object("contacts", "1")
    assert [event["subscriptionType"] for event in events] == ["contact.privacyDeletion", "object.deletion"]


async def test_a_merge_and_an_association_are_told() -> None:
    receiver = Receiver()
    async with told(receiver) as portal:
        portal.associate("contacts", "2", "companies", "10", primary=True)
        survivor = portal.merge_objects("contacts", "1", "2")["id"]
        events = await receiver.until(5)
    to_company = [event for event in events if event.get("associationType") == "CONTACT_TO_COMPANY"]
    assert [event["isPrimaryAssociation"] for event in to_company] == [True, False]
    assert sample("hubspot", "webhook_association_change")[0].keys() <= to_company[0].keys()
    merge = events[-1]
    assert (merge["primaryObjectId"], merge["mergedObjectIds"], merge["newObjectId"]) == (1, [2], int(survivor))
    assert merge.keys() == sample("hubspot", "webhook_merge")[0].keys()


async def test_the_classic_form_names_the_object_but_not_a_custom_one() -> None:
    receiver = Receiver()
    async with told(receiver, webhook_form="classic", webhook_created_flag="NEW") as portal:
        portal.edit_object("contacts", "1", {"city": "Paris"})
        portal.edit_object("2-77", "30", {"slug": "bolt"})
        events = await receiver.until(2)
    assert events[0]["subscriptionType"] == "contact.propertyChange"
    assert "objectTypeId" not in events[0]
    assert (events[1]["subscriptionType"], events[1]["objectTypeId"]) == ("object.propertyChange", "2-77")


async def test_batches_hold_a_hundred() -> None:
    receiver = Receiver()
    async with told(receiver) as portal:
        operations = [
            {"operation": "edit", "type": "contacts", "id": "1", "properties": {"city": f"C{number}"}}
            for number in range(150)
        ]
        assert portal.bulk(operations, same_time=True) == 150
        events = await receiver.until(150)
    assert [len(request.body) for request in receiver.requests] == [100, 50]
    assert len({event["occurredAt"] for event in events}) == 1


async def test_a_refused_batch_comes_again_with_a_higher_attempt() -> None:
    receiver = Receiver(statuses=[500, 429])
    async with told(receiver) as portal:
        portal.edit_object("contacts", "1", {"city": "Paris"})
        await receiver.until(3)
        await settled(portal)
    assert [event["attemptNumber"] for event in receiver.events] == [0, 1, 2]
    assert len({event["eventId"] for event in receiver.events}) == 1


async def test_a_batch_is_given_up_after_its_attempts() -> None:
    receiver = Receiver(statuses=[500] * 9)
    async with told(receiver, webhook_attempts=3) as portal:
        portal.edit_object("contacts", "1", {"city": "Paris"})
        await settled(portal)
        assert [delivery.status for delivery in portal.courier.deliveries] == [500, 500, 500]


async def test_a_slow_receiver_is_tried_again() -> None:
    receiver = Receiver(hold=asyncio.Event())
    async with told(receiver, webhook_timeout_ms=20) as portal:
        portal.edit_object("contacts", "1", {"city": "Paris"})
        await receiver.until(2)
        assert receiver.hold is not None
        receiver.hold.set()
        await settled(portal)
        assert portal.courier.deliveries[0].status == 0
        assert portal.courier.deliveries[-1].status == 204


async def test_so_many_requests_are_in_flight_at_most() -> None:
    receiver = Receiver(hold=asyncio.Event())
    async with told(receiver, webhook_batch_size=1, webhook_max_in_flight=10, webhook_window_ms=0) as portal:
        for number in range(30):
            portal.edit_object("contacts", "1", {"city": f"C{number}"})
        await receiver.until(10)
        assert receiver.hold is not None
        receiver.hold.set()
        await receiver.until(30)
    assert receiver.most_in_flight == 10


async def test_retries_too_are_in_flight() -> None:
    receiver = Receiver(statuses=[500] * 20, hold=asyncio.Event())
    crowded = {"webhook_batch_size": 1, "webhook_window_ms": 0, "webhook_max_in_flight": 3, "webhook_backoff_ms": 0}
    async with told(receiver, **crowded) as portal:
        for number in range(20):
            portal.edit_object("contacts", "1", {"city": f"C{number}"})
        await receiver.until(3)
        assert receiver.hold is not None
        receiver.hold.set()
        await receiver.until(40)
    assert receiver.most_in_flight == 3


@pytest.mark.parametrize(
    ("settings", "cities"),
    [
        ({"webhook_duplicate_probability": 1.0}, ["C0", "C0", "C1", "C1"]),
        ({"webhook_drop_probability": 1.0}, []),
        ({"webhook_delay_probability": 1.0, "webhook_delay_ms": 5}, ["C0", "C1"]),
    ],
)
async def test_events_arrive_twice_late_or_never(settings: Any, cities: list[str]) -> None:
    receiver = Receiver()
    async with told(receiver, **settings) as portal:
        for number in range(2):
            portal.edit_object("contacts", "1", {"city": f"C{number}"})
        await settled(portal)
    assert sorted(event["propertyValue"] for event in receiver.events) == cities


async def test_events_pass_each_other_and_the_seed_repeats_it() -> None:
    orders = []
    for _ in range(2):
        receiver = Receiver()
        shuffle = {"webhook_reorder_probability": 1.0, "webhook_reorder_ms": 0, "seed": 7}
        async with told(receiver, **shuffle) as portal:
            for number in range(20):
                portal.edit_object("contacts", "1", {"city": f"C{number:02}"})
            await settled(portal)
        orders.append([event["propertyValue"] for event in receiver.events])
    assert orders[0] == orders[1]
    assert orders[0] != sorted(orders[0])


async def test_nothing_outlives_the_portal() -> None:
    before = asyncio.all_tasks()
    receiver = Receiver(statuses=[500] * 9)
    async with told(receiver, webhook_backoff_ms=60_000, webhook_backoff_cap_ms=60_000) as portal:
        portal.edit_object("contacts", "1", {"city": "Paris"})
        await receiver.until(1)
        assert asyncio.all_tasks() - before
    assert asyncio.all_tasks() - before == set()


async def test_webhooks_tell_at_once_while_reads_lag() -> None:
    receiver = Receiver()
    async with told(receiver, read_lag_ms=60_000) as portal, caller(portal.app, "pat-simulated") as api:
        portal.edit_object("companies", "10", {"city": "Paris"})
        told_of = (await receiver.until(1))[0]
        shown = (await api.get("/crm/v3/objects/companies/10?properties=city")).json()
    assert shown["properties"]["city"] is None
    assert datetime.fromisoformat(shown["updatedAt"]).timestamp() * 1000 < told_of["occurredAt"]
