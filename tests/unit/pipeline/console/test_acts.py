"""What forms do: what the commands would ask for, by whoever is signed in, and nothing unconfirmed."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pipeline.console import rail
from pipeline.console.asking import ASKED_BY
from pipeline.provisioning.trial import told_given_up
from schemas.configuration import ConnectAnswer, IntegrationPart, Sections, SystemSettings
from schemas.topics import INTEGRATIONS, MAPPINGS, RUNS
from tests.unit.pipeline.console.fixtures import InMemory, connect, in_memory
from tests.unit.pipeline.console.test_live import lines_of
from tests.unit.pipeline.console.test_pages import RUN, lag, mapped, ran, text


@pytest.fixture
def it() -> InMemory:
    made = in_memory(lag)
    connect(made)
    mapped(made)
    return made


def scheduler(it: InMemory) -> Callable[[str, str, Any], None]:
    """Takes what is asked of an integration into force at once."""

    def changed(topic: str, key: str, row: Any) -> None:
        if topic == INTEGRATIONS and isinstance(row, IntegrationPart) and row.desired is not None:
            settings = it.tables.get(INTEGRATIONS, f"{row.integration}/settings").settings
            asked = row.desired
            now = replace(settings, state=asked.state, apply_id=asked.apply_id, apply_state="done")
            now = replace(now, pause_reason=asked.pause_reason)
            it.tables.put(INTEGRATIONS, f"{row.integration}/settings", IntegrationPart(row.integration, settings=now))

    return changed


async def test_a_full_sync_is_asked_for_and_shown(it: InMemory) -> None:
    signed_in = await it.signed_in("operator")
    assert "contacts-users" in text((await signed_in.get("/i/acme/full-sync/start")).text)
    answer = await signed_in.send("/i/acme/full-sync/start", mapping="contacts-users")
    assert (answer.status_code, answer.headers["location"]) == (303, "/i/acme/full-sync")
    ((topic, key, row),) = it.publisher.sent
    assert (topic, key, row.state, row.mappings) == (RUNS, row.run_id, "requested", ())
    assert "Full sync running" in text((await signed_in.get("/i/acme/full-sync")).text)


async def test_a_second_full_sync_is_refused_with_what_to_do(it: InMemory) -> None:
    ran(it, "running", phase="read", step="crawl")
    answer = await (await it.signed_in("operator")).send("/i/acme/full-sync/start")
    assert answer.status_code == 409
    assert f"run {RUN} is under way" in text(answer.text) and "Nothing was changed." in text(answer.text)
    assert it.publisher.sent == []


async def test_only_some_mappings_can_be_chosen_and_only_those_there_are(it: InMemory) -> None:
    mapped(it, "companies")
    signed_in = await it.signed_in("operator")
    assert (await signed_in.send("/i/acme/full-sync/start", mapping="no-such")).status_code == 409
    await signed_in.send("/i/acme/full-sync/start", mapping="companies")
    ((_, _, row),) = it.publisher.sent
    assert row.mappings == ("companies",)


async def test_a_run_is_stopped_and_let_write(it: InMemory) -> None:
    signed_in = await it.signed_in("operator")
    assert (await signed_in.get("/i/acme/full-sync/stop")).status_code == 409
    ran(it, "running", phase="compare", step="hold")
    for act in ("stop", "confirm"):
        assert (await signed_in.get(f"/i/acme/full-sync/{act}")).status_code == 200
        assert (await signed_in.send(f"/i/acme/full-sync/{act}")).status_code == 303
    assert [(topic, key) for topic, key, _ in it.publisher.sent] == [(RUNS, f"{RUN}/stop"), (RUNS, f"{RUN}/confirm")]


@pytest.mark.parametrize(("act", "state"), [("pause", "paused"), ("resume", "active")])
async def test_writing_is_paused_and_resumed(it: InMemory, act: str, state: str) -> None:
    it.tables.subscribers.append(scheduler(it))
    signed_in = await it.signed_in("operator")
    assert (await signed_in.get(f"/i/acme/{act}")).status_code == 200
    assert (await signed_in.send(f"/i/acme/{act}")).headers["location"] == "/i/acme"
    ((topic, key, part),) = it.publisher.sent
    assert (topic, key, part.desired.state) == (INTEGRATIONS, "acme/desired", state)


@pytest.mark.parametrize("act", ["pause", "resume"])
async def test_a_file_on_trial_is_said_to_be_given_up_before_and_after(it: InMemory, act: str) -> None:
    signed_in, given_up = await it.signed_in("operator"), "The file that waits on trial. Apply it again later."
    assert given_up not in text((await signed_in.get(f"/i/acme/{act}")).text)
    settings = it.desk.integrations["acme"]
    tried = Sections(settings.document, settings.hubspot, settings.userflow)
    connect(it, apply_state="proving", trial=tried)
    assert given_up in text((await signed_in.get(f"/i/acme/{act}")).text)
    connect(it, reason=told_given_up(tried))
    page = text((await signed_in.get("/i/acme")).text)
    assert "Not in force: a file that waited on trial (HubSpot account 12345678, Userflow production) was given" in page


async def test_a_pause_is_told_with_its_reason_wherever_it_is(it: InMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rail, "KEPT_S", -1.0)
    it.tables.subscribers.append(scheduler(it))
    signed_in = await it.signed_in("operator")
    assert "Why? (shown to others, optional)" in text((await signed_in.get("/i/acme/pause")).text)
    why = 'CRM <b>clean-up</b> "ACME-77" \u05e9\u05dc\u05d5\u05dd \u202eevil'
    await signed_in.send("/i/acme/pause", reason=f"  {why}\n")
    ((_, _, part),) = it.publisher.sent
    assert part.desired.pause_reason == why
    page = (await signed_in.get("/i/acme")).text
    shown = "CRM &lt;b&gt;clean-up&lt;/b&gt; &#34;ACME-77&#34; \u05e9\u05dc\u05d5\u05dd \\u202eevil"
    assert f"Reason given: “\u2068{shown}\u2069”" in page and "<b>clean-up" not in page
    assert f", Paused: \u2068{shown}\u2069</span>" in page.split('id="live_rail"')[1]
    assert f"“\u2068{shown}\u2069”" in (await signed_in.get("/")).text
    await signed_in.send("/i/acme/resume")
    assert it.publisher.sent[-1][2].desired.pause_reason == ""
    assert "clean-up" not in (await signed_in.get("/i/acme")).text


async def test_a_reason_that_is_too_long_is_refused_and_kept_in_the_form(it: InMemory) -> None:
    answer = await (await it.signed_in("operator")).send("/i/acme/pause", reason="why " * 60)
    assert answer.status_code == 422 and f'value="{"why " * 60}"' in answer.text
    assert "at most 200 characters; this one has 239. Fix: shorten it. Nothing was changed." in text(answer.text)
    assert it.publisher.sent == []


async def test_disconnecting_needs_the_name(it: InMemory) -> None:
    it.tables.subscribers.append(scheduler(it))
    for system in ("hubspot", "userflow"):
        part = it.tables.get(INTEGRATIONS, f"acme/{system}")
        gone = replace(part, connector=replace(part.connector, withdrawn="done"))
        it.tables.put(INTEGRATIONS, f"acme/{system}", gone)
    signed_in = await it.signed_in("admin")
    ran(it, "completed")
    asked = (await signed_in.get("/i/acme/disconnect")).text
    assert "what is known of its objects: 1,500 links, " in text(asked)
    assert 'href="/i/acme/pause">Pause instead<' in asked and "Keep it connected" in asked
    for wrong in ("", "acm", "ACME"):
        answer = await signed_in.send("/i/acme/disconnect", name=wrong)
        assert (answer.status_code, "Type acme to confirm" in text(answer.text)) == (422, True)
    assert it.publisher.sent == []
    assert (await signed_in.send("/i/acme/disconnect", name="acme")).status_code == 303
    ((_, _, part),) = it.publisher.sent
    assert (part.desired.state, dict(part.desired.hubspot.secrets)) == ("disconnected", {})
    assert "Disconnected" in text((await signed_in.get("/i/acme")).text)


async def test_what_is_disconnected_is_not_resumed(it: InMemory) -> None:
    connect(it, state="disconnected")
    assert (await (await it.signed_in()).send("/i/acme/resume")).status_code == 409
    assert it.publisher.sent == []


async def test_what_is_done_is_done_by_who_is_signed_in(it: InMemory) -> None:
    asked: list[str] = []
    it.tables.subscribers.append(lambda topic, *_: asked.append(ASKED_BY.get()) if topic == RUNS else None)
    await (await it.signed_in("operator")).send("/i/acme/full-sync/start")
    assert asked == ["ada@build-7"]


async def test_a_link_to_hubspot_is_for_the_session_that_asked_for_it(it: InMemory) -> None:
    signed_in, other = await it.signed_in(), await it.signed_in()
    assert (await signed_in.get("/i/acme/connection/grant")).status_code == 409  # a token is granted by nobody
    connect(it, hubspot=SystemSettings("12345678", {"client_id": "c"}))
    assert "12345678" in text((await signed_in.get("/i/acme/connection/grant")).text)
    page = (await signed_in.send("/i/acme/connection/grant")).headers["location"]
    shown = (await signed_in.get(page)).text
    assert "http://127.0.0.1:8080/oauth/hubspot/start?link=" in shown and "Waiting for you" in shown
    assert (await other.get(page)).status_code == 404
    mine, others = (lines_of(it, one.client.cookies, page) for one in (signed_in, other))
    async with asyncio.timeout(20):
        told = [await anext(mine), await anext(mine)]  # while this stream is open, nobody else gets what it is told
        assert "/oauth/hubspot/start" in told[1]
        assert [line async for line in others] == ["event: over", "data: {}", ""]
        await mine.aclose()
    ((_, key, part),) = it.publisher.sent
    assert key == "acme/link" and part.link.link in page

    for answer, said in (
        (ConnectAnswer(part.link.link, "declined"), "Access was declined"),
        (ConnectAnswer(part.link.link, None, "12345678"), "Connected to HubSpot account 12345678."),
    ):
        it.tables.put(INTEGRATIONS, "acme/hubspot/consent", IntegrationPart("acme", consent=answer))
        shown = (await signed_in.get(page)).text
        assert said in text(shown) and "/oauth/hubspot/start" not in shown


async def test_no_scheduler_leaves_all_as_it_was_and_says_so(it: InMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.console.pages.acts.IN_FORCE_S", 0.1)
    async with asyncio.timeout(20):
        answer = await (await it.signed_in()).send("/i/acme/pause")
    assert answer.status_code == 409
    assert "scheduler" in text(answer.text)
    assert it.tables.table(MAPPINGS)
