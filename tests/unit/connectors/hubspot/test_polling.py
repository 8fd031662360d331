"""HubSpot polled: what changed is found by searches and in the bin, each once, whatever the index shows late."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from connectors.contract.errors import Refused, Transient
from connectors.contract.feed import FeedSettings, Kept
from connectors.contract.source import AssociatedNews
from connectors.http.messages import Request, Response
from connectors.hubspot.polling import Told
from schemas.records import Notification, StampedValue
from tests.unit.connectors.feeding import LAG_MS, FedAccount
from tests.unit.connectors.hubspot.account import Opened, opened

MODIFIED, ARCHIVED = "contacts/modified", "contacts/archived"


async def polled(**settings: Any) -> tuple[Opened, FedAccount]:
    """An account that is polled from now on."""
    case = opened(source="poll", **settings)
    fed = FedAccount(case.account, case.now)
    for name in (MODIFIED, ARCHIVED):
        await fed.until_quiet(name)
    case.now.pass_ms(60_000)
    fed.forget()
    return case, fed


def told(fed: FedAccount) -> list[tuple[str, str]]:
    return [(one.object_id, one.operation) for one in fed.news()]


def searches(case: Opened) -> Sequence[Any]:
    return [request for request in case.transport.sent if request.path.endswith("/search")]


async def test_a_change_is_told_once_with_its_time_and_as_news_of_a_poll() -> None:
    case, fed = await polled(search_lag_ms=0)
    case.portal.edit_object("contacts", "1", {"jobtitle": "Chief"})
    at_ms = fed.now_ms
    for _ in range(5):
        case.now.pass_ms(1_000)
        await fed.until_quiet(MODIFIED)
    (news,) = fed.news()
    assert (news.object_id, news.operation, news.at_ms, news.complete) == ("1", "upserted", at_ms, False)
    (body,) = fed.bodies
    assert case.account.source.translate(Notification("acme", "hubspot", body, {}, at_ms)).origin == "poll"


async def test_every_type_is_searched_by_its_own_name_of_the_modified_time() -> None:
    case, fed = await polled()
    for kind, object_id, fields in (
        ("contacts", "1", {"jobtitle": "Chief"}),
        ("companies", "10", {"name": "Acme Limited"}),
        ("2-77", "30", {"slug": "other"}),
    ):
        case.portal.edit_object(kind, object_id, fields)
        case.now.pass_ms(10_000)
        await fed.until_quiet(f"{kind}/modified")
    assert {(one.object_type, one.object_id) for one in fed.news()} >= {("contacts", "1"), ("2-77", "30")}
    bodies = [request.body.decode() for request in searches(case) if "/contacts/" in request.path]
    assert all('"lastmodifieddate"' in body for body in bodies if "filters" in body)


async def test_what_the_index_shows_half_a_minute_late_is_found_though_later_changes_were_seen_before() -> None:
    case, fed = await polled(search_lag_ms=0)
    case.portal.edit_object("contacts", "1", {"jobtitle": "late"})
    case.portal.change_settings(search_lag_ms=30_000)
    case.now.pass_ms(1_000)
    await fed.until_quiet(MODIFIED)
    assert told(fed) == []
    case.now.pass_ms(28_000)
    case.portal.edit_object("contacts", "2", {"jobtitle": "later"})
    case.portal.change_settings(search_lag_ms=0)
    await fed.until_quiet(MODIFIED)
    assert ("2", "upserted") in told(fed)
    await fed.round()
    assert {object_id for object_id, _ in told(fed)} == {"1", "2"}


@pytest.mark.long
async def test_twelve_thousand_records_of_one_time_are_all_told() -> None:
    await _of_one_time(12_000)


async def test_hundreds_of_records_of_one_time_are_all_told_and_no_search_is_paged() -> None:
    case = await _of_one_time(700)
    assert not any(b'"after"' in request.body for request in searches(case))


async def _of_one_time(number: int) -> Opened:
    case, fed = await polled(search_lag_ms=0)
    case.portal.bulk(
        [
            {"operation": "create", "type": "contacts", "properties": {"email": f"bulk{one}@example.com"}}
            for one in range(number)
        ],
        same_time=True,
    )
    case.now.pass_ms(1_000)
    made = {row["id"] for row in case.portal.list_objects("contacts")} - {str(one) for one in range(1, 9)}
    await fed.until_quiet(MODIFIED)
    heard = [object_id for object_id, _ in told(fed)]
    assert set(heard) == made
    assert len(heard) == number
    assert max(len(body) for body in fed.bodies) < 100_000
    return case


async def test_a_restart_in_the_middle_of_a_pass_goes_on_there() -> None:
    case, fed = await polled(search_lag_ms=0)
    edits = [{"operation": "create", "type": "contacts", "properties": {"email": f"b{n}@x.org"}} for n in range(500)]
    case.portal.bulk(edits, same_time=True)
    case.now.pass_ms(1_000)
    for _ in range(2):
        await fed.pull(MODIFIED)
    before = len(searches(case))
    fed.restart()
    await fed.until_quiet(MODIFIED)
    assert len({object_id for object_id, _ in told(fed)}) == 500
    assert len(searches(case)) - before <= 6


async def test_an_outage_of_a_week_loses_nothing() -> None:
    case, fed = await polled()
    case.now.pass_ms(3 * 86_400_000)
    case.portal.edit_object("contacts", "3", {"jobtitle": "meanwhile"})
    case.portal.delete_object("contacts", "4")
    case.now.pass_ms(4 * 86_400_000)
    fed.restart()
    await fed.round()
    assert ("3", "upserted") in told(fed)
    assert ("4", "deleted") in told(fed)


async def test_a_merge_is_told_by_its_survivor_once() -> None:
    case, fed = await polled()
    left = case.portal.merge_objects("contacts", "1", "2")["id"]
    await fed.round()
    ended = [(one.object_id, one.merged_into) for one in fed.news() if one.operation == "deleted"]
    assert sorted(ended) == [("1", left), ("2", left)]
    case.portal.edit_object("contacts", left, {"jobtitle": "both"})
    fed.forget()
    await fed.round()
    assert {one.operation for one in fed.news()} == {"upserted"}


class TestBin:
    async def test_what_lay_there_before_is_no_news(self) -> None:
        case = opened(source="poll")
        case.portal.delete_object("contacts", "1")
        case.now.pass_ms(3_600_000)
        fed = FedAccount(case.account, case.now)
        await fed.until_quiet(ARCHIVED)
        assert told(fed) == []

    async def test_a_bin_that_nobody_looked_into_for_as_long_as_records_lie_there_is_a_gap(self) -> None:
        case, fed = await polled()
        case.portal.delete_object("contacts", "1")
        case.now.pass_ms(90 * 86_400_000)
        await fed.until_quiet(ARCHIVED)
        assert fed.gaps == ["bin_emptied"]
        case.portal.delete_object("contacts", "2")
        await fed.round()
        assert ("2", "deleted") in told(fed)

    async def test_a_deletion_is_told_once_at_its_own_time(self) -> None:
        case, fed = await polled()
        case.portal.delete_object("contacts", "1")
        at_ms = fed.now_ms
        for _ in range(3):
            await fed.round()
        (news,) = [one for one in fed.news() if one.operation == "deleted"]
        assert (news.object_id, news.at_ms) == ("1", at_ms)

    async def test_a_restored_record_is_told_and_deleted_once_more_it_is_told_again(self) -> None:
        case, fed = await polled()
        case.portal.delete_object("contacts", "1")
        await fed.round()
        fed.forget()
        case.portal.restore_object("contacts", "1")
        await fed.round()
        assert ("1", "upserted") in told(fed)
        fed.forget()
        case.portal.delete_object("contacts", "1")
        await fed.round()
        assert ("1", "deleted") in told(fed)

    async def test_a_failure_between_two_lists_loses_neither_what_went_nor_what_came_back(self) -> None:
        case, fed = await polled()
        case.portal.delete_object("contacts", "1")
        await fed.round()
        fed.forget()
        case.portal.restore_object("contacts", "1")
        case.portal.delete_object("contacts", "2")
        case.now.pass_ms(60_000)
        case.strike(action="status", status=500, path_contains="/batch/read", times=1)
        with pytest.raises(Transient):
            await fed.pull(ARCHIVED)
        await fed.pull(ARCHIVED)
        assert set(told(fed)) == {("1", "upserted"), ("2", "deleted")}

    async def test_a_list_of_the_bin_that_shows_one_page_again_and_again_is_left_for_a_while(self) -> None:
        case, fed = await polled()
        edits = [
            {"operation": "create", "type": "contacts", "properties": {"email": f"b{n}@x.org"}} for n in range(150)
        ]
        case.portal.bulk(edits)
        for row in case.portal.list_objects("contacts"):
            case.portal.delete_object("contacts", row["id"])
        begun = fed.kept[ARCHIVED]
        await fed.pull(ARCHIVED)
        (listed,) = {json.loads(fed.kept[ARCHIVED].position)["cursor"]}
        fed.kept[ARCHIVED] = Kept(begun.position.replace("null", f'"{listed}"'), begun.at_ms)
        case.transport.sent.clear()
        sent = case.transport.send

        async def first_page(request: Request) -> Response:
            return await sent(replace(request, query=tuple(one for one in request.query if one[0] != "after")))

        case.transport.send = first_page  # type: ignore[method-assign]
        with pytest.raises(Refused, match="paging_page_repeated"):
            await fed.pull(ARCHIVED)

    async def test_a_record_that_left_the_bin_for_good_is_not_told_to_be_back(self) -> None:
        case, fed = await polled()
        case.portal.delete_object("contacts", "1")
        await fed.round()
        fed.forget()
        case.portal.forget_object("contacts", "1")
        await fed.round()
        assert told(fed) == []

    async def test_a_long_list_is_read_page_by_page_at_the_rate_that_is_set(self) -> None:
        case, fed = await polled()
        edits = [
            {"operation": "create", "type": "contacts", "properties": {"email": f"b{n}@x.org"}} for n in range(150)
        ]
        case.portal.bulk(edits)
        for row in case.portal.list_objects("contacts"):
            if int(row["id"]) > 100:
                case.portal.delete_object("contacts", row["id"])
        first = await fed.pull(ARCHIVED)
        assert first.wait_s == 100 / FeedSettings().patrol_per_s
        fed.restart()
        await fed.pull(ARCHIVED)
        assert len(set(told(fed))) == len(fed.news()) == 150


class TestAssociated:
    def catalog(self, case: Opened) -> None:
        case.catalog.replace({"contacts": ("email", "company.name")}, {})

    def associated(self, case: Opened, fed: FedAccount) -> list[AssociatedNews]:
        return [
            item
            for body in fed.bodies
            for item in case.account.source.translate(Notification("acme", "hubspot", body, {}, fed.now_ms)).associated
        ]

    async def test_types_whose_fields_others_show_are_polled_and_types_that_show_them_are_swept(self) -> None:
        case, _ = await polled()
        self.catalog(case)
        feeds = case.account.feeds
        assert feeds is not None
        assert set(feeds.names()) == {MODIFIED, ARCHIVED, "companies/modified", "companies/archived"}
        assert tuple(feeds.patrolled()) == ("contacts",)

    async def test_a_changed_company_is_news_of_an_associated_object(self) -> None:
        case, fed = await polled()
        self.catalog(case)
        await fed.until_quiet("companies/modified")
        case.portal.edit_object("companies", "10", {"name": "Acme Limited"})
        at_ms = fed.now_ms
        await fed.round()
        told = self.associated(case, fed)
        fields = {"name": StampedValue("Acme Limited", at_ms)}
        assert told == [AssociatedNews("companies", "10", "changed", at_ms, fields)]

    async def test_a_change_of_what_nobody_shows_is_no_news_for_those_who_show_the_company(self) -> None:
        case, fed = await polled()
        self.catalog(case)
        await fed.until_quiet("companies/modified")
        for number in range(3):
            case.portal.edit_object("companies", "10", {"numberofemployees": str(number)})
            await fed.round()
        assert len(self.associated(case, fed)) <= 1  # the first of all, for it is not known what was told before
        fed.forget()
        case.portal.edit_object("companies", "10", {"name": "Acme Limited"})
        await fed.round()
        assert [one.object_id for one in self.associated(case, fed)] == ["10"]

    async def test_more_names_than_a_search_takes_are_read_instead(self) -> None:
        case, fed = await polled()
        names = tuple(f"company.property_number_{number}" for number in range(100))
        case.catalog.replace({"contacts": ("email", *names)}, {})
        await fed.until_quiet("companies/modified")
        case.portal.edit_object("companies", "10", {"name": "Acme Limited"})
        await fed.round()
        assert [(one.at_ms, dict(one.fields)) for one in self.associated(case, fed)] == [(0, {})]

    async def test_an_association_that_moves_no_modified_time_is_found_by_the_sweep(self) -> None:
        case, fed = await polled()
        self.catalog(case)
        await fed.round()
        fed.forget()
        case.portal.associate("contacts", "1", "companies", "10", primary=True)
        await fed.round(after_ms=LAG_MS)
        shown = {one.object_id: one.fields["company.name"].value for _, one in fed.seen}
        assert shown == {"1": "Acme", **{str(number): None for number in range(2, 9)}}


def test_what_is_forgotten_is_told_once_more() -> None:
    told = Told(most=2)
    assert [told.is_new(key) for key in ("a", "b", "a", "c", "a")] == [True, True, False, True, True]


def test_an_older_time_is_no_news() -> None:
    told = Told()
    assert [told.is_new("a", at_ms) for at_ms in (5, 4, 5, 6)] == [True, False, False, True]
