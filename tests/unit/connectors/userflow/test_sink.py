"""Writing Userflow: only the difference, only to what exists, and what happens when that stops existing meanwhile."""

import asyncio
import contextlib
import datetime as dt
import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from connectors.contract.errors import RateLimited, Transient, UnknownResult
from connectors.contract.sink import Answered, OwnershipLost, RefusedFields, Vanished, Write, WriteResult
from connectors.http.messages import Request
from schemas.values import FieldValue
from tests.unit.connectors.userflow.account import World, world

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


@pytest.fixture
async def userflow() -> AsyncIterator[World]:
    async with world() as made:
        yield made


def user(fields: dict[str, FieldValue], id: str = "u-1") -> Write:
    return Write("users", id, fields)


async def written(userflow: World, write: Write, may_write: Callable[[], bool] = lambda: True) -> Sequence[WriteResult]:
    return await userflow.account.sink.write([write], may_write)


def lose_the_answer(userflow: World, times: int = 1) -> None:
    userflow.simulator.add_faults([{"action": "timeout_after_effect", "times": times, "match": {"method": "POST"}}])


def delete_before(userflow: World, verb: str, then: Callable[[], object] = lambda: None) -> None:
    """The user is deleted by somebody just before the first request of this verb arrives."""

    def intercept(request: Request, _: int) -> None:
        if request.method == verb:
            userflow.transport.intercept = None
            userflow.simulator.delete_object("users", "u-1")
            then()

    userflow.transport.intercept = intercept


async def test_only_the_difference_is_sent(userflow: World) -> None:
    write = user({"plan": "plus", "logins": 4, "joined": NOON, "tags": ("a", "b")})
    results = await written(userflow, write)
    second_ms = int(userflow.now.seconds) * 1000
    assert results == [
        Answered(write, {"plan": "plus"}, second_ms, 999, equal=True),
        Answered(write, {"logins": 4, "joined": NOON, "tags": ("a", "b")}, second_ms, 999),
    ]
    assert json.loads(userflow.transport.sent[-1].body or b"") == {
        "id": "u-1",
        "attributes": {
            "logins": {"set": 4, "data_type": "number"},
            "joined": {"set": "2026-03-01T12:00:00.000+00:00", "data_type": "datetime"},
            "tags": {"set": ["a", "b"], "data_type": "list"},
        },
    }
    assert userflow.simulator.read_object("users", "u-1")["attributes"]["email"] == "annie@example.com"


async def test_an_equal_value_costs_no_write(userflow: World) -> None:
    userflow.simulator.edit_object("users", "u-1", {"joined": "2026-03-01T14:00:00+02:00"})
    results = await written(userflow, user({"plan": "plus", "logins": 3.0, "joined": NOON, "name": None}))
    assert [(type(one), one.equal) for one in results if isinstance(one, Answered)] == [(Answered, True)]
    assert isinstance(results[0], Answered)
    assert results[0].stored == {"plan": "plus", "logins": 3, "joined": NOON, "name": None}
    assert userflow.transport.verbs == ["GET"]


async def test_a_second_write_of_the_same_is_equal(userflow: World) -> None:
    write = user({"birthday": dt.date(2026, 3, 1), "score": 4.5, "note": "x", "active": True})
    await written(userflow, write)
    results = await written(userflow, write)
    assert [getattr(one, "equal", None) for one in results] == [True]
    assert userflow.transport.verbs == ["GET", "POST", "GET"]


@pytest.mark.parametrize("null_write", ["remove", "keep"])
async def test_null_clears(null_write: str) -> None:
    async with world(null_write=null_write) as userflow:
        results = await written(userflow, user({"plan": None}))
        assert isinstance(results[0], Answered)
        assert (results[0].stored, results[0].equal) == ({"plan": None}, False)
        assert userflow.simulator.read_object("users", "u-1")["attributes"].get("plan") is None


async def test_what_is_not_there_is_not_made(userflow: World) -> None:
    write = user({"plan": "pro"}, "nobody")
    results = await written(userflow, write)
    assert results == [Vanished(write, int(userflow.now.seconds) * 1000, 999)]
    assert userflow.transport.verbs == ["GET"]


async def test_companies_and_strange_ids(userflow: World) -> None:
    assert (await written(userflow, Write("companies", "acme", {"mrr": 13})))[0] == Answered(
        Write("companies", "acme", {"mrr": 13}), {"mrr": 13}, int(userflow.now.seconds) * 1000, 999
    )
    await written(userflow, user({"plan": "pro"}, "a/b@ü c"))
    assert userflow.simulator.read_object("users", "a/b@ü c")["attributes"]["plan"] == "pro"
    (refused,) = await written(userflow, user({"plan": "pro"}, ".."))
    assert isinstance(refused, RefusedFields)
    assert (refused.fields, refused.reason) == (("plan",), "invalid_id")


async def test_nothing_is_written_without_ownership(userflow: World) -> None:
    asked: list[list[str]] = []

    def may_write() -> bool:
        asked.append(userflow.transport.verbs)
        return False

    with pytest.raises(OwnershipLost):
        await written(userflow, user({"plan": "pro"}), may_write)
    assert asked == [["GET"]]
    assert userflow.transport.verbs == ["GET"]


# refusals


async def test_a_refused_field_leaves_the_others_be(userflow: World) -> None:
    results = await written(userflow, user({"logins": "many", "plan": "pro", "name": "Ann"}))
    assert [(one.fields, one.reason) for one in results if isinstance(one, RefusedFields)] == [
        (("logins",), "invalid_params")
    ]
    assert [dict(one.stored) for one in results if isinstance(one, Answered)] == [{"plan": "pro", "name": "Ann"}]
    assert userflow.transport.verbs == ["GET", "POST", "POST"]


async def test_a_refusal_that_names_no_field(userflow: World) -> None:
    vague = {"error": {"code": "invalid_params", "message": "bad value"}}
    refusal = {"action": "status", "status": 400, "body": vague, "match": {"method": "POST"}}
    userflow.simulator.add_faults([{**refusal, "times": 1}])
    results = await written(userflow, user({"logins": "many", "plan": "pro", "name": "Ann"}))
    assert [one.fields for one in results if isinstance(one, RefusedFields)] == [("logins",)]
    assert [dict(one.stored) for one in results if isinstance(one, Answered)] == [{"plan": "pro"}, {"name": "Ann"}]
    userflow.simulator.add_faults([refusal])
    (alone,) = await written(userflow, user({"plan": "max"}))
    assert isinstance(alone, RefusedFields)
    assert (alone.fields, alone.reason) == (("plan",), "invalid_params")


async def test_what_cannot_be_sent_is_refused_here(userflow: World) -> None:
    results = await written(userflow, user({"logins": float("nan"), "id": "u-2", "plan": "pro"}))
    refused = {one.fields[0]: one.reason for one in results if isinstance(one, RefusedFields)}
    assert refused == {"logins": "not_finite", "id": "read_only"}
    assert userflow.simulator.read_object("users", "u-1")["attributes"]["plan"] == "pro"


# lost answers


async def test_a_write_with_a_lost_answer_is_equal_at_the_next_try(userflow: World) -> None:
    lose_the_answer(userflow)
    with pytest.raises(UnknownResult):
        await written(userflow, user({"plan": "pro"}))
    results = await written(userflow, user({"plan": "pro"}))
    assert [getattr(one, "equal", None) for one in results] == [True]
    assert userflow.incidents.reasons == []


async def test_a_rate_limit_goes_to_the_runner(userflow: World) -> None:
    userflow.simulator.add_faults([{"action": "status", "status": 429, "match": {"method": "POST"}}])
    with pytest.raises(RateLimited):
        await written(userflow, user({"plan": "pro"}))
    assert userflow.transport.verbs == ["GET", "POST"]


# the guard: an object that was deleted between read and write


def deleted_again(userflow: World) -> bool:
    return all(one["id"] != "u-1" for one in userflow.simulator.list_objects("users"))


@pytest.mark.parametrize("settings", [{}, {"delete_status": 204}, {"create_status": 201}])
async def test_what_a_write_made_is_taken_back(settings: dict[str, Any]) -> None:
    async with world(**settings) as userflow:
        delete_before(userflow, "POST")
        (vanished,) = await written(userflow, user({"plan": "pro", "joined": NOON, "name": None}))
        assert isinstance(vanished, Vanished)
        # newer than the notification of its creation
        assert vanished.at_ms > int(userflow.now.seconds * 1000)
        assert deleted_again(userflow)
        assert userflow.transport.verbs == ["GET", "POST", "GET", "DELETE"]
        assert userflow.incidents.reasons == ["userflow_object_recreated"]


@pytest.mark.parametrize("what", ["attribute", "membership", "other value"])
async def test_what_may_be_somebody_elses_is_left(userflow: World, what: str) -> None:
    def more(request: Request, _: int) -> None:
        if request.method == "POST":
            userflow.simulator.delete_object("users", "u-1")
        elif "expand" in dict(request.query):
            if what == "membership":
                userflow.simulator.associate("users", "u-1", "groups", "acme")
            else:
                userflow.simulator.edit_object("users", "u-1", {"email" if what == "attribute" else "plan": "theirs"})

    userflow.transport.intercept = more
    (vanished,) = await written(userflow, user({"plan": "pro"}))
    assert isinstance(vanished, Vanished)
    # older than its new life, so that this goes on
    assert (vanished.at_ms, vanished.spread_ms) == (int(userflow.now.seconds * 1000) - 1, 0)
    assert not deleted_again(userflow)
    assert userflow.incidents.reasons == ["userflow_object_recreated_kept"]


async def test_memberships_that_were_not_told_are_not_none(userflow: World) -> None:
    made = {"id": "u-1", "created_at": "2027-02-01T00:00:00Z", "attributes": {"plan": "pro"}, "memberships": None}

    def hide(request: Request, before: int) -> None:
        if request.method == "POST":
            userflow.simulator.delete_object("users", "u-1")
            answer = {"action": "status", "status": 200, "body": made, "match": {"method": "GET"}}
            userflow.simulator.add_faults([answer])

    userflow.transport.intercept = hide
    (vanished,) = await written(userflow, user({"plan": "pro"}))
    assert isinstance(vanished, Vanished)
    assert "DELETE" not in userflow.transport.verbs
    assert userflow.incidents.reasons == ["userflow_object_recreated_kept"]


async def test_taken_back_though_the_answer_was_lost(userflow: World) -> None:
    delete_before(userflow, "POST")
    lose_the_answer(userflow)
    (vanished,) = await written(userflow, user({"plan": "pro"}))
    assert isinstance(vanished, Vanished)
    assert deleted_again(userflow)
    assert userflow.incidents.reasons == ["userflow_object_recreated"]


async def test_taken_back_at_the_next_try_when_nothing_could_be_read(userflow: World) -> None:
    delete_before(
        userflow,
        "POST",
        lambda: userflow.simulator.add_faults(
            [{"action": "status", "status": 500, "times": 1, "match": {"method": "GET"}}]
        ),
    )
    lose_the_answer(userflow)
    with pytest.raises(UnknownResult):
        await written(userflow, user({"plan": "pro"}))
    assert not deleted_again(userflow)
    (vanished,) = await written(userflow, user({"plan": "pro"}))
    assert isinstance(vanished, Vanished)
    assert deleted_again(userflow)
    assert userflow.incidents.reasons == ["userflow_object_recreated"]


async def test_taken_back_though_the_write_was_cancelled(userflow: World) -> None:
    reached = asyncio.Event()

    def intercept(request: Request, _: int) -> None:
        if request.method == "POST":
            userflow.transport.intercept = None
            userflow.simulator.delete_object("users", "u-1")
            userflow.simulator.create_object("users", {"plan": "pro"}, object_id="u-1")
            reached.set()
            raise asyncio.CancelledError

    userflow.transport.intercept = intercept
    with pytest.raises(asyncio.CancelledError):
        await written(userflow, user({"plan": "pro"}))
    assert reached.is_set()
    (vanished,) = await written(userflow, user({"plan": "pro"}))
    assert isinstance(vanished, Vanished)
    assert deleted_again(userflow)


async def test_an_old_lost_answer_makes_nobody_delete(userflow: World) -> None:
    lose_the_answer(userflow)
    with pytest.raises(UnknownResult):
        await written(userflow, user({"plan": "pro"}))
    await userflow.clock.sleep(301)
    userflow.simulator.delete_object("users", "u-1")
    userflow.simulator.create_object("users", {"plan": "pro"}, object_id="u-1")
    results = await written(userflow, user({"plan": "pro"}))
    assert [getattr(one, "equal", None) for one in results] == [True]
    assert not deleted_again(userflow)


@pytest.mark.parametrize("status", [400, 429])
async def test_what_was_turned_away_makes_nobody_delete(userflow: World, status: int) -> None:
    refusal = {"action": "status", "status": status, "times": 1, "match": {"method": "POST"}}
    userflow.simulator.add_faults([refusal])
    with contextlib.suppress(RateLimited):
        await written(userflow, user({"plan": "pro"}))
    userflow.simulator.delete_object("users", "u-1")
    userflow.simulator.create_object("users", {"plan": "pro"}, object_id="u-1")
    results = await written(userflow, user({"plan": "pro"}))
    assert [getattr(one, "equal", None) for one in results] == [True]
    assert not deleted_again(userflow)


async def test_a_deletion_that_fails_is_tried_again(userflow: World) -> None:
    delete_before(userflow, "POST")
    userflow.simulator.add_faults(
        [
            {"action": "status", "status": 500, "times": 1, "match": {"method": "DELETE"}},
            {"action": "timeout_after_effect", "times": 1, "match": {"method": "DELETE"}},
        ]
    )
    await written(userflow, user({"plan": "pro"}))
    assert deleted_again(userflow)
    assert userflow.incidents.reasons == ["userflow_object_recreated"]


async def test_a_deletion_that_keeps_failing_is_reported(userflow: World) -> None:
    delete_before(userflow, "POST")
    userflow.simulator.add_faults([{"action": "status", "status": 500, "match": {"method": "DELETE"}}])
    (vanished,) = await written(userflow, user({"plan": "pro"}))
    assert isinstance(vanished, Vanished)
    assert userflow.incidents.reasons == ["userflow_object_recreated_kept"]


async def test_ownership_lost_before_the_deletion_is_reported(userflow: World) -> None:
    delete_before(userflow, "POST")
    answers = iter([True, False])
    with pytest.raises(OwnershipLost):
        await written(userflow, user({"plan": "pro"}), lambda: next(answers))
    assert "DELETE" not in userflow.transport.verbs
    assert userflow.incidents.reasons == ["userflow_object_recreated_kept"]


async def test_several_writes_each_have_results(userflow: World) -> None:
    writes = [user({"plan": "pro"}), user({"plan": "pro"}, "nobody")]
    results = await userflow.account.sink.write(writes, lambda: True)
    assert [(type(one), one.write) for one in results] == [(Answered, writes[0]), (Vanished, writes[1])]
    assert (userflow.account.sink.batch_size, userflow.account.sink.in_flight) == (1, 4)


async def test_a_failing_read_writes_nothing(userflow: World) -> None:
    userflow.simulator.add_faults([{"action": "status", "status": 500, "match": {"method": "GET"}}])
    with pytest.raises(Transient):
        await written(userflow, user({"plan": "pro"}))
    assert userflow.transport.verbs == ["GET"]
