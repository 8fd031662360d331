"""HubSpot's journal: read file by file from where it was kept, its gaps told, its files fetched without a token."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.contract.errors import Misconfigured, Refused, Transient
from connectors.hubspot.journal import AFTER_SKIPPING_S, MOST_TRIES
from connectors.hubspot.protocol import journal_bodies, notification_bodies, parse_notifications
from tests.examples import share
from tests.unit.connectors.feeding import FedAccount
from tests.unit.connectors.hubspot.account import OAUTH, WANTED, Opened, opened

DAY_MS = 86_400_000


async def journal(**changed: Any) -> tuple[Opened, FedAccount]:
    """An account whose subscriptions were made, and whose journal was read to its end."""
    case = opened(secrets=OAUTH, source="journal", **changed)
    await case.account.setup.provision(WANTED, ())
    fed = FedAccount(case.account, case.now)
    await fed.round()
    return case, fed


def told(fed: FedAccount) -> list[tuple[str, Any]]:
    """The records and job titles that the news name, in order."""
    return [(one.object_id, one.fields["jobtitle"].value) for one in fed.news() if "jobtitle" in one.fields]


async def test_changes_come_in_order_a_file_at_a_time() -> None:
    case, fed = await journal(journal_file_events=1)
    for number in range(3):
        case.portal.edit_object("contacts", "1", {"jobtitle": f"title {number}"})
        case.now.pass_ms(1_000)
    first = await fed.pull("journal")
    assert (len(first.bodies), first.wait_s) == (1, 0.0)
    await fed.until_quiet("journal")
    assert told(fed) == [("1", f"title {number}") for number in range(3)]


async def test_events_say_that_the_journal_told_them_and_when_they_happened() -> None:
    case, fed = await journal()
    case.portal.edit_object("contacts", "1", {"jobtitle": "Chief", "seats": "4"})
    at_ms = fed.now_ms
    await fed.round()
    (body,) = fed.bodies
    assert parse_notifications(body).origin == "journal"
    assert {(one.object_id, one.at_ms, *one.fields) for one in fed.news()} == {
        ("1", at_ms, "jobtitle"),
        ("1", at_ms, "seats"),
    }


async def test_a_file_that_is_read_twice_tells_the_same_twice_and_nothing_is_left_out() -> None:
    case, fed = await journal(journal_file_events=1)
    case.portal.edit_object("contacts", "1", {"jobtitle": "one"})
    case.now.pass_ms(1_000)
    before = fed.kept["journal"]
    await fed.pull("journal")
    fed.kept["journal"] = before  # killed before it was kept
    fed.restart()
    case.portal.edit_object("contacts", "1", {"jobtitle": "two"})
    await fed.round()
    assert told(fed) == [("1", "one"), ("1", "one"), ("1", "two")]


@pytest.mark.parametrize("status", [400, 404, 410])
async def test_an_expired_offset_is_a_gap_and_reading_goes_on_with_the_earliest_entry(status: int) -> None:
    case, fed = await journal(journal_expired_status=status)
    case.portal.edit_object("contacts", "1", {"jobtitle": "read"})
    await fed.round()
    case.portal.edit_object("contacts", "1", {"jobtitle": "lost"})
    case.portal.journal.expire()
    await fed.round()
    assert (fed.gaps, told(fed)) == (["journal_expired"], [("1", "read")])
    case.portal.edit_object("contacts", "1", {"jobtitle": "again"})
    await fed.round()
    assert (len(fed.gaps), told(fed)[-1]) == (1, ("1", "again"))


async def test_nobody_reading_for_three_days_is_a_gap_though_the_vendor_answers() -> None:
    case, fed = await journal(journal_kept_ms=30 * DAY_MS)
    case.portal.edit_object("contacts", "1", {"jobtitle": "read"})
    await fed.round()
    await fed.round(after_ms=3 * DAY_MS - 1)
    assert fed.gaps == []
    case.now.pass_ms(3 * DAY_MS)
    await fed.pull("journal")
    assert fed.gaps == ["journal_gap"]


async def test_an_empty_journal_loses_nothing_of_what_comes_first() -> None:
    case, fed = await journal()
    assert fed.kept["journal"].position == ""
    case.portal.edit_object("contacts", "2", {"jobtitle": "first"})
    fed.restart()
    await fed.round()
    assert told(fed) == [("2", "first")]


async def test_a_journal_that_answers_404_while_it_is_empty_is_empty() -> None:
    case, fed = await journal()
    case.strike(action="status", status=404, path_contains="/earliest", times=1)
    pulled = await fed.pull("journal")
    assert (pulled.position, pulled.wait_s > 0, fed.gaps) == ("", True, [])


async def test_a_file_that_cannot_be_read_is_tried_then_left_out_with_a_gap() -> None:
    case, fed = await journal(journal_file_life_ms=0)
    case.portal.edit_object("contacts", "1", {"jobtitle": "never"})
    case.now.pass_ms(1_000)
    for _ in range(MOST_TRIES - 1):
        with pytest.raises(Transient):
            await fed.pull("journal")
    left_out = await fed.pull("journal")
    assert (left_out.gap, left_out.wait_s) == ("journal_unreadable", AFTER_SKIPPING_S)
    case.portal.change_settings(journal_file_life_ms=60_000)
    case.portal.edit_object("contacts", "1", {"jobtitle": "next"})
    await fed.round()
    assert told(fed) == [("1", "next")]


async def test_a_file_host_that_is_away_is_no_gap() -> None:
    case, fed = await journal()
    case.portal.edit_object("contacts", "1", {"jobtitle": "later"})
    case.now.pass_ms(1_000)
    case.strike(action="status", status=503, path_contains="/journal-files/", times=2 * MOST_TRIES)
    for _ in range(2 * MOST_TRIES):
        with pytest.raises(Transient):
            await fed.pull("journal")
    await fed.round()
    assert (fed.gaps, told(fed)) == ([], [("1", "later")])


async def test_files_are_fetched_with_no_token_and_the_query_as_it_was_signed() -> None:
    case, fed = await journal()
    case.portal.edit_object("contacts", "1", {"jobtitle": "Chief"})
    await fed.round()
    fetched = [request for request in case.transport.sent if request.path.startswith("/journal-files/")]
    assert fetched
    assert all(not request.headers and request.path.endswith("%2B") for request in fetched)
    asked = [request for request in case.transport.sent if "/webhooks-journal/journal-local/" in request.path]
    assert {dict(request.headers)["Authorization"][:11] for request in asked} == {"Bearer CApp"}


async def test_a_token_of_the_app_is_renewed_in_time_and_replaced_when_refused() -> None:
    case, fed = await journal(access_token_life_s=600)
    before = sum(b"client_credentials" in (request.body or b"") for request in case.transport.sent)
    await fed.round(after_ms=100)
    case.portal.tokens.expire_all()
    await fed.round(after_ms=100)
    after = sum(b"client_credentials" in (request.body or b"") for request in case.transport.sent)
    assert after - before == 1


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_an_app_whose_token_is_rejected_at_a_subscription_is_a_setting_and_no_lost_grant(method: str) -> None:
    case = opened(secrets=OAUTH, source="journal")
    await case.account.setup.provision({"companies": ("name",)}, ())
    case.strike(action="status", status=401, path_contains="/webhooks-journal/subscriptions", method=method)
    with pytest.raises(Misconfigured) as refused:
        await case.account.setup.provision({"contacts": ("email",)}, ())
    assert refused.value.reason == "journal_refused"


async def test_an_app_without_the_journals_scopes_is_a_setting_and_no_lost_grant() -> None:
    case = opened(secrets=OAUTH, source="journal", app_scopes=("oauth",))
    with pytest.raises(Misconfigured) as refused:
        await case.account.setup.provision(WANTED, ())
    assert refused.value.reason == "journal_refused"
    with pytest.raises(Misconfigured):
        await FedAccount(case.account, case.now).pull("journal")


def test_a_plain_token_cannot_read_the_journal() -> None:
    with pytest.raises(Misconfigured) as refused:
        opened(source="journal")
    assert refused.value.reason == "journal_needs_oauth"


@settings(max_examples=share(0.6))
@given(
    st.lists(
        st.sampled_from(["edit", "edit", "pull", "pull", "killed", "expire", "forget", "restart", "wait"]), max_size=25
    )
)
def test_every_change_is_told_or_comes_before_a_gap_that_asks_for_a_full_sync(story: list[str]) -> None:
    asyncio.run(_plays(story))


async def _plays(story: list[str]) -> None:
    case, fed = await journal(journal_file_events=2)
    gaps_at: list[int] = []  # how many changes had been made when a gap was told
    made = 0
    for happening in [*story, "wait", *["pull"] * (len(story) + 3)]:
        case.now.pass_ms(1_000)
        match happening:
            case "edit":
                made += 1
                case.portal.edit_object("contacts", "1", {"jobtitle": str(made)})
            case "expire":
                case.now.pass_ms(3 * DAY_MS)
            case "forget" if fed.kept["journal"].position:
                case.portal.journal.expire()  # though nobody knows of a vendor that does so early
            case "restart":
                fed.restart()
            case "pull" | "killed":
                before, gaps = fed.kept["journal"], len(fed.gaps)
                await fed.pull("journal")
                gaps_at += [made] * (len(fed.gaps) - gaps)
                if happening == "killed":  # the news were published, and their place was not kept
                    fed.kept["journal"] = before
                    fed.restart()
    heard = {int(value) for _, value in told(fed)}
    lost = set(range(1, made + 1)) - heard
    # a change that is told nowhere happened before a gap, whose full sync reads what the record holds by then
    assert not lost or (gaps_at and max(lost) <= max(gaps_at))


BASE = {"portalId": 1, "objectTypeId": "0-1", "objectId": 7, "occurredAt": "2026-09-03T10:00:00.000Z"}


class TestEvents:
    def events(self, *items: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        bodies = journal_bodies(
            json.dumps({"offset": "x", "journalEvents": [{**BASE, **one} for one in items]}).encode()
        )
        read = [event for body in bodies for event in parse_notifications(body).events]
        return [(one.happening, one.property_name, one.property_value) for one in read]

    def test_an_update_is_a_change_of_each_property(self) -> None:
        update = {
            "type": "crmObject",
            "action": "UPDATE",
            "propertyChanges": {"a": "1", "b": None, "c": {"value": "3"}},
        }
        assert self.events(update) == [("changed", "a", "1"), ("changed", "b", None), ("changed", "c", "3")]

    def test_values_of_other_kinds_are_values_and_one_that_lacks_is_no_empty_one(self) -> None:
        changes = {"a": True, "b": 12.5, "c": {"value": False}, "d": {"from": "x"}, "e": {"newValue": None}}
        (body,) = journal_bodies(
            json.dumps({"journalEvents": [{**BASE, "action": "UPDATE", "propertyChanges": changes}]}).encode()
        )
        told = [(one.property_value, one.value_told) for one in parse_notifications(body).events]
        assert told == [("true", True), ("12.5", True), ("false", True), (None, False), (None, True)]

    def test_an_update_that_names_no_property_is_read(self) -> None:
        assert self.events({"type": "crmObject", "action": "UPDATE"}) == [("created", None, None)]

    def test_every_other_action_is_the_webhooks_own(self) -> None:
        actions = ("CREATE", "SNAPSHOT", "DELETE", "RESTORE", "GDPR_DELETE", "OF_TOMORROW")
        found = [kind for kind, *_ in self.events(*({"action": action} for action in actions))]
        assert found == ["created", "created", "deleted", "restored", "privacy_deleted"]

    @pytest.mark.parametrize("told", [{"action": "GDPR_DELETE"}, {"type": "GDPR_PRIVACY_DELETION"}])
    @pytest.mark.parametrize("type_id", ["0-1", None])
    def test_an_erasure_is_one_however_little_it_tells(self, told: dict[str, str], type_id: str | None) -> None:
        assert self.events({**told, "objectTypeId": type_id}) == [("privacy_deleted", None, None)]

    def test_an_event_without_an_action_is_one_that_nobody_can_read(self) -> None:
        (body,) = journal_bodies(b'{"journalEvents": [{"portalId": 1, "objectTypeId": "0-1", "objectId": 7}]}')
        batch = parse_notifications(body)
        assert (batch.events, len(batch.unreadable)) == ((), 1)

    @pytest.mark.parametrize(
        "file",
        [
            b"",
            b"nonsense",
            b"[]",
            b"{}",
            b'{"journalEvents": 7}',
            b'{"journalEvents": [{"a": NaN}]}',
            b'{"journalEvents": [{"a": 1e999}]}',
        ],
    )
    def test_what_is_no_file_of_the_journal_is_refused(self, file: bytes) -> None:
        with pytest.raises(Refused) as refused:
            journal_bodies(file)
        assert refused.value.reason == "malformed_journal"

    def test_notifications_are_cut_by_number_and_size(self) -> None:
        bodies = list(notification_bodies("journalEvents", [{"n": number} for number in range(250)]))
        assert [len(json.loads(body)["journalEvents"]) for body in bodies] == [100, 100, 50]
        large = list(notification_bodies("journalEvents", [{"n": "x" * 300_000}] * 3))
        assert [len(json.loads(body)["journalEvents"]) for body in large] == [1, 1, 1]


async def test_a_journal_that_leads_back_is_left_for_a_while() -> None:
    case, fed = await journal(journal_file_events=1)
    for title in ("one", "two", "three"):
        case.portal.edit_object("contacts", "1", {"jobtitle": title})
        case.now.pass_ms(1_000)
    await fed.pull("journal")
    begun = fed.kept["journal"]
    await fed.pull("journal")
    await fed.pull("journal")
    fed.kept["journal"] = begun  # as if the newest entry led back here
    with pytest.raises(Refused, match="paging_cursor_repeated"):
        await fed.pull("journal")


@pytest.mark.parametrize("status", [400, 404, 410])
async def test_a_journal_that_refuses_its_newest_offset_is_one_gap_and_no_loop_of_full_syncs(status: int) -> None:
    case, fed = await journal()
    case.portal.edit_object("contacts", "1", {"jobtitle": "newest"})
    await fed.round()
    case.strike(action="status", status=status, path_contains="/next")
    for _ in range(20):
        await fed.pull("journal")
    assert fed.gaps == ["journal_expired"]
    assert (await fed.pull("journal")).wait_s > 0
