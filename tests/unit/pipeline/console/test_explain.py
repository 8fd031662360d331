"""Explaining an object: what its page says, values for those who ask, and no address, audit or log that holds any."""

import html
import logging
import re
from dataclasses import replace
from typing import Any

import pytest

from pipeline.console.drawing import span
from pipeline.console.handles import KEY_BYTES, Handles
from pipeline.console.looks import MOST
from pipeline.explain.answer import Named
from pipeline.operations.letter_report import meaning
from pipeline.visible import visible
from schemas.operating import AuditEntry
from schemas.records import ConnectorRequest, StateCommand
from schemas.spent import with_spent
from schemas.topics import RUNS
from tests.unit.pipeline.console.fixtures import Browser, InMemory, connect, in_memory
from tests.unit.pipeline.console.test_pages import HOSTILE, RUN, lag, ran, text
from tests.unit.pipeline.core.given import CONTACT, EMAIL, USER, contact, receipt, user, written
from tests.unit.pipeline.core.test_timeline import did, streaming
from tests.unit.pipeline.explain.situations import EDIT, Situation, caused
from tests.unit.pipeline.explain.test_trace import DERIVED, MATCHED

HUBSPOT = Named("hubspot", "contacts", CONTACT)
PATH = f"/i/acme/objects/hubspot/contacts/{CONTACT}"
VALUES = ("Dr", "pro", EMAIL)


def put(it: InMemory, situation: Situation, named: Named, *texts: str) -> None:
    it.objects.put(named, situation.explained(named.system, named.object_id), *texts)


def pair() -> Situation:
    return Situation().happened(
        contact(1_000, {"jobtitle": "Dr", "tier": None}),
        user(1_000, {"title": None, "plan": "pro"}),
        written("userflow", USER, 2_000, {"title": "Dr"}),
        written("hubspot", CONTACT, 2_000, {"tier": "pro"}),
    )


@pytest.fixture
def it() -> InMemory:
    made = in_memory(lag)
    connect(made)
    return made


async def page(it: InMemory, path: str = PATH, role: Any = "viewer") -> str:
    answer = await (await it.signed_in(role)).get(path)
    assert answer.status_code == 200, answer.text
    return text(answer.text)


async def test_a_pair_says_how_each_field_stands_and_no_value(it: InMemory) -> None:
    put(it, pair(), HUBSPOT)
    answer = await (await it.signed_in("viewer")).get(PATH)
    said = text(answer.text)
    assert "Contact 101" in said and "Linked" in said and "In step." in said
    assert "jobtitle → title" in said and "plan → tier" in said
    assert answer.text.count('aria-label="hidden value"') == 5  # two fields on two sides, and the match value
    assert not any(value in said for value in VALUES)
    assert "Show values" not in said  # not for a viewer


async def test_a_written_field_says_where_the_time_since_the_edit_went(it: InMemory) -> None:
    spent = with_spent(EDIT, read_s=0.1, write_s=0.05)
    records = (
        caused(contact(1_000, {"jobtitle": "Dr", "tier": None}), EDIT),
        user(1_000, {"title": None, "plan": "pro"}),
        caused(written("userflow", USER, 2_000, {"title": "Dr"}), spent),
    )
    put(it, Situation().happened(*records), HUBSPOT)
    parts = "Pairstream 0.15 s; reads 0.10 s; limits 0.00 s; writes 0.05 s"
    assert f"0.30 s after the edit ({parts})" in await page(it)


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([contact(1_000, {"jobtitle": "Dr"})], "Nobody in Userflow is known to hold its email. Only the primary"),
        ([contact(1_000, {"jobtitle": "Dr", "email": None})], "It has no value in email"),
        (
            [contact(1_000, {"jobtitle": "Dr"}), user(1_000, {}), user(1_000, {}, id="u-2")],
            "Several hold the match value. Nothing is written until one is left",
        ),
        (
            [
                *(contact(1_000, {"jobtitle": "Dr"}), user(1_000, {"title": None})),
                receipt("userflow", USER, {"title": "Dr"}),
            ],
            f"Refused {meaning('not_an_option')}",
        ),
    ],
)
async def test_whatever_keeps_it_from_being_in_step_is_said(it: InMemory, records: list[Any], said: str) -> None:
    put(it, Situation().happened(*records), HUBSPOT)
    assert said in await page(it)


async def test_what_is_typed_is_answered_by_an_address_that_does_not_hold_it(it: InMemory) -> None:
    put(it, pair(), Named("userflow", "users", EMAIL), EMAIL)
    browser = await it.signed_in("viewer")
    answer = await browser.send("/i/acme/explain", id=f" {EMAIL} ")
    where = answer.headers["location"]
    assert answer.status_code == 303 and EMAIL not in where and "ada" not in where
    assert re.fullmatch(r"/i/acme/objects/userflow/users/~[\w-]+", where)
    again = await browser.send("/i/acme/explain", id=EMAIL)
    assert again.headers["location"] == where  # a link can be handed on


async def test_the_address_of_a_record_is_understood(it: InMemory) -> None:
    put(it, pair(), HUBSPOT)
    browser = await it.signed_in("viewer")
    link = f"https://app.hubspot.com/contacts/12345678/record/0-1/{CONTACT}?x=1"
    assert (await browser.send("/i/acme/explain", id=link)).headers["location"] == PATH


async def test_how_many_are_not_linked_is_what_the_last_full_sync_counted(it: InMemory) -> None:
    assert "Not linked" not in await page(it, "/i/acme/explain")
    ran(it, "completed")
    row = it.tables.get(RUNS, RUN)
    counts = {"unmatched.userflow": 87, "unmatched.hubspot": 2_866, "ambiguous": 3}
    it.tables.put(RUNS, RUN, replace(row, counts={**row.counts, **counts}))
    said = await page(it, "/i/acme/explain")
    assert "Not linked" in said and "87" in said and "2,866" in said


async def test_nothing_is_known_of_it(it: InMemory) -> None:
    browser = await it.signed_in("viewer")
    answer = await browser.send("/i/acme/explain", id="nobody@example.com")
    assert answer.status_code == 404 and "Nothing is known of it." in text(answer.text)
    assert "nobody@example.com" not in answer.text
    assert (await browser.get("/i/acme/objects/userflow/users/~Zm9v")).status_code == 404
    assert (await browser.get("/i/acme/objects/userflow/users/u-1")).status_code == 404


async def shown(it: InMemory, browser: Browser) -> Any:
    return await browser.send(f"{PATH}/values")


async def test_values_are_shown_for_a_minute_and_recorded_first(it: InMemory) -> None:
    put(it, pair(), HUBSPOT)
    answer = await shown(it, await it.signed_in("operator"))
    assert answer.status_code == 200 and all(value in text(answer.text) for value in VALUES)
    assert answer.headers["refresh"] == f"60; url={PATH}" and answer.headers["cache-control"] == "no-store"
    (entry,) = [record for _, _, record in it.publisher.sent if isinstance(record, AuditEntry)]
    assert (entry.action, entry.by, entry.detail) == ("values shown", "ada@build-7", "hubspot contacts 101")
    assert "data-live" not in re.sub(r"<script.*?>", "", answer.text.split("<main")[1])  # a stream would hide them


async def test_values_that_cannot_be_recorded_are_not_shown(it: InMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    put(it, pair(), HUBSPOT)
    browser = await it.signed_in("operator")

    def refuse(*_: Any) -> Any:
        raise ConnectionError("no broker")

    monkeypatch.setattr(it.publisher, "send", refuse)
    with pytest.raises(ConnectionError):
        await shown(it, browser)


async def test_a_viewer_gets_no_values(it: InMemory) -> None:
    put(it, pair(), HUBSPOT)
    answer = await shown(it, await it.signed_in("viewer"))
    assert answer.status_code == 403 and not any(value in text(answer.text) for value in ("Dr", "pro"))
    assert it.publisher.sent == []


async def test_past_sixty_looks_an_hour_nothing_is_shown(it: InMemory) -> None:
    put(it, pair(), HUBSPOT)
    browser, other = await it.signed_in("operator"), await it.signed_in("admin")
    for _ in range(MOST):
        assert (await shown(it, browser)).status_code == 200
    assert (await shown(it, other)).status_code == 429  # the same person in another session
    it.now_ms[0] += 60 * 60 * 1000
    browser = await it.signed_in("operator")
    assert (await shown(it, browser)).status_code == 200


async def test_no_value_is_in_an_address_an_audit_or_a_log(it: InMemory, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    named = Named("userflow", "users", EMAIL)
    situation = Situation().happened(contact(1_000, {"jobtitle": "Dr"}), user(1_000, {"plan": "pro"}, id=EMAIL))
    put(it, situation, named, EMAIL)
    put(it, situation, HUBSPOT)
    browser = await it.signed_in("operator")
    where = (await browser.send("/i/acme/explain", id=EMAIL)).headers["location"]
    hidden = await browser.get(where)
    assert EMAIL not in hidden.text and "with a hidden id" in hidden.text
    assert EMAIL not in " ".join(re.findall(r'(?:href|action)="([^"]*)"', (await browser.get(PATH)).text))
    for act in ("values", "reread", "rederive", "lookup"):
        answer = await browser.send(f"{where}/{act}")
        assert answer.status_code in (200, 303)
        assert EMAIL not in repr(answer.headers)
    audited = [record for _, _, record in it.publisher.sent if isinstance(record, AuditEntry)]
    assert len(audited) == 4
    assert not any(value in repr(audited) or value in caplog.text for value in VALUES)


async def test_asking_anew_publishes_what_the_roles_take(it: InMemory) -> None:
    put(it, pair(), HUBSPOT)
    browser = await it.signed_in("operator")
    for act in ("reread", "rederive", "lookup"):
        assert (await browser.send(f"{PATH}/{act}")).headers["location"] == PATH
    sent = [(topic, record) for topic, _, record in it.publisher.sent if not isinstance(record, AuditEntry)]
    reads = [(topic, one.values) for topic, one in sent if isinstance(one, ConnectorRequest) and one.kind == "reread"]
    assert reads == [("hubspot.requests", (CONTACT,)), ("userflow.requests", (USER,))]
    (command,) = [one for _, one in sent if isinstance(one, StateCommand)]
    assert (command.kind, command.object_key) == ("rederive", f"acme:1:people:{EMAIL}")
    (topic, asked) = sent[-1]
    assert (topic, asked.kind, asked.values, asked.match_field) == ("userflow.requests", "lookup", (EMAIL,), "email")


async def test_hostile_values_and_ids_are_text(it: InMemory) -> None:
    records = contact(1_000, {"jobtitle": HOSTILE}), user(1_000, {"plan": HOSTILE}, id=HOSTILE)
    put(it, Situation(streaming()).happened(*records).did(did(name=HOSTILE, who=HOSTILE)), HUBSPOT)
    answer = await shown(it, await it.signed_in("operator"))
    assert "<script>alert" not in answer.text and '" onload=' not in answer.text
    assert visible(HOSTILE) in html.unescape(answer.text) and "\u202e" not in answer.text


def test_a_name_opens_where_it_was_made_and_nowhere_else() -> None:
    ours, theirs = Handles([b"a" * KEY_BYTES]), Handles([b"b" * KEY_BYTES])
    named = Named("userflow", "users", EMAIL)
    handle = ours.path("acme", named).rpartition("/")[2]
    assert ours.named("acme", "userflow", "users", handle) == named
    assert Handles([b"c" * KEY_BYTES, b"a" * KEY_BYTES]).named("acme", "userflow", "users", handle) == named
    assert theirs.named("acme", "userflow", "users", handle) is None
    assert ours.named("globex", "userflow", "users", handle) is None
    assert ours.named("acme", "userflow", "groups", handle) is None
    for wrong in ("~", "~!", handle[:-2], f"{handle}x", "u-1", "../x"):
        assert ours.named("acme", "userflow", "users", wrong) is None
    assert ours.named("acme", "elsewhere", "users", handle) is None


@pytest.mark.parametrize("typed", ["http://[", "https://[x/contact/1", "https://dana@acme℀.example/contact/1"])
async def test_a_link_that_is_none_is_nothing_known(it: InMemory, typed: str) -> None:
    answer = await (await it.signed_in("viewer")).send("/i/acme/explain", id=typed)
    assert answer.status_code == 422


async def test_the_last_change_is_drawn_over_time_and_said_in_words(it: InMemory) -> None:
    situation = traced_pair()
    situation.between = [MATCHED, DERIVED]
    put(it, situation, HUBSPOT)
    answer = await (await it.signed_in("viewer")).get(PATH)
    part = answer.text.split("The last change, from webhook to write")[1].split("</section>")[0]
    said = text(part)
    for hop, after in (
        ("Edited in HubSpot by HubSpot's clock", "0 ms"),
        ("Receiver stored the webhook", "500 ms"),
        ("HubSpot connector read the object the webhook did not tell all", "600 ms"),
        ("Objects: newer than what was known", "660 ms"),
        ("Pairs: 1 field to write", "670 ms"),
        ("Userflow connector wrote it", "800 ms"),
    ):
        assert f"{hop} {after}" in said.replace("&#39;", "'"), (hop, said)
    assert "hubspot.notifications[2]@4410" in said and "sync.matches[1]@5" in said
    assert "took 0 ms" not in said and "answers to reads 100 ms" in said
    assert part.count("<svg") == 6 and part.count('aria-hidden="true"') == 6  # the words beside them say the same
    assert not any(value in said for value in VALUES)


def traced_pair() -> Situation:
    """An edit, read and written."""
    spent = with_spent(EDIT, read_s=0.1, write_s=0.05)
    return Situation().happened(
        caused(contact(1_000, {"jobtitle": "Dr", "tier": None}), EDIT),
        user(1_000, {"title": None, "plan": "pro"}),
        caused(written("userflow", USER, 2_000, {"title": "Dr"}), spent),
    )


async def test_without_a_change_in_sight_nothing_is_drawn(it: InMemory) -> None:
    put(it, Situation().happened(contact(1_000, {"jobtitle": "Dr"})), HUBSPOT)
    assert "The last change" not in await page(it)


def test_spans_stay_within_their_picture() -> None:
    drawn = span(0, 0, 0, 0) + span(900, 100, 100, 1_000)
    assert all(0 <= float(x) <= 998 for x in re.findall(r' x="([0-9.]+)"', drawn))


async def test_events_say_on_whose_timeline_they_are_or_why_on_none(it: InMemory) -> None:
    situation = Situation(streaming("flow_started")).happened(contact(1_000, {}), user(1_000, {}))
    situation.did(did(), did("e-2", "page_viewed", at_ms=6_000))
    refused = situation.middle.feed(did("e-3", at_ms=7_000)).events
    told = replace(receipt("hubspot", CONTACT, {}), event=refused[0], reason="unknown_result")
    put(it, situation.did(did("e-3", at_ms=7_000)).happened(told), HUBSPOT)
    answer = await (await it.signed_in("viewer")).get(PATH)
    part = answer.text.split('id="ev"')[1].split("</section>")[0]
    said = text(part)
    assert said.index("flow_started") < said.index("page_viewed")
    assert "Sent" in said and f'href="{PATH}"' in part and "Contact 101" in said
    assert "Not streamed" in said and "The mapping does not stream this event." in said
    assert "Not known" in said and "/i/acme/refused/unknown_result" in part and meaning("unknown_result") in said
    assert "Intro" not in said  # an attribute is a value


async def test_without_events_nothing_is_said_of_them(it: InMemory) -> None:
    put(it, pair(), HUBSPOT)
    assert 'id="ev"' not in (await (await it.signed_in("viewer")).get(PATH)).text
