"""Userflow's answers where its documents leave something open: read liberally, and nothing unknown counts as empty."""

import json
from typing import Any

import pytest

from connectors.contract.account import Account
from connectors.contract.errors import Refused, Transient
from connectors.contract.source import Gone, News
from connectors.http.lenient_json import time_at
from connectors.userflow import protocol as userflow
from connectors.userflow.account import assemble
from schemas.records import Notification
from schemas.values import FieldDefinition
from tests.unit.connectors.scripted import Scripted, answer
from tests.unit.connectors.simulation.simulated import sample
from tests.unit.connectors.userflow.account import KEY, Incidents, opening

TOLD_MS = 1_669_725_296_000
USER: dict[str, object] = {"id": "u1", "object": "user", "attributes": {"plan": "plus"}, "created_at": None}


def account_on(transport: Scripted) -> Account:
    return assemble(opening(Incidents()), transport, KEY)


def user(id: str, **more: object) -> dict[str, object]:
    return {**USER, "id": id, **more}


def users(count: int) -> list[dict[str, object]]:
    return [user(f"u{number}") for number in range(count)]


DELETED = {"id": "u9", "object": "user", "deleted": True}


class TestLists:
    @pytest.mark.parametrize(
        ("rows", "claim", "more"),
        [
            (users(2), {"has_more": True}, True),
            (users(2), {"has_more": "true"}, True),
            (users(2), {"next_page_url": "/users?x"}, True),
            (users(2), {"has_more": False, "next_page_url": "/users?x"}, True),
            (users(2), {}, False),
            (users(100), {}, True),
            (users(100), {"has_more": False}, False),
            (users(100), {"next_page_url": None}, False),
            ([], {"has_more": False, "next_page_url": "/users?starting_after=u9"}, False),
        ],
    )
    def test_others_follow_where_a_full_page_does_not_say_that_it_is_the_last(
        self, rows: list[Any], claim: dict[str, Any], more: bool
    ) -> None:
        page = userflow.list_objects("users").parse(answer({"object": "list", "data": rows, **claim}))
        assert (page.more, page.next_cursor) == (more, rows[-1]["id"] if more else None)

    async def test_a_full_page_of_one_email_that_claims_nothing_is_not_the_whole(self) -> None:
        """The filter was ignored: of the environment's first users none holds the email, and others may."""
        source = account_on(Scripted(lambda request: answer({"data": users(int(dict(request.query)["limit"]))}))).source
        with pytest.raises(Refused, match="no_such_filter"):
            await source.look_up("users", FieldDefinition("email", "string"), ["a@example.com"], "live_read")

    async def test_what_is_left_of_deleted_users_is_none_of_them_and_names_the_next_page(self) -> None:
        body = {"data": [DELETED], "has_more": True}
        found = await account_on(Scripted(lambda _: answer(body))).source.page("users", None)
        assert (found.objects, found.cursor, found.first_id) == ((), "u9", "u9")


class TestReads:
    async def test_what_is_left_of_a_deleted_user_is_no_user(self) -> None:
        (found,) = await account_on(Scripted(lambda _: answer(DELETED))).source.read("users", ["u9"], "live_read")
        assert isinstance(found, Gone)

    @pytest.mark.parametrize("lacking", [{}, {"attributes": None}, {"attributes": []}, {"error": {"code": "x"}}])
    async def test_a_user_without_attributes_is_not_an_empty_one(self, lacking: dict[str, object]) -> None:
        body = {"id": "u1", "object": "user", **lacking}
        with pytest.raises(Transient, match="unreadable_answer"):
            await account_on(Scripted(lambda _: answer(body))).source.read("users", ["u1"], "live_read")

    @pytest.mark.parametrize(
        "text",
        [
            "2022-11-29T12:34:56.000+00:00",
            "2022-11-29T14:34:56+02",
            "2022-11-29t12:34:56z",
            "2022-11-29 12:34:56 UTC",
            "2022-11-29 14:34:56 +0200",
            " 2022-11-29T12:34:56.000000Z ",
            "2022-11-29 12:34:56",
            "1669725296000",
            1669725296000,
        ],
    )
    def test_a_time_with_any_offset(self, text: object) -> None:
        """Without the time of its creation nobody would see that a write made an object anew."""
        assert time_at({"created_at": text}, "created_at") == TOLD_MS

    @pytest.mark.parametrize("text", ["", ":", "12:34:56 UTC", "2022-11-29T12:34:56+", "yesterday", "x" * 10_000, []])
    def test_what_is_no_time(self, text: object) -> None:
        assert time_at({"created_at": text}, "created_at") is None

    @pytest.mark.parametrize(
        "text",
        [
            "2022-11-29T14:04:56+01:30".rjust(67),  # its first 64 characters end in `+01`
            f"{'2022-11-29T12:34:56Z':64}+05:00",
            f"{'2022-11-29T12:34:56Z':64}and more",
        ],
    )
    def test_a_long_text_is_no_time_though_it_begins_with_one(self, text: str) -> None:
        """What was read was the instant of its first 64 characters, 30 minutes or 5 hours off."""
        assert time_at({"created_at": text}, "created_at") is None


def told(body: object, received_ms: int = TOLD_MS) -> list[News]:
    source = account_on(Scripted(lambda _: answer({}))).source
    return list(source.translate(Notification("acme", "userflow", json.dumps(body).encode(), {}, received_ms)).news)


def notification(subject: object, topic: str = "user.updated", **more: object) -> dict[str, object]:
    return {"id": "n1", "topic": topic, "created_at": "2022-11-29T12:34:56.000+00:00", "data": subject, **more}


TO_BE_READ = News("users", "u1", "upserted", {}, 0, 0, complete=False)


class TestWebhooks:
    @pytest.mark.parametrize("days", [-2, 5, 1_400])
    def test_a_time_that_is_none_of_its_own_has_the_user_read(self, days: int) -> None:
        """One constant time in all of them, such as the user's own creation, made each stale and lost."""
        assert told(notification({"object": USER}), TOLD_MS + days * 86_400_000) == [TO_BE_READ]

    @pytest.mark.parametrize("lacking", [{}, {"attributes": None}, {"attributes": []}])
    def test_a_user_whose_attributes_are_not_told_is_read(self, lacking: dict[str, object]) -> None:
        (news,) = told(notification({"object": {"id": "u1", "object": "user", **lacking}}))
        assert (news.operation, news.fields, news.at_ms, news.complete) == ("upserted", {}, TOLD_MS, False)

    @pytest.mark.parametrize(
        ("subject", "topic"),
        [
            ({"id": "u1", "object": "user"}, "user.deleted"),
            ({"id": "u1", "object": "user", "deleted": True}, "user"),
            ({**USER, "deleted": True}, "user.updated"),
        ],
    )
    def test_a_deletion_needs_no_more_than_the_name(self, subject: dict[str, object], topic: str) -> None:
        assert told(notification({"object": subject}, topic)) == [
            News("users", "u1", "deleted", {}, TOLD_MS, 0, complete=True)
        ]

    def test_a_deletion_without_a_time_is_borne_out_by_a_read_that_finds_nobody(self) -> None:
        (news,) = told(notification({"object": USER}, "user.deleted", created_at=None))
        assert (news.operation, news.at_ms, news.complete, news.of_deletion) == ("upserted", 0, False, True)

    def test_one_that_tells_neither_what_nor_when_is_none(self) -> None:
        """Its user may be gone for long: a read that finds nobody would be repeated for more than a minute."""
        with pytest.raises(ValueError, match="malformed"):
            told(notification({"object": {"id": "u1", "object": "user"}}, created_at=None))

    def test_one_without_an_id_or_with_its_object_as_its_data_is_read_all_the_same(self) -> None:
        bare = {name: value for name, value in notification(USER).items() if name != "id"}
        (news,) = told(bare)
        assert (news.object_id, news.fields["plan"].value, news.complete) == ("u1", "plus", True)

    def test_several_in_one_body(self) -> None:
        body = [
            notification({"object": USER}),
            sample("userflow", "notification_event"),
            notification({"object": USER}),
        ]
        assert [one.object_id for one in told(body)] == ["u1", "u1"]

    def test_an_event_names_its_user_by_id_or_as_an_object(self) -> None:
        body = sample("userflow", "notification_event")
        body["data"]["object"] |= {"user_id": None, "user": {"id": "u1"}, "group": {"id": "g1"}}
        (delivery,) = userflow.parse_notifications(json.dumps(body).encode())
        assert delivery.event is not None
        assert (delivery.event.user_id, delivery.event.group_id) == ("u1", "g1")
