"""The simulated Userflow: users and groups, attribute writes, lists, definitions, errors, limits."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from connectors.simulation import VendorClock
from connectors.userflow.simulator import UserflowSettings, UserflowSimulator
from tests.unit.connectors.simulation.simulated import ToldTime, caller, ids, sample

KEY = "ak_simulated"
QUIET: dict[str, Any] = {"latency_ms": 0, "rate_per_s": None, "max_in_flight": None}
SEED = {
    "groups": [{"id": "acme", "attributes": {"name": "Acme", "billing_plan": "plus"}}],
    "users": [
        {
            "id": "u-1",
            "created_at": "2026-01-05T09:30:00.000+00:00",
            "attributes": {"email": "Annie@example.com", "name": "Annie", "logins": 3, "tags": ["a"]},
            "groups": ["acme"],
        },
        {"id": "a/b@ü c", "created_at": "2026-02-01T00:00:00+01:00", "attributes": {"email": "twin@example.com"}},
        {"id": "u-3", "attributes": {"email": "twin@example.com", "age": 30}},
    ],
    "attribute_definitions": [{"name": "joined", "scope": "user", "data_type": "datetime", "display_name": "Joined"}],
    "event_definitions": [{"name": "subscription_activated", "display_name": "Activated!"}],
    "content": [
        {"id": "f1", "object": "content", "type": "flow"},
        {"id": "c1", "object": "content", "type": "checklist"},
    ],
    "content_versions": [{"id": "v1", "object": "content_version", "content_id": "f1"}],
    "content_sessions": [{"id": "s1", "object": "content_session", "content_id": "f1", "user_id": "u-1"}],
}


@pytest.fixture
async def userflow(now: ToldTime) -> AsyncIterator[UserflowSimulator]:
    simulator = UserflowSimulator(UserflowSettings(**QUIET), clock=VendorClock(wall=now, monotonic=now))
    simulator.load(SEED)
    async with simulator:
        now.pass_ms(60_000)
        yield simulator


@pytest.fixture
async def api(userflow: UserflowSimulator) -> AsyncIterator[httpx.AsyncClient]:
    async with caller(userflow.app, KEY) as client:
        yield client


async def write(api: httpx.AsyncClient, user: str, **attributes: Any) -> httpx.Response:
    return await api.post("/users", json={"id": user, "attributes": attributes})


async def test_objects_look_like_the_samples(api: httpx.AsyncClient) -> None:
    user = (await api.get("/users/u-1")).json()
    assert user.keys() == sample("userflow", "user").keys()
    assert (user["created_at"], user["memberships"], user["groups"]) == ("2026-01-05T09:30:00.000+00:00", None, None)
    assert (await api.get("/groups/acme")).json().keys() == sample("userflow", "group").keys()
    definitions = (await api.get("/attribute_definitions")).json()["data"]
    assert definitions[0].keys() == sample("userflow", "attribute_definition").keys()
    events = (await api.get("/event_definitions")).json()["data"]
    assert events[0].keys() == sample("userflow", "event_definition").keys()


async def test_ids_with_slashes_and_letters_of_the_world(api: httpx.AsyncClient) -> None:
    answer = await api.get(f"/users/{quote('a/b@ü c', safe='')}")
    assert (answer.status_code, answer.json()["id"]) == (200, "a/b@ü c")


async def test_expansion(api: httpx.AsyncClient) -> None:
    shown = (await api.get("/users/u-1?expand[]=memberships.group&expand[]=groups")).json()
    assert shown["memberships"][0].keys() == sample("userflow", "group_membership").keys()
    assert shown["memberships"][0]["group"]["id"] == "acme"
    assert shown["memberships"][0]["user"] is None
    assert ids(shown["groups"]) == ["acme"]
    assert ids((await api.get("/groups/acme?expand=users")).json()["users"]) == ["u-1"]


async def test_a_write_merges_attributes(api: httpx.AsyncClient, userflow: UserflowSimulator) -> None:
    answer = await write(api, "u-1", plan="plus")
    assert answer.status_code == 200
    assert answer.json()["attributes"]["name"] == "Annie"
    assert answer.json()["attributes"]["plan"] == "plus"
    assert userflow.created_by_api == 0
    assert userflow.read_object("users", "u-1")["written"]["plan"]["by"] == "api"


async def test_a_write_to_an_unknown_id_creates(
    api: httpx.AsyncClient, userflow: UserflowSimulator, now: ToldTime
) -> None:
    userflow.change_settings(create_status=201)
    created = await write(api, "new", plan="plus")
    assert created.status_code == 201
    userflow.delete_object("users", "u-1")
    again = await write(api, "u-1", plan="plus")
    assert again.json()["created_at"] > "2026-01-05T09:30:00.000+00:00"
    assert again.json()["attributes"] == {"plan": "plus"}
    assert userflow.created_by_api == 2
    assert userflow.read_object("users", "u-1")["created_by"] == "api"
    userflow.change_settings(recreation_keeps_created_at=True)
    await api.delete("/users/u-1")
    now.pass_ms(1_000)
    assert (await write(api, "u-1")).json()["created_at"] == again.json()["created_at"]


@pytest.mark.parametrize(
    ("name", "change", "stored"),
    [
        ("name", "Ann", "Ann"),
        ("name", {"set": "Ann"}, "Ann"),
        ("name", {"set_once": "Ann"}, "Annie"),
        ("first_plan", {"set_once": "plus"}, "plus"),
        ("logins", {"add": 2}, 5),
        ("logins", {"subtract": "1"}, 2),
        ("tags", {"append": ["a", "b"]}, ["a", "b"]),
        ("tags", {"prepend": "z"}, ["z", "a"]),
        ("tags", {"remove": "a"}, []),
        ("since", {"set": "2026-03-01T10:00:00+02:00", "data_type": "datetime"}, "2026-03-01T08:00:00.000+00:00"),
        ("since", {"set": "2026-03-01", "data_type": "datetime"}, "2026-03-01T00:00:00.000+00:00"),
        ("code", {"set": "2026-03-01T10:00:00Z", "data_type": "string"}, "2026-03-01T10:00:00Z"),
        ("guessed", "2026-03-01T10:00:00Z", "2026-03-01T10:00:00.000+00:00"),
        ("name", None, None),
    ],
)
async def test_change_objects(api: httpx.AsyncClient, name: str, change: Any, stored: Any) -> None:
    attributes = (await write(api, "u-1", **{name: change})).json()["attributes"]
    assert attributes.get(name) == stored
    assert (name in attributes) == (stored is not None)


async def test_a_cleared_attribute_may_stay_as_null(api: httpx.AsyncClient, userflow: UserflowSimulator) -> None:
    userflow.change_settings(null_write="keep")
    assert (await write(api, "u-1", name=None)).json()["attributes"]["name"] is None


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("logins", "many"),
        ("logins", True),
        ("joined", "yesterday"),
        ("name", {"set": 1, "data_type": "number"}),
        ("name", {"set": "x", "data_type": "text"}),
        ("name", {"set": "x", "set_once": "y"}),
        ("name", {"invent": "x"}),
        ("tags", {"set": [{"a": 1}]}),
        ("bad/name", "x"),
        ("logins", {"add": "x"}),
    ],
)
async def test_what_does_not_fit_is_refused_and_nothing_written(api: httpx.AsyncClient, name: str, change: Any) -> None:
    answer = await write(api, "u-1", **{"plan": "plus", name: change})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == sample("userflow", "400_invalid_params")["body"]["error"]["code"]
    assert "plan" not in (await api.get("/users/u-1")).json()["attributes"]


async def test_a_type_clash_may_be_stored(api: httpx.AsyncClient, userflow: UserflowSimulator) -> None:
    userflow.change_settings(type_clash="store")
    assert (await write(api, "u-1", logins="many")).json()["attributes"]["logins"] == "many"


async def test_first_use_defines_an_attribute(api: httpx.AsyncClient) -> None:
    await write(api, "u-1", trial_ends={"set": "2026-03-01", "data_type": "datetime"}, vip=True)
    found = (await api.get("/attribute_definitions?scope=user&limit=100")).json()["data"]
    types = {one["name"]: (one["data_type"], one["display_name"]) for one in found}
    assert types["trial_ends"] == ("datetime", "Trial ends")
    assert types["vip"][0] == "boolean"
    assert types["joined"] == ("datetime", "Joined")
    assert {one["scope"] for one in found} == {"user"}


async def test_groups_and_memberships(api: httpx.AsyncClient, userflow: UserflowSimulator) -> None:
    body = {"id": "u-3", "memberships": [{"group": {"id": "acme"}, "attributes": {"role": "admin"}}]}
    assert (await api.post("/users", json=body)).status_code == 200
    member = (await api.get("/users/u-3?expand=memberships")).json()["memberships"][0]
    assert (member["group_id"], member["attributes"]) == ("acme", {"role": "admin"})
    assert ids((await api.get("/users?group_id=acme")).json()["data"]) == ["u-1", "u-3"]
    assert (await api.post("/users", json={**body, "groups": []})).status_code == 400
    await api.post("/users", json={"id": "u-3", "groups": [{"id": "bolt"}], "prune_memberships": True})
    assert ids((await api.get("/users/u-3?expand=groups")).json()["groups"]) == ["bolt"]
    assert userflow.created_by_api == 1
    gone = await api.delete("/group_memberships?user_id=u-3&group_id=bolt")
    assert gone.json()["object"] == "group_membership"
    assert (await api.get("/users/u-3?expand=groups")).json()["groups"] == []


async def test_deletion(api: httpx.AsyncClient, userflow: UserflowSimulator) -> None:
    deleted = await api.delete("/users/u-1")
    assert deleted.json() == {"id": "u-1", "object": "user", "deleted": True}
    missing = await api.get("/users/u-1")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")
    userflow.change_settings(delete_status=204, unknown_id_status=400)
    assert (await api.delete("/users/u-3")).status_code == 204
    assert (await api.get("/users/u-3")).json()["error"]["code"] == "invalid_params"
    assert (await api.get("/groups/acme")).status_code == 200
    assert userflow.environment.store.memberships == {}


async def test_users_are_found_by_email(api: httpx.AsyncClient, userflow: UserflowSimulator) -> None:
    assert ids((await api.get("/users?email=annie%40EXAMPLE.com")).json()["data"]) == ["u-1"]
    assert len((await api.get("/users?email=twin%40example.com")).json()["data"]) == 2
    await write(api, "u-1", email="moved@example.com")
    assert (await api.get("/users?email=annie%40example.com")).json()["data"] == []
    userflow.change_settings(email_filter="ignored")
    assert len((await api.get("/users?email=nobody%40example.com")).json()["data"]) == 3


async def pages(api: httpx.AsyncClient, path: str) -> list[list[str]]:
    """The ids of each page, following `next_page_url`."""
    found: list[list[str]] = []
    following: str | None = path
    while following:
        page = (await api.get(following)).json()
        assert page.keys() == sample("userflow", "list_page").keys()
        assert page["has_more"] == (page["next_page_url"] is not None)
        found.append([one["id"] for one in page["data"]])
        following = page["next_page_url"]
    return found


async def test_lists_are_followed_page_by_page(api: httpx.AsyncClient, userflow: UserflowSimulator) -> None:
    userflow.load({"users": [{"id": f"n-{number:03}"} for number in range(247)]})
    found = await pages(api, "/users?limit=100")
    assert [len(page) for page in found] == [100, 100, 50]
    assert len({user for page in found for user in page}) == 250
    assert len((await api.get("/users")).json()["data"]) == 20


@pytest.mark.parametrize(
    ("order", "first"),
    [("-created_at", "u-3"), ("created_at", "u-1"), ("attributes.email", "u-1"), ("attributes.age", "u-3")],
)
async def test_lists_are_ordered(api: httpx.AsyncClient, order: str, first: str) -> None:
    assert (await api.get(f"/users?order_by={order}")).json()["data"][0]["id"] == first


async def test_cursors_fail_as_they_do_in_life(api: httpx.AsyncClient, userflow: UserflowSimulator) -> None:
    gone = await api.get("/users?starting_after=nobody")
    assert (gone.status_code, "`starting_after`" in gone.json()["error"]["message"]) == (400, True)
    assert (await api.get("/users?order_by=attributes.age&starting_after=u-1")).status_code == 500
    assert (await api.get("/users?limit=101")).status_code == 400
    userflow.change_settings(list_over_limit="clamp", next_page_url="absolute")
    assert (await api.get("/users?limit=101")).status_code == 200
    first = (await api.get("/users?limit=1")).json()["next_page_url"]
    assert first == "https://api.userflow.com/users?limit=1&starting_after=u-1"


@pytest.mark.parametrize(
    ("encoding", "cursor"), [("form", "sam%2Bx+1%26y"), ("percent", "sam%2Bx%201%26y"), ("none", "sam+x 1&y")]
)
async def test_the_next_page_names_its_cursor_in_several_ways(
    api: httpx.AsyncClient, userflow: UserflowSimulator, encoding: str, cursor: str
) -> None:
    userflow.change_settings(next_page_encoding=encoding)
    userflow.load({"users": [{"id": "sam+x 1&y"}, {"id": "zoe"}]})
    found = (await api.get("/users?limit=4")).json()
    assert found["next_page_url"] == f"/users?limit=4&starting_after={cursor}"


async def test_events_are_kept_and_define_themselves(api: httpx.AsyncClient, userflow: UserflowSimulator) -> None:
    body = {"name": "report made", "user_id": "u-1", "attributes": {"pages": 3}, "time": "2020-01-01T00:00:00Z"}
    event = (await api.post("/events", json=body)).json()
    assert event.keys() == sample("userflow", "event").keys()
    assert event["time"] == event["created_at"]
    names = {one["name"]: one["display_name"] for one in (await api.get("/event_definitions?limit=100")).json()["data"]}
    assert names["report made"] == "Report made"
    assert (names["flow_started"], names["subscription_activated"]) == ("Flow Started", "Activated!")
    found = (await api.get("/attribute_definitions?scope=event&limit=100")).json()["data"]
    assert {"pages": "number", "flow_id": "content"}.items() <= {one["name"]: one["data_type"] for one in found}.items()
    assert [one["id"] for one in userflow.list_events()] == [event["id"]]
    assert (await api.get("/events")).status_code == 405


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "x"}, 400),
        ({"user_id": "u-1"}, 400),
        ({"name": "x", "user_id": "nobody"}, 404),
        ({"name": "x", "user_id": "u-1", "attributes": {"n": {"add": 1}}}, 400),
    ],
)
async def test_wrong_events(api: httpx.AsyncClient, body: Any, status: int) -> None:
    assert (await api.post("/events", json=body)).status_code == status


async def test_content_is_listed(api: httpx.AsyncClient, userflow: UserflowSimulator) -> None:
    assert ids((await api.get("/content?type=flow")).json()["data"]) == ["f1"]
    assert (await api.get("/content/c1")).json()["type"] == "checklist"
    assert ids((await api.get("/content_versions?content_id=f1")).json()["data"]) == ["v1"]
    assert ids((await api.get("/content_sessions?user_id=u-1")).json()["data"]) == ["s1"]
    userflow.change_settings(sessions_need_content_id=True)
    assert (await api.get("/content_sessions")).status_code == 500


async def test_subscriptions(api: httpx.AsyncClient, userflow: UserflowSimulator) -> None:
    body = {"url": "http://x/hook", "topics": ["user"]}
    made = (await api.post("/webhook_subscriptions", json=body)).json()
    assert made.keys() == sample("userflow", "webhook_subscription").keys()
    path = f"/webhook_subscriptions/{made['id']}"
    assert (await api.get(path)).json()["secret"] == made["secret"]
    userflow.change_settings(secret_on_read=False)
    assert "secret" not in (await api.get(path)).json()
    changed = await api.patch(path, json={"topics": ["*"], "disabled": True})
    assert (changed.json()["topics"], changed.json()["disabled"]) == (["*"], True)
    assert len((await api.get("/webhook_subscriptions")).json()["data"]) == 1
    assert (await api.delete(path)).json()["deleted"] is True
    assert (await api.get(path)).status_code == 404
    assert (await api.post("/webhook_subscriptions", json={"url": "x"})).status_code == 400


async def test_keys_are_checked(api: httpx.AsyncClient, userflow: UserflowSimulator) -> None:
    stranger = {"authorization": "Bearer nobody"}
    refused = await api.get("/users", headers=stranger)
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "unauthorized")
    userflow.change_settings(bad_key_status=403)
    assert (await api.get("/users", headers=stranger)).status_code == 403


async def test_the_bucket_empties_and_fills(api: httpx.AsyncClient, userflow: UserflowSimulator, now: ToldTime) -> None:
    userflow.change_settings(rate_per_s=10, burst=10)
    answers = [await api.get("/users/u-1") for _ in range(11)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert "retry-after" not in answers[-1].headers
    assert answers[-1].json()["error"].keys() == sample("userflow", "429")["body"]["error"].keys()
    now.pass_ms(150)
    userflow.change_settings(limit_retry_after_s=2, limit_status=503)
    assert [(await api.get("/users/u-1")).status_code for _ in range(2)] == [200, 503]
    assert (await api.get("/users/u-1")).headers["retry-after"] == "2"


async def test_five_calls_in_flight(api: httpx.AsyncClient, userflow: UserflowSimulator) -> None:
    userflow.change_settings(max_in_flight=5, latency_ms=20)
    answers = await asyncio.gather(*(api.get("/users/u-1") for _ in range(7)))
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [429] * 2
    assert (await api.get("/users/u-1")).status_code == 200


async def test_a_user_can_vanish_between_read_and_write(api: httpx.AsyncClient, userflow: UserflowSimulator) -> None:
    rule = {"match": {"method": "POST", "path_contains": "/users"}, "action": "delete_before_write", "times": 1}
    await api.post("/_simulator/faults", json=rule)
    before = (await api.get("/users/u-1")).json()
    after = (await write(api, "u-1", plan="plus")).json()
    assert after["created_at"] > before["created_at"]
    assert userflow.created_by_api == 1


@pytest.mark.parametrize("status", [429, 500, 503, 401])
async def test_faults_speak_userflow(api: httpx.AsyncClient, status: int) -> None:
    await api.post("/_simulator/faults", json={"action": "status", "status": status, "times": 1})
    answer = await api.get("/users/u-1")
    assert (answer.status_code, set(answer.json()["error"])) == (status, {"code", "message"})


async def test_one_attribute_can_be_refused(api: httpx.AsyncClient) -> None:
    await api.post("/_simulator/faults", json={"action": "refuse_property", "property": "plan"})
    refused = await write(api, "u-1", plan="plus")
    assert (refused.status_code, "`attributes.plan`" in refused.json()["error"]["message"]) == (400, True)
    assert (await write(api, "u-1", name="Ann")).status_code == 200


async def test_a_body_of_another_shape_is_refused(api: httpx.AsyncClient) -> None:
    for body in ({"id": "u-1", "attributes": [1]}, {"id": ""}, [1]):
        assert (await api.post("/users", json=body)).status_code == 400


async def test_a_person_works_through_the_control_api(api: httpx.AsyncClient, userflow: UserflowSimulator) -> None:
    base = "/_simulator/objects/users"
    made = await api.post(base, json={"id": "x/y", "attributes": {"name": "Xy"}})
    assert (made.status_code, made.json()["created_by"]) == (201, "person")
    edited = await api.patch(f"{base}/x%2Fy", json={"attributes": {"plan": "plus", "name": None}})
    assert edited.json()["attributes"] == {"plan": "plus"}
    assert (await api.put("/_simulator/associations/users/x%2Fy/groups/acme")).json()["group_id"] == "acme"
    event = {"name": "flow_started", "user_id": "x/y", "time": "2026-01-01T00:00:00Z"}
    assert (await api.post("/_simulator/events", json=event)).json()["time"] == "2026-01-01T00:00:00.000+00:00"
    assert len((await api.get("/_simulator/events")).json()["results"]) == 1
    assert (await api.delete(f"{base}/x%2Fy")).status_code == 200
    edits = [edit.operation for edit in userflow.edits()]
    assert edits == ["created", "edited", "associated", "tracked", "deleted"]
    assert (await api.post(f"{base}/u-1/restore", json={})).status_code == 400
    log = (await api.get("/_simulator/requests")).json()
    assert (log["created_by_api"], log["counters"]) == (0, {})
