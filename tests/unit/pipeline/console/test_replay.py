"""A replay in the console: planned, shown, run once as shown, followed, held, gone on with and stopped."""

import asyncio
from dataclasses import replace

import pytest

from pipeline.commands.replay_child import ReplayChildren
from pipeline.console.drafts import acted, draft_of, form_of
from pipeline.console.replays import PLAN_MS, PlannedReplay, Wish
from pipeline.explain.answer import Named
from pipeline.integration_file.loader import read_document
from pipeline.operations import OperationRefused
from pipeline.operations.positions import Position
from schemas.operating import AuditEntry, Replay
from schemas.topics import MAPPINGS, REPLAYS, object_key
from tests.unit.pipeline.console.fixtures import (
    AT_MS,
    DOCUMENT,
    PLAN_REPORT,
    REPLAY,
    Browser,
    InMemory,
    connect,
    in_memory,
)
from tests.unit.pipeline.console.test_pages import lag, mapped, text
from tests.unit.pipeline.explain.situations import Situation

RUN = f"/i/acme/replay/{REPLAY.replay_id}"


@pytest.fixture
def it() -> InMemory:
    made = in_memory(lag)
    connect(made)
    mapped(made)
    return made


async def planned(it: InMemory, browser: Browser, **fields: str) -> str:
    """The path of a plan that is there."""
    answer = await browser.send("/i/acme/replay/plan", topics="changes", **fields)
    assert answer.status_code == 303, text(answer.text)
    await asyncio.sleep(0)
    return str(answer.headers["location"])


def audited(it: InMemory) -> list[tuple[str, str]]:
    return [(one.action, one.by) for _, _, one in it.publisher.sent if isinstance(one, AuditEntry)]


async def test_a_plan_is_run_once_as_it_was_shown(it: InMemory) -> None:
    browser = await it.signed_in("operator")
    path = await planned(it, browser, **{"from": "-2h", "mapping": "contacts-users"})
    said = text((await browser.get(path)).text)
    assert "3 records would lead to 2 writes" in said and "Run replay of 3 records" in said
    (wish, by) = it.replays.wishes[0]
    assert by == "ada@build-7" and wish.begin == Position(at_ms=AT_MS - 7_200_000) and wish.end == Position(end=True)
    assert (wish.mapping, wish.topics) == ("contacts-users", ("hubspot.changes", "userflow.changes"))
    answer = await browser.send(path)
    assert answer.headers["location"] == RUN and list(it.replays.running) == [REPLAY.replay_id]
    assert (await browser.send(path)).headers["location"] == RUN  # once: who asks again is led to it
    assert audited(it) == [("replay run", "ada@build-7")]


async def test_a_plan_that_takes_its_time_is_waited_for(it: InMemory) -> None:
    there = asyncio.Event()

    async def slow(wish: Wish, by: str) -> PlannedReplay:
        await there.wait()
        return PlannedReplay(REPLAY, 3, PLAN_REPORT)

    it.replays.plan = slow  # type: ignore[method-assign]
    browser = await it.signed_in("operator")
    path = await planned(it, browser)
    answer = await browser.get(path)
    assert "Planning" in text(answer.text)
    # not by a header: with script, which tells the plan as it comes, the page was loaded anew amid its reading
    assert '<noscript><meta http-equiv="refresh" content="3">' in answer.text and "refresh" not in answer.headers
    assert (await browser.send(path)).status_code == 409
    there.set()
    await asyncio.sleep(0)
    assert "3 records would lead to 2 writes" in text((await browser.get(path)).text)


async def test_a_plan_is_of_the_session_that_asked_and_for_ten_minutes(it: InMemory) -> None:
    browser, other = await it.signed_in("operator"), await it.signed_in("operator")
    path = await planned(it, browser)
    assert (await other.get(path)).status_code == 404 == (await other.send(path)).status_code
    it.now_ms[0] += PLAN_MS + 1
    assert (await browser.send(path)).status_code == 404
    assert it.replays.running == {}


async def test_what_cannot_be_planned_says_why(it: InMemory) -> None:
    browser = await it.signed_in("operator")
    it.replays.answer = OperationRefused("acme is disconnected")
    answer = await browser.get(await planned(it, browser))
    assert answer.status_code == 409 and "acme is disconnected" in answer.text
    for fields, said in (
        ({"topics": "sync.matches"}, "Choose one of the list"),
        ({"topics": "changes", "from": "yesterday"}, "is no place on a topic"),
        ({"topics": "changes", "object": "101", "mapping": "contacts-users"}, "Leave out one of the two"),
        ({"topics": "changes", "object": "101"}, "Nothing is known of that object"),
    ):
        answer = await browser.send("/i/acme/replay/plan", **fields)
        assert answer.status_code == 409 and said in text(answer.text)


async def test_one_object_is_named_as_for_explain(it: InMemory) -> None:
    named = Named("hubspot", "contacts", "101")
    it.objects.put(named, Situation().explained(), "ada@example.com")
    await planned(it, await it.signed_in("operator"), object="ada@example.com")
    assert it.replays.wishes[0][0].wanted == ("hubspot", "contacts", "101")


async def test_nothing_to_publish_is_not_run(it: InMemory) -> None:
    it.replays.answer = PlannedReplay(REPLAY, 0, PLAN_REPORT)
    browser = await it.signed_in("operator")
    path = await planned(it, browser)
    assert "Run replay" not in text((await browser.get(path)).text)
    assert (await browser.send(path)).status_code == 409


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (replace(REPLAY, published=1, updated_at_ms=AT_MS), "Running, 33 %"),
        (replace(REPLAY, published=1, updated_at_ms=AT_MS - 61_000), "Interrupted, 33 %"),
        (replace(REPLAY, state="completed", published=3, written=2), "Done 3 of 3 records published"),
        (replace(REPLAY, state="cancelled", published=1), "Stopped 1 of 3 records published"),
    ],
)
async def test_how_far_it_is(it: InMemory, row: Replay, said: str) -> None:
    it.tables.put(REPLAYS, row.replay_id, row)
    browser = await it.signed_in("viewer")
    page = text((await browser.get(RUN)).text)
    assert said in page and "Resume" not in page
    assert REPLAY.by in text((await browser.get("/i/acme/replay")).text)


async def test_it_is_held_gone_on_with_and_stopped(it: InMemory) -> None:
    it.tables.put(REPLAYS, REPLAY.replay_id, replace(REPLAY, published=1, updated_at_ms=AT_MS))
    browser = await it.signed_in("operator")
    assert (await browser.send(f"{RUN}/hold")).status_code == 409  # somebody else's
    assert await offered(browser) == ["resume"]
    assert (await browser.send(f"{RUN}/resume")).headers["location"] == RUN and it.replays.runs(REPLAY.replay_id)
    assert await offered(browser) == ["hold"]
    assert (await browser.send(f"{RUN}/hold")).headers["location"] == RUN and not it.replays.running
    it.replays.ended[REPLAY.replay_id] = "none ended for 600 s"
    assert "none ended for 600 s" in text((await browser.get(RUN)).text)
    assert "1 of 3 records that were published" in text((await browser.get(f"{RUN}/stop")).text)
    await browser.send(f"{RUN}/stop")
    assert it.replays.cancelled == [REPLAY.replay_id]
    assert [action for action, _ in audited(it)] == ["replay run", "replay hold", "replay cancel"]
    it.tables.put(REPLAYS, REPLAY.replay_id, replace(REPLAY, state="cancelled"))
    for act in ("hold", "resume", "stop"):
        assert (await browser.send(f"{RUN}/{act}")).status_code == 409


async def offered(browser: Browser) -> list[str]:
    """What the page of a replay that is not over lets one do to it, but for ending it."""
    page = (await browser.get(RUN)).text
    return [act for act in ("hold", "resume") if f'action="{RUN}/{act}"' in page]


async def test_another_integrations_replay_is_not_there(it: InMemory) -> None:
    it.tables.put(REPLAYS, REPLAY.replay_id, replace(REPLAY, integration="globex"))
    browser = await it.signed_in("operator")
    assert (await browser.get(RUN)).status_code == 404
    assert (await browser.send(f"{RUN}/stop")).status_code == 404 and it.replays.cancelled == []


async def test_an_object_whose_id_is_an_address_is_hidden(it: InMemory) -> None:
    key = object_key("acme", 1, "userflow", "users", "ada@example.com")
    it.tables.put(REPLAYS, REPLAY.replay_id, replace(REPLAY, object_key=key))
    browser = await it.signed_in("viewer")
    for path in (RUN, "/i/acme/replay"):
        page = await browser.get(path)
        assert "ada@example.com" not in page.text and "id is hidden" in page.text


async def test_a_child_answers_in_words_where_it_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    monkeypatch.setenv("PAIRSTREAM_STATE_DIR", "/nowhere/at/all")
    children = ReplayChildren()
    with pytest.raises(OperationRefused, match="KAFKA_BOOTSTRAP_SERVERS"):
        await children.plan(Wish("acme", Position(), None), "ada")
    children.run(REPLAY)
    assert children.runs(REPLAY.replay_id)
    children.hold(REPLAY)
    await children.close()
    assert not children.runs(REPLAY.replay_id)


async def test_what_is_retained_is_drawn_by_time(it: InMemory) -> None:
    viewer, operator = await it.signed_in("viewer"), await it.signed_in("operator")
    await it.desk.changes_look.get()
    page = (await operator.get("/i/acme/replay")).text
    assert 'class="hist"' in page and "828 changes of all integrations, a bar for each 3 h" in page
    assert "kept for 7 days" in page
    assert 'class="hist"' not in (await viewer.get("/i/acme/replay")).text  # who cannot plan needs none


async def reviewed(it: InMemory, browser: Browser) -> str:
    """The name of a review that is counted, of one mapping with another rule."""
    it.planner.records = (it.tables.table(MAPPINGS)["acme/contacts-users"],)
    draft = acted(draft_of(read_document(DOCUMENT).mappings[0]), "add:to_userflow:company.name")
    fields: dict[str, list[str]] = {}
    for name, value in form_of(draft):
        fields.setdefault(name, []).append(value)
    answer = await browser.send("/i/acme/mappings/contacts-users/review", **fields)
    await asyncio.sleep(0)
    return str(answer.headers["location"]).rpartition("/")[2]


async def test_a_replay_is_planned_by_a_draft_and_run_only_once_that_is_saved(it: InMemory) -> None:
    browser, other = await it.signed_in("operator"), await it.signed_in("operator")
    assert "My draft" not in (await browser.get("/i/acme/replay")).text
    name = await reviewed(it, browser)
    page = (await browser.get(f"/i/acme/mappings/contacts-users/review/{name}")).text
    assert f'href="/i/acme/replay?rules={name}"' in page
    chosen = f'value="{name}" checked><span>My draft of contacts-users, which is not saved'
    assert chosen in (await browser.get(f"/i/acme/replay?rules={name}")).text
    assert "My draft" not in (await other.get(f"/i/acme/replay?rules={name}")).text
    path = await planned(it, browser, rules=name)
    ((wish, _),) = it.replays.wishes
    assert wish.edited == it.planner.records
    page = (await browser.get(path)).text
    assert "Rules of your draft of contacts-users, which is not saved." in text(page) and "Run replay" not in page
    answer = await browser.send(path)
    assert answer.status_code == 409 and "Save the mapping first" in text(answer.text)
    assert it.replays.running == {} and audited(it) == []


async def test_a_draft_of_another_session_or_revision_plans_no_replay(it: InMemory) -> None:
    browser, other = await it.signed_in("operator"), await it.signed_in("operator")
    name = await reviewed(it, browser)
    refused = await other.send("/i/acme/replay/plan", topics="changes", rules=name)
    assert refused.status_code == 409 and it.replays.wishes == []
    connect(it, revision=2)
    late = await browser.send("/i/acme/replay/plan", topics="changes", rules=name)
    assert late.status_code == 409 and "Review it once more" in text(late.text) and it.replays.wishes == []


async def test_without_a_draft_the_rules_in_force_plan_it(it: InMemory) -> None:
    browser = await it.signed_in("operator")
    await reviewed(it, browser)
    await planned(it, browser, rules="")
    ((wish, _),) = it.replays.wishes
    assert wish.edited is None
