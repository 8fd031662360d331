"""Reading Userflow: notifications, objects by id, crawls."""

import dataclasses
import datetime as dt
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from connectors.contract.errors import Refused, Transient
from connectors.contract.source import MOST_FOUND, Gone, Seen
from schemas.records import Notification, StampedValue
from schemas.values import FieldDefinition
from tests.unit.connectors.simulation.simulated import sample
from tests.unit.connectors.userflow.account import World, world

TOLD_MS = 1_669_725_296_000
EMAIL = FieldDefinition("email", "string")
ID = FieldDefinition("id", "string")


@pytest.fixture
async def userflow() -> AsyncIterator[World]:
    async with world() as made:
        yield made


def told(body: Any) -> Notification:
    return Notification("acme", "userflow", json.dumps(body).encode(), {}, TOLD_MS)


def test_a_time_that_cannot_be_makes_nothing_stale_but_has_the_user_read(userflow: World) -> None:
    body = sample("userflow", "notification_user_updated") | {"created_at": "2999-01-01T00:00:00Z"}
    [news] = userflow.account.source.translate(told(body)).news
    assert (news.fields, news.at_ms, news.complete) == ({}, 0, False)


def test_a_user_is_told_whole(userflow: World) -> None:
    news = userflow.account.source.translate(told(sample("userflow", "notification_user_updated"))).news
    assert [(one.object_type, one.operation, one.complete) for one in news] == [("users", "upserted", True)]
    assert news[0].object_id == news[0].fields["id"].value
    assert news[0].fields["plan"] == StampedValue("plus", TOLD_MS, 0)
    assert news[0].fields["tags"] == StampedValue(None, TOLD_MS, 0)
    assert "signed_up_at" not in news[0].fields


def test_a_type_that_no_mapping_uses(userflow: World) -> None:
    userflow.opening.catalog.replace({"companies": ("name",)}, {})
    assert not userflow.account.source.translate(told(sample("userflow", "notification_user_updated"))).news


def test_a_deletion_if_ever_one_is_told(userflow: World) -> None:
    body = sample("userflow", "notification_user_updated") | {"topic": "user.deleted"}
    news = userflow.account.source.translate(told(body)).news
    assert [(one.operation, dict(one.fields), one.at_ms, one.complete) for one in news] == [
        ("deleted", {}, TOLD_MS, True)
    ]


def test_news_without_a_time_asks_for_a_read(userflow: World) -> None:
    body = sample("userflow", "notification_user_updated") | {"created_at": None}
    news = userflow.account.source.translate(told(body)).news
    assert [(one.complete, dict(one.fields), one.at_ms) for one in news] == [(False, {}, 0)]


def test_an_event(userflow: World) -> None:
    body = sample("userflow", "notification_event")
    body["data"]["object"] |= {
        "attributes": {"step": 2, "seen": True, "name": "Intro", "at": "2026-03-01", "answers": ["a"]},
        "time": "2022-11-29T12:00:00.000+00:00",
        "group_id": "acme",
    }
    users, companies = userflow.account.source.translate(told(body)).activity
    done = users
    assert (done.integration, done.connection, done.event_id, done.name) == ("acme", 2, "4738382", "flow_completed")
    assert (users.object_type, users.object_id) == ("users", "c2dfad13-7d2f-4c0b-9a44-0d4b8c0c2f11")
    assert (companies.object_type, companies.object_id) == ("companies", "acme")
    assert companies == dataclasses.replace(users, user_id=None, company_id="acme")
    assert done.occurred_at_ms == TOLD_MS - 2_096_000
    assert done.attributes == {"step": 2, "seen": True, "name": "Intro", "at": "2026-03-01", "answers": ("a",)}


def test_an_event_of_another_age_counts_as_of_now(userflow: World) -> None:
    body = sample("userflow", "notification_event")
    body["data"]["object"]["time"] = "9998-01-01T00:00:00Z"
    (done,) = userflow.account.source.translate(told(body)).activity
    assert done.occurred_at_ms <= TOLD_MS


def test_an_event_of_nobody_is_counted(userflow: World) -> None:
    body = sample("userflow", "notification_event")
    body["data"]["object"]["user_id"] = None
    translated = userflow.account.source.translate(told(body))
    assert (list(translated.activity), translated.unreadable) == ([], 1)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b'{"id":"n","data":{"object":{"object":"user"}}}'])
def test_what_is_no_notification(userflow: World, body: bytes) -> None:
    with pytest.raises(ValueError):
        userflow.account.source.translate(Notification("acme", "userflow", body, {}, 1))


async def test_reading_by_id(userflow: World) -> None:
    userflow.simulator.edit_object("users", "u-1", {"joined": "2026-03-01T12:00:00+02:00"})
    second_ms = int(userflow.now.seconds) * 1000
    annie, odd, gone, strange = await userflow.account.source.read(
        "users", ["u-1", "a/b@ü c", "none", ".."], "live_read"
    )
    assert isinstance(annie, Seen) and isinstance(odd, Seen)
    assert (annie.object_id, annie.at_ms, annie.spread_ms) == ("u-1", second_ms, 999)
    assert annie.fields["joined"].value == dt.datetime(2026, 3, 1, 10, tzinfo=dt.UTC)
    assert annie.fields["active"] == StampedValue(None, second_ms, 999)
    assert odd.fields["id"].value == "a/b@ü c"
    assert gone == Gone("none", second_ms, 999)
    assert isinstance(strange, Gone)


async def test_without_a_date_our_own_clock_counts_a_minute_wide(userflow: World) -> None:
    userflow.transport.dated = False
    (seen,) = await userflow.account.source.read("companies", ["acme"], "bulk_read")
    assert isinstance(seen, Seen)
    assert seen.spread_ms == 60_000
    assert abs(seen.at_ms + 30_000 - dt.datetime.now(dt.UTC).timestamp() * 1000) < 30_000
    assert {name: stamped.value for name, stamped in seen.fields.items()} == {"name": "Acme", "mrr": 12.5}


async def test_one_failed_read_fails_all_with_its_own_error(userflow: World) -> None:
    userflow.simulator.add_faults([{"action": "status", "status": 500, "match": {"object_id": "u-1"}}])
    with pytest.raises(Transient):
        await userflow.account.source.read("users", ["a/b@ü c", "u-1"], "live_read")


async def crawled(userflow: World) -> list[str]:
    source, cursor, ids = userflow.account.source, None, list[str]()
    while True:
        page = await source.page("users", cursor)
        ids += [seen.object_id for seen in page.objects]
        cursor = page.cursor
        if cursor is None:
            return ids


async def test_a_crawl_sees_every_user_once_oldest_first(userflow: World) -> None:
    for number in range(250):
        userflow.simulator.create_object("users", {}, object_id=f"n-{number}")
    ids = await crawled(userflow)
    assert ids == ["u-1", "a/b@ü c", *(f"n-{number}" for number in range(250))]
    assert len(userflow.transport.sent) == 3


async def test_a_page_after_a_deleted_user_says_so(userflow: World) -> None:
    first = await userflow.account.source.page("users", None)
    with pytest.raises(Refused) as caught:
        await userflow.account.source.page("users", "deleted-meanwhile")
    assert (len(first.objects), caught.value.reason) == (2, "cursor_gone")


@pytest.mark.parametrize("encoding", ["form", "percent", "none"])
@pytest.mark.parametrize("address", ["path", "absolute", "null"])
async def test_a_crawl_goes_on_from_its_last_object_however_the_next_page_is_named(
    userflow: World, encoding: str, address: str
) -> None:
    """A `+` read as a space named no object, and the crawl began again 312 times a minute."""
    userflow.simulator.change_settings(next_page_encoding=encoding, next_page_url=address)
    ids = [f"sam+{number} %2B&y@acme.com" for number in range(201)]
    for object_id in ids:
        userflow.simulator.create_object("users", {}, object_id=object_id, silent=True)
    assert await crawled(userflow) == ["u-1", "a/b@ü c", *ids]
    assert len(userflow.transport.sent) == 3


async def test_a_plus_in_an_id_is_no_space_in_the_next_cursor(userflow: World) -> None:
    data = [{"id": "sam+x@acme.com", "attributes": {}}]
    body = {"object": "list", "data": data, "has_more": True, "next_page_url": "/users?starting_after=sam+x@acme.com"}
    userflow.simulator.add_faults([{"action": "status", "status": 200, "body": body}])
    assert (await userflow.account.source.page("users", None)).cursor == "sam+x@acme.com"


async def test_nothing_that_more_is_said_to_follow_is_no_end_of_a_crawl(userflow: World) -> None:
    body = {"object": "list", "data": [], "has_more": True, "next_page_url": None}
    userflow.simulator.add_faults([{"action": "status", "status": 200, "body": body}])
    with pytest.raises(Refused) as caught:
        await userflow.account.source.page("users", None)
    assert caught.value.reason == "paging_page_empty"


async def test_a_read_that_answers_with_another_user_is_refused(userflow: World) -> None:
    body = {"object": "user", "id": "u-2", "attributes": {"name": "Somebody else"}}
    userflow.simulator.add_faults([{"action": "status", "status": 200, "body": body}])
    with pytest.raises(Refused) as caught:
        await userflow.account.source.read("users", ["u-1"], "live_read")
    assert caught.value.reason == "other_object"


async def looked_up(userflow: World, field: FieldDefinition, *values: str, of: str = "users") -> list[str]:
    return [seen.object_id for seen in await userflow.account.source.look_up(of, field, values, "live_read")]


async def test_users_are_looked_up_by_email_whatever_its_letter_case(userflow: World) -> None:
    assert await looked_up(userflow, EMAIL, "Annie@example.com", "nobody@example.com") == ["u-1"]


async def test_several_users_may_share_an_email(userflow: World) -> None:
    userflow.simulator.create_object("users", {"email": "annie@example.com"}, object_id="u-2", silent=True)
    assert await looked_up(userflow, EMAIL, "annie@example.com") == ["u-1", "u-2"]


async def test_a_crowd_of_users_is_one_page(userflow: World) -> None:
    for number in range(60):
        userflow.simulator.create_object("users", {"email": "n/a"}, object_id=f"na-{number}", silent=True)
    assert len(await looked_up(userflow, EMAIL, "n/a")) == MOST_FOUND
    assert len(userflow.transport.sent) == 1


async def test_where_the_filter_is_ignored_other_users_are_no_answer() -> None:
    async with world(email_filter="ignored") as userflow:
        assert await looked_up(userflow, EMAIL, "nobody@example.com") == []
        assert await looked_up(userflow, EMAIL, "annie@example.com") == ["u-1"]


async def test_where_the_filter_is_ignored_the_first_of_several_does_not_pass_for_the_only_one() -> None:
    async with world(email_filter="ignored") as userflow:
        for number in range(60):
            email = {"email": "annie@example.com" if number == 59 else f"n{number}@example.com"}
            userflow.simulator.create_object("users", email, object_id=f"n-{number}", silent=True)
        for email_of in ("annie@example.com", "nobody@example.com"):
            with pytest.raises(Refused, match="no_such_filter"):
                await looked_up(userflow, EMAIL, email_of)
        asked = ("annie@example.com", "nobody@example.com", "N7@example.com")
        found = await userflow.account.source.look_up("users", EMAIL, asked, "bulk_read")
        assert sorted(one.object_id for one in found) == ["n-59", "n-7", "u-1"]


async def test_objects_are_looked_up_by_id_and_an_id_that_none_can_have_hinders_nobody(userflow: World) -> None:
    assert await looked_up(userflow, ID, "u-1", "gone", "a/b@ü c") == ["u-1", "a/b@ü c"]
    assert await looked_up(userflow, ID, "acme", of="companies") == ["acme"]


async def test_there_is_no_other_way_to_find_them(userflow: World) -> None:
    with pytest.raises(Refused, match="no_such_filter"):
        await looked_up(userflow, FieldDefinition("name", "string"), "Acme", of="companies")
