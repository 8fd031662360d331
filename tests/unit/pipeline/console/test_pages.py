"""Every page: what it says of what is there, and that nothing from outside is ever taken for HTML."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import httpx
import pytest

from connectors.kafka.groups import BrokersUnreachable
from pipeline.console.listings import Asked, Listing
from pipeline.console.protect import HEADERS
from pipeline.console.rendering import coded
from pipeline.console.routes import PAGES
from pipeline.explain.answer import Named
from pipeline.lag.facts import Place, Share, Unread
from pipeline.lag.judging import Lag, PlaceLag, TopicLag
from pipeline.lag.stages import STAGES
from pipeline.operations.findings import Finding
from pipeline.operations.letter_report import Told
from pipeline.operations.letter_standing import Standing
from pipeline.operations.unlinked import Unlinked
from schemas.configuration import ConnectorState, IntegrationPart, SystemSettings
from schemas.operating import AuditEntry, ConsoleAccess, LetterMark
from schemas.records import FieldRule, ObjectMapping
from schemas.runs import FullSyncRun, RunProgress
from schemas.topics import CONSOLE, INTEGRATIONS, MAPPINGS, REPLAYS, RUNS, object_key
from schemas.vitals import BOUNDS_MS, ApiVitals, DurationVitals, Vitals
from tests.unit.pipeline.console.fixtures import AT_MS, REPLAY, URL, InMemory, connect, in_memory, letter
from tests.unit.pipeline.core.given import contact, flow, mapping, user
from tests.unit.pipeline.explain.situations import Situation

HOSTILE = '<script>alert(1)</script>" onload="x\u202e' + "a" * 200
SHEET = ".csv"
RUN = f"{AT_MS - 60_000:013d}-87aa"


def lag(name: str = "acme", waits_ms: int = 0, records: int = 0, state: Any = "OK") -> Lag:
    """A road on which records of one integration wait for Userflow."""
    topics = []
    for stage in STAGES:
        for topic in stage.topics:
            here = topic == "userflow.field-patches"
            shares = {name: Share(records, AT_MS - waits_ms, AT_MS - waits_ms)} if here and records else {}
            unread = Unread(records if here else 0, 0, True, AT_MS - waits_ms if here else None, (), shares)
            place = Place(stage.name, stage.group, topic, 0, 0, 0, records, unread, "userflow-0", True)
            judged = PlaceLag(place, state if here else "OK", "nobody takes it" if here else "", None, None, 1.0, 1.0)
            topics.append(TopicLag(stage.name, topic, (judged,), 0, None, ""))
    counts = (0, 3, 6, 1, *[0] * (len(BOUNDS_MS) - 3))
    took = DurationVitals("whole", "userflow", False, counts, 1_000)
    row = Vitals(
        "userflow-0",
        "userflow",
        AT_MS,
        AT_MS - 9_000,
        5_000,
        "0.1.0",
        10,
        1,
        calls=(ApiVitals("userflow", "write", 120),),
        durations=(took,),
    )
    return Lag(AT_MS, tuple(topics), (row,))


def mapped(it: InMemory, name: str = "contacts-users", **more: Any) -> None:
    rules = (
        FieldRule("to_userflow", "jobtitle", "string", "hubspot_contact_jobtitle", "string"),
        FieldRule("to_hubspot", "plan", "string", "userflow_user_plan", "string", (), "keep"),
    )
    types = {"hubspot_type": "contacts", "userflow_type": "users", "match_hubspot": "email", "match_userflow": "email"}
    row = ObjectMapping("acme", 1, 1, name, on_several="refuse", rules=rules, **{**types, **more})
    it.tables.put(MAPPINGS, f"acme/{name}", row)


def ran(it: InMemory, state: Any, run_id: str = RUN, **more: Any) -> None:
    counts = {"pairs": 1_500, "written.userflow": 610, "written.hubspot": 420, "equal": 67, "refused.invalid_option": 3}
    counts |= {"read.userflow.users": 2_000, "read.hubspot.contacts": 1_300}
    about = {"phase": "confirm", "finished_at_ms": AT_MS - 1_000 if state not in ("running", "requested") else 0}
    row = RunProgress(
        run_id, "acme", "run", state, AT_MS - 60_000, AT_MS, counts=counts, reason=more.pop("reason", None)
    )
    it.tables.put(RUNS, run_id, replace(row, full_sync=FullSyncRun(**{**about, **more})))


def text(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


async def seen(it: InMemory, path: str) -> str:
    answer = await (await it.signed_in("viewer")).get(path)
    assert answer.status_code == 200, (path, answer.status_code, answer.text[:500])
    return text(answer.text)


async def test_the_first_page_of_an_empty_installation_says_how_to_begin() -> None:
    said = await seen(in_memory(), "/")
    assert "Connect HubSpot with Userflow" in said and "pairstream up --simulators" in said


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"state": "disconnected"}, "Disconnected"),
        ({"state": "paused"}, "Paused"),
        ({"apply_state": "failed", "active_revision": 0, "reason": "no"}, "Needs a fix"),
        ({"state": "connecting", "active_revision": 0}, "Connecting"),
        ({}, "No full sync yet"),
    ],
)
async def test_the_state_of_an_integration_is_the_first_that_holds(more: dict[str, Any], word: str) -> None:
    it = in_memory(lag)
    connect(it, **more)
    assert word in await seen(it, "/")
    assert word in await seen(it, "/i/acme")


@pytest.mark.parametrize(
    ("status", "reason", "word", "sentence"),
    [
        ("needs_reconnect", "grant_rejected", "Needs reconnect", "HubSpot does not accept the refresh token"),
        ("unavailable", "http_503", "HubSpot is away", "You need not do anything."),
        ("failed", "forbidden", "Needs a fix", "Grant what the mappings need."),
    ],
)
async def test_a_system_in_trouble_says_what_to_do(status: Any, reason: str, word: str, sentence: str) -> None:
    it, trouble = in_memory(lag), ConnectorState(1, 1, 1, status, 1, reason)
    connect(it)
    it.tables.put(INTEGRATIONS, "acme/hubspot", IntegrationPart("acme", connector=trouble))
    said = await seen(it, "/i/acme")
    assert word in said and sentence in said and f"hubspot: {status}: {reason}" in said
    assert (word in await seen(it, "/")) and ("acme: " in await seen(it, "/")) == (status != "unavailable")


async def test_in_step_falls_behind_stands_still_and_is_not_known() -> None:
    for looked, word in (
        (lag(), "In step"),
        (lag(waits_ms=2_000, records=5), "In step"),
        (lag(waits_ms=90_000, records=1_200), "Catching up, 1,200 left"),
        (lag(waits_ms=90_000, records=5, state="STOP"), "Stopped"),
    ):
        it = in_memory(lambda looked=looked: looked)  # type: ignore[misc]
        connect(it)
        ran(it, "completed")
        assert word in await seen(it, "/i/acme")


async def test_brokers_that_do_not_answer_leave_figures_not_known() -> None:
    def away() -> Lag:
        raise BrokersUnreachable("no answer")

    it = in_memory(away)
    connect(it)
    for path in ("/", "/road"):
        assert "The brokers do not answer." in await seen(it, path)
    assert "not known" in await seen(it, "/i/acme")
    assert "nothing waits" not in await seen(it, "/i/acme")


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (BrokersUnreachable("no answer"), 503, "The brokers do not answer. no answer"),
        (KeyError("bob@example.com"), 500, "A fault of Pairstream Please report it"),
    ],
)
async def test_what_cannot_be_shown_says_so_and_names_nobody(error: Exception, status: int, said: str) -> None:
    def fails() -> Any:
        raise error

    it = in_memory(lag)
    it.desk.audit_look.look = fails
    signed_in = await it.signed_in("viewer")
    transport = httpx.ASGITransport(it.console.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=URL, cookies=signed_in.client.cookies) as client:
        answer, script = await client.get("/activity"), await client.get("/api/v1/activity")
    assert (answer.status_code, script.status_code) == (status, status)
    assert said in text(answer.text) and "bob@" not in answer.text + script.text
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert script.json()["error"] in ("brokers_away", "fault")


@pytest.mark.parametrize(
    ("state", "more", "said"),
    [
        ("completed", {}, "In step since"),
        ("running", {"phase": "read", "step": "crawl"}, "Full sync running"),
        ("failed", {"reason": "hubspot.deals: forbidden"}, "hubspot.deals: forbidden"),
        ("stopped", {"reason": "by a person"}, "Stopped"),
        ("running", {"phase": "compare", "step": "hold"}, "It waits for you"),
    ],
)
async def test_a_run_says_how_far_it_is_and_how_it_ended(state: Any, more: dict[str, Any], said: str) -> None:
    it = in_memory(lag)
    connect(it)
    ran(it, state, **more)
    page = await seen(it, "/i/acme/full-sync")
    assert said in page and "610" in page and "420" in page


async def test_mappings_are_shown_with_their_rules() -> None:
    it = in_memory(lag)
    connect(it)
    mapped(it)
    assert "contacts-users" in await seen(it, "/i/acme/mappings")
    said = await seen(it, "/i/acme/mappings/contacts-users")
    assert (
        "hubspot_contact_jobtitle" in said and "the target keeps its value" in said and "the target is emptied" in said
    )


async def test_the_road_says_how_long_changes_took() -> None:
    it = in_memory(lambda: lag(waits_ms=2_000, records=5))
    said = await seen(it, "/road")
    assert "userflow.field-patches" in said and "0.20 s" in said and "0.40 s" in said


async def test_the_doctor_puts_first_what_to_mend() -> None:
    wrong = Finding("topics", "wrong", "run `x`", "topics_differ")
    it = in_memory(lag, lambda: [Finding("brokers", "ok", "answer"), wrong])
    said = await seen(it, "/doctor")
    assert said.index("1 thing to mend") < said.index("topics") < said.index("brokers")
    signed_in = await it.signed_in("viewer")
    assert (await signed_in.send("/doctor")).headers["location"] == "/doctor"


async def test_what_is_not_there_names_the_nearest() -> None:
    it = in_memory(lag)
    connect(it)
    for path in ("/i/acmee", "/i/acmee/full-sync"):
        answer = await (await it.signed_in()).get(path)
        assert (answer.status_code, "Did you mean acme?" in answer.text) == (404, True)
    answer = await (await it.signed_in()).get("/i/acme/mappings/none")
    assert answer.status_code == 404 and "Did you mean" not in answer.text and "To the mappings" in answer.text


def test_what_stands_between_backticks_is_code_and_text_all_the_same() -> None:
    assert coded("run `a <b>` <i>") == "run <code>a &lt;b&gt;</code> &lt;i&gt;"
    assert coded("one ` <mark>") == "one ` &lt;mark&gt;"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Europe/Berlin", "As of 14:33:20"),
        ("Asia%2FKolkata", "As of 19:03:20"),
        *((wrong, "As of 13:33:20") for wrong in ("", "UTC", "No/Where", "../../etc/passwd", "/etc/passwd", "x" * 99)),
    ],
)
async def test_times_are_in_the_zone_of_the_browser(name: str, said: str) -> None:
    it = in_memory(lag)
    signed_in = await it.signed_in("viewer")
    signed_in.client.cookies.set("zone", name, domain="127.0.0.1")
    page = text((await signed_in.get("/road")).text)
    assert said in page
    assert ("Times in UTC" in page) == (said == "As of 13:33:20")


def hostile() -> InMemory:
    """An installation in which everything that others name is hostile."""
    it = in_memory(lambda: lag(waits_ms=1_000, records=2))
    make_hostile(it)
    return it


def make_hostile(it: InMemory) -> None:
    """Fill it with what others named."""
    it.desk.doctor_look.look = lambda: [Finding(HOSTILE, "wrong", HOSTILE, "letters_open")]
    settings = connect(
        it,
        "acme",
        hubspot=SystemSettings(HOSTILE, {"region": HOSTILE}),
        userflow=SystemSettings(HOSTILE, {"region": HOSTILE}),
        reason=HOSTILE,
        apply_state="failed",
        document=HOSTILE,
    )
    it.tables.put(INTEGRATIONS, f"{HOSTILE}/settings", IntegrationPart(HOSTILE, settings=settings))
    for system in ("hubspot", "userflow"):
        state = ConnectorState(1, 1, 1, "failed", 1, HOSTILE, denied={HOSTILE: HOSTILE})
        it.tables.put(INTEGRATIONS, f"acme/{system}", IntegrationPart("acme", connector=state))
    mapped(it, "m", hubspot_type=HOSTILE, match_hubspot=HOSTILE, stream_events=True, event_names=(HOSTILE,))
    ran(it, "failed", reason=HOSTILE)
    it.letters.put(letter("0a", field=f"hubspot.{HOSTILE}", mapping=HOSTILE, object=HOSTILE))
    for reason in (HOSTILE, "too_long"):
        it.letters.put(letter("0b", reason=reason, object=f"userflow users {HOSTILE}"))
    mark = LetterMark("0c" * 16, "discarded", AT_MS, HOSTILE, 1, HOSTILE)
    ended = letter("0c", reason="too_long", stage=HOSTILE).letter
    it.letters.put(Told(ended, Standing("discarded", AT_MS, HOSTILE), mark))
    asked: asyncio.Future[Listing] = asyncio.get_running_loop().create_future()
    asked.set_result(Listing.of({"m": [Unlinked(HOSTILE, "unmatched", AT_MS, 0)]}))
    it.desk.listings.kept["acme"] = Asked(1, AT_MS, asked)
    done = AuditEntry(AT_MS, "acme", HOSTILE, HOSTILE, HOSTILE, HOSTILE, 1)
    it.desk.audit_look.look = lambda: [done]
    key = object_key("acme", 1, "userflow", "users", HOSTILE)
    replayed = replace(REPLAY, replay_id="1-7c1e", by=HOSTILE, topics=(HOSTILE,), mapping=HOSTILE, object_key=key)
    it.tables.put(REPLAYS, "1-7c1e", replayed)
    token = ConsoleAccess("token", "viewer", HOSTILE, AT_MS, AT_MS + 1)
    it.tables.put(CONSOLE, "token/0f", token)
    view = mapping(flow("jobtitle", HOSTILE), name=HOSTILE)
    situation = Situation(view).happened(contact(1_000, {"jobtitle": HOSTILE}), user(1_000, {}, id=HOSTILE))
    it.objects.put(Named("hubspot", "contacts", "101"), situation.explained())


def looked_at() -> Sequence[str]:
    parts = {"{integration}": "acme", "{mapping}": "m", "{link}": "0f", "{review}": "0e", "{reason}": "not_an_option"}
    parts |= {"{system}": "hubspot", "{type}": "contacts", "{handle}": "101", "{plan}": "0f", "{replay}": "1-7c1e"}
    paths = [at.path for at in PAGES if at.method == "GET" and not at.path.endswith(SHEET)]
    for name, part in parts.items():
        paths = [path.replace(name, part) for path in paths]
    return [*paths, "/i/acme/refused?which=all", "/i/acme/refused/too_long?which=ended"]


@pytest.mark.parametrize("path", looked_at())
async def test_hostile_names_are_shown_as_text_on_every_page(path: str) -> None:
    it = hostile()
    signed_in = await it.signed_in()
    answer = await signed_in.get(path)
    assert answer.status_code in (200, 404, 409), answer.text
    if any(part in path for part in ("/objects/", "/replay/1-", "/refused/", "/unlinked", "/activity", "/settings")):
        assert answer.status_code in (200, 409)
    assert "<script>alert" not in answer.text
    assert '" onload=' not in answer.text
    assert not re.search(r'="[^"<>]*<time', answer.text)  # a time is no attribute
    assert "\u202e" not in re.sub(r' value="[^"]*"', "", answer.text)  # what a form sends back is as it came
    assert "&lt;script&gt;" in answer.text  # it is there, as text: in the rail at least


@pytest.mark.parametrize("path", [*looked_at(), "/i/acme/objects/hubspot/contacts/999"])
async def test_every_form_of_a_page_is_taken_where_it_is_sent(path: str) -> None:
    """One without an address goes back to its page's, which the page of an unknown object does not take."""
    it = hostile()
    it.objects.put(Named("hubspot", "contacts", "999"), Situation().explained("hubspot", "999"))
    page = (await (await it.signed_in()).get(path)).text
    taken = [re.sub(r"\{[a-z]+\}", "[^/]+", at.path) for at in PAGES if at.method == "POST"]
    for form in re.findall(r'<form[^>]* method="post"[^>]*>', page):
        action = re.search(r' action="([^"]*)"', form)
        sent_to = (action[1] if action else path).partition("?")[0]
        assert sent_to == "/sign-out" or any(re.fullmatch(one, sent_to) for one in taken), form


@pytest.mark.parametrize("path", looked_at())
async def test_a_page_holds_nothing_that_the_policy_forbids(path: str) -> None:
    it = in_memory(lag)
    connect(it)
    mapped(it, "m")
    ran(it, "completed")
    html = (await (await it.signed_in()).get(path)).text
    assert not re.search(r"<[^>]+\s(style|on[a-z]+)=", html)
    assert not re.search(r"<style|<script(?! src=\"/static/)", html)
    assert html.count("<h1") == 1


async def test_static_files_are_kept_for_ever_under_their_hash_only() -> None:
    it = in_memory()
    async with it.client() as client:
        page = (await client.get("/sign-in")).text
        (script,) = re.findall(r'src="(/static/[^"]+)"', page)
        answer = await client.get(script)
        assert answer.status_code == 200 and "immutable" in answer.headers["cache-control"]
        for wrong in ("/static/0/live.js", "/static/0/..%2fapp.py", script.replace("live.js", "app.py")):
            assert (await client.get(wrong)).status_code == 404
