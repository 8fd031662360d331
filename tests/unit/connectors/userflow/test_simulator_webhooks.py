"""The simulated Userflow's notifications: what is told, to whom, how it is signed."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from connectors.userflow.simulator import UserflowSettings, UserflowSimulator
from connectors.userflow.simulator.webhooks import signature
from tests.unit.connectors.simulation.simulated import RECEIVER_URL, Receiver, caller, eventually, sample
from tests.unit.connectors.userflow.test_simulator import KEY, QUIET, SEED, write


@asynccontextmanager
async def told(receiver: Receiver, **settings: Any) -> AsyncIterator[UserflowSimulator]:
    """A seeded environment that tells `receiver`."""
    chosen = UserflowSettings(
        **{
            **QUIET,
            "webhook_target_url": RECEIVER_URL,
            "webhook_backoff_ms": 1,
            "webhook_backoff_cap_ms": 2,
            **settings,
        }
    )
    simulator = UserflowSimulator(chosen, webhook_transport=receiver.transport)
    simulator.load(SEED)
    async with simulator:
        yield simulator


async def settled(simulator: UserflowSimulator) -> None:
    await eventually(lambda: simulator.courier.pending == 0)


async def test_an_update_tells_what_changed() -> None:
    receiver = Receiver()
    async with told(receiver) as userflow:
        userflow.edit_object("users", "u-1", {"name": "Ann", "plan": "plus", "tags": None})
        told_of = (await receiver.until(1))[0]
    assert told_of.keys() == sample("userflow", "notification_user_updated").keys()
    assert told_of["topic"] == "user.updated"
    assert told_of["data"]["object"]["attributes"]["name"] == "Ann"
    assert told_of["data"]["previous_attributes"] == {"name": "Annie", "plan": None, "tags": ["a"]}
    assert told_of["data"]["updated_attributes"] == {"name": "Ann", "plan": "plus", "tags": None}


@pytest.mark.parametrize(
    ("settings", "place"),
    [({"changed_attributes_place": "top"}, "top"), ({"changed_attributes_place": "missing"}, "nowhere")],
)
async def test_what_changed_may_stand_elsewhere(settings: Any, place: str) -> None:
    receiver = Receiver()
    async with told(receiver, **settings, removed_attributes="absent") as userflow:
        userflow.edit_object("users", "u-1", {"name": None})
        told_of = (await receiver.until(1))[0]
    assert "previous_attributes" not in told_of["data"]
    assert told_of.get("previous_attributes") == ({"name": "Annie"} if place == "top" else None)
    assert told_of.get("updated_attributes") == ({} if place == "top" else None)


async def test_notifications_are_signed() -> None:
    receiver = Receiver()
    async with told(receiver, webhook_secret="s3cret") as userflow:  # noqa: S106
        userflow.create_object("groups", {"name": "Bolt"}, object_id="bolt")
        await receiver.until(1)
    request = receiver.requests[0]
    time, hashed = (part.split("=", 1)[1] for part in request.headers["userflow-signature"].split(","))
    expected = hmac.new(b"s3cret", f"{time}.".encode() + request.raw, hashlib.sha256).hexdigest()
    assert hashed == expected
    assert (request.body["topic"], request.body["data"]["object"]["id"]) == ("group.created", "bolt")
    vector = sample("userflow", "signature_vectors")
    one = vector["vectors"][0]
    assert signature(vector["secret"], one["timestamp"], one["body"].encode()) == one["header"]


async def test_the_apis_own_writes_echo_without_a_name() -> None:
    receiver = Receiver()
    async with told(receiver) as userflow, caller(userflow.app, KEY) as api:
        await write(api, "u-1", name="Ann")
        await write(api, "u-1", name="Ann")
        await settled(userflow)
        assert [event["topic"] for event in receiver.events] == ["user.updated"]
        assert receiver.events[0].keys() == sample("userflow", "notification_user_created").keys()
        userflow.change_settings(noop_write_notifies=True)
        await write(api, "u-1", name="Ann")
        await receiver.until(2)
    assert receiver.events[1]["data"]["updated_attributes"] == {}


async def test_deletions_are_silent_unless_asked() -> None:
    receiver = Receiver()
    async with told(receiver) as userflow:
        userflow.delete_object("users", "u-1")
        await settled(userflow)
        assert receiver.requests == []
        userflow.change_settings(delete_notifies=True)
        userflow.delete_object("users", "u-3")
        assert (await receiver.until(1))[0]["topic"] == "user.deleted"


@pytest.mark.parametrize(
    ("topics", "settings", "heard"),
    [
        (["*"], {}, ["event.tracked.flow_started", "user.updated"]),
        (["event"], {}, ["event.tracked.flow_started"]),
        (["event"], {"family_topic": "short"}, ["event.tracked"]),
        (["event.tracked"], {}, ["event.tracked"]),
        (["event.tracked.flow_started"], {"family_topic": "short"}, ["event.tracked.flow_started"]),
        (["event.tracked.flow"], {}, []),
        (["user"], {}, ["user.updated"]),
        (["user.created", "group"], {}, []),
    ],
)
async def test_topics(topics: list[str], settings: Any, heard: list[str]) -> None:
    receiver = Receiver()
    async with told(receiver, webhook_target_url=None, **settings) as userflow, caller(userflow.app, KEY) as api:
        made = await api.post("/webhook_subscriptions", json={"url": RECEIVER_URL, "topics": topics})
        userflow.track_event({"name": "flow_started", "user_id": "u-1"})
        userflow.edit_object("users", "u-1", {"name": "Ann"})
        await settled(userflow)
    assert sorted(event["topic"] for event in receiver.events) == heard
    for request in receiver.requests:
        time = request.headers["userflow-signature"].split(",")[0][2:]
        assert request.headers["userflow-signature"] == signature(made.json()["secret"], int(time), request.raw)


async def test_events_look_like_the_sample() -> None:
    receiver = Receiver()
    async with told(receiver) as userflow:
        userflow.track_event({"name": "flow_completed", "user_id": "u-1"})
        told_of = (await receiver.until(1))[0]
    wanted = sample("userflow", "notification_event")
    assert (told_of.keys(), told_of["topic"]) == (wanted.keys(), wanted["topic"])
    assert told_of["data"]["object"].keys() == wanted["data"]["object"].keys()


async def test_a_disabled_or_deleted_subscription_hears_nothing() -> None:
    receiver = Receiver()
    async with told(receiver, webhook_target_url=None) as userflow, caller(userflow.app, KEY) as api:
        made = (await api.post("/webhook_subscriptions", json={"url": RECEIVER_URL, "topics": ["*"]})).json()
        await api.patch(f"/webhook_subscriptions/{made['id']}", json={"disabled": True})
        userflow.edit_object("users", "u-1", {"name": "Ann"})
        await api.delete(f"/webhook_subscriptions/{made['id']}")
        userflow.edit_object("users", "u-1", {"name": "Anna"})
        userflow.edit_object("users", "u-3", {"name": "Cy"}, silent=True)
        await settled(userflow)
    assert receiver.requests == []


async def test_a_refused_notification_comes_again_unchanged() -> None:
    receiver = Receiver(statuses=[500, 500])
    async with told(receiver) as userflow:
        userflow.edit_object("users", "u-1", {"name": "Ann"})
        await receiver.until(3)
    assert len({json.dumps(event) for event in receiver.events}) == 1


async def test_notifications_arrive_twice_or_out_of_order() -> None:
    receiver = Receiver()
    chaos = {"webhook_duplicate_probability": 1.0, "webhook_reorder_probability": 1.0, "webhook_reorder_ms": 10}
    async with told(receiver, **chaos) as userflow:
        for number in range(5):
            userflow.edit_object("users", "u-1", {"name": f"N{number}"})
        await settled(userflow)
    names = [event["data"]["object"]["attributes"]["name"] for event in receiver.events]
    assert len(names) == 10
    assert names != sorted(names)
    assert len({event["id"] for event in receiver.events}) == 5
