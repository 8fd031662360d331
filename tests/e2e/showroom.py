"""A console in memory, furnished with an installation in every state that a page has; it answers on this machine."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final

import pytest
from playwright.async_api import Browser

from connectors.kafka.groups import BrokersUnreachable
from pipeline.bounded_http import ConnectionLimits
from pipeline.console.access import new_link
from pipeline.console.listings import Asked, Listing
from pipeline.explain.answer import Named
from pipeline.explain.look_now import Looked
from pipeline.lag.hour import HOUR_MS, MINUTE_MS, MINUTES, Hour, LastHour
from pipeline.lag.judging import Lag
from pipeline.lag.stages import STAGES
from pipeline.local.ports import free_port
from pipeline.operations.findings import Finding
from pipeline.operations.letter_report import Told
from pipeline.operations.letter_standing import Standing, StandingWord
from pipeline.operations.unlinked import Unlinked
from pipeline.serving import serve
from schemas.configuration import ConnectorState, IntegrationPart, SystemSettings
from schemas.operating import AuditEntry, ConsoleRole, LetterMark
from schemas.topics import CONSOLE, INTEGRATIONS, MAPPINGS, REPLAYS, RUNS
from schemas.vitals import PlaceVitals, Vitals
from tests.unit.pipeline.console import fixtures
from tests.unit.pipeline.console.fixtures import AT_MS, DOCUMENT, REPLAY, InMemory, connect, in_memory, letter
from tests.unit.pipeline.console.test_explain import traced_pair
from tests.unit.pipeline.console.test_health import BUDGETS, busy, told
from tests.unit.pipeline.console.test_pages import lag, mapped, ran
from tests.unit.pipeline.core.given import CONTACT, EMAIL, USER, contact, receipt, user, written
from tests.unit.pipeline.core.test_timeline import did, streaming
from tests.unit.pipeline.explain.situations import Situation
from tests.unit.pipeline.explain.test_trace import DERIVED, MATCHED
from tests.unit.pipeline.operations.test_rotate import BOX, OLD

FORMER: Final = DOCUMENT.replace("[jobtitle]", "[jobtitle, city]")
"""The file of the revision before."""
LIMITS: Final = ConnectionLimits(exchange_s=60.0, body_bytes=200_000)
SEALED_BY: Final = {"token": BOX, "app_secret": OLD}
OBJECT: Final = "/i/acme/objects/hubspot/contacts"
PATHS: Final[Sequence[tuple[str, str]]] = (
    ("overview", "/"),
    ("overview-filtered", "/?q=glob"),
    ("overview-none", "/?q=nobody"),
    ("road", "/road"),
    ("road-held", "/road?hold=1"),
    ("doctor", "/doctor"),
    ("activity", "/activity"),
    ("settings", "/settings"),
    ("connect", "/connect"),
    ("health", "/i/acme"),
    ("health-reconnect", "/i/globex"),
    ("health-away", "/i/hooli"),
    ("health-paused", "/i/staging"),
    ("health-disconnected", "/i/umbrella"),
    ("health-needs-fix", "/i/initech"),
    ("health-connecting", "/i/soylent"),
    ("mappings", "/i/acme/mappings"),
    ("mapping", "/i/acme/mappings/contacts-users"),
    ("mapping-new", "/i/acme/mappings/new"),
    ("mapping-edit", "/i/acme/mappings/contacts-users/edit"),
    ("full-sync-done", "/i/acme/full-sync"),
    ("full-sync-running", "/i/hooli/full-sync"),
    ("full-sync-failed", "/i/globex/full-sync"),
    ("full-sync-never", "/i/staging/full-sync"),
    ("full-sync-start", "/i/acme/full-sync/start"),
    ("full-sync-stop", "/i/hooli/full-sync/stop"),
    ("refused", "/i/acme/refused"),
    ("refused-none", "/i/staging/refused"),
    ("refused-ended", "/i/acme/refused?which=ended"),
    ("refused-filtered", "/i/acme/refused?mapping=none&since=7d"),
    ("refused-reason", "/i/acme/refused/not_an_option?field=plan"),
    ("refused-reason-ended", "/i/acme/refused/not_an_option?which=ended"),
    ("unlinked", "/i/acme/unlinked"),
    ("unlinked-hidden", "/i/acme/unlinked?why=no_match_value"),
    ("unlinked-not-listed", "/i/globex/unlinked"),
    ("discarded", "/i/acme/discarded"),
    ("redrive", "/i/acme/refused/not_an_option/again?field=plan"),
    ("redrive-lasting", "/i/acme/refused/invalid_option/again"),
    ("discard", "/i/acme/refused/not_an_option/discard?field=plan"),
    ("explain", "/i/acme/explain"),
    ("object", f"{OBJECT}/{CONTACT}"),
    ("object-refused", f"{OBJECT}/201"),
    ("object-not-linked", f"{OBJECT}/202"),
    ("object-several", f"{OBJECT}/203"),
    ("object-unknown", f"{OBJECT}/999"),
    ("replay", "/i/acme/replay"),
    ("replay-done", f"/i/acme/replay/{AT_MS - 90_000}-7c1e"),
    ("replay-interrupted", f"/i/acme/replay/{REPLAY.replay_id}"),
    ("replay-stop", f"/i/acme/replay/{REPLAY.replay_id}/stop"),
    ("connection", "/i/acme/connection"),
    ("connection-reconnect", "/i/globex/connection"),
    ("pause", "/i/acme/pause"),
    ("resume", "/i/staging/resume"),
    ("disconnect", "/i/acme/disconnect"),
    ("not-found", "/i/acmee"),
)
"""Every page in every state that it is shown in, by the name of its picture."""


class Room:
    """A furnished console that answers."""

    def __init__(self, it: InMemory, url: str) -> None:
        self.it = it
        self.url = url
        self.away = False
        self.waits_ms, self.state = 2_000, "OK"

    async def cookies(self, browser: Browser, role: ConsoleRole) -> Any:  # Any: as the browser keeps them
        """Somebody signed in."""
        link = new_link(role, "dana@build-7", self.it.now_ms[0])
        self.it.tables.put(CONSOLE, link.key, link.row)
        context = await browser.new_context()
        page = await context.new_page()
        await page.goto(f"{self.url}/sign-in#{link.secret}")
        await page.get_by_role("button", name="Sign in").click()
        await page.wait_for_url(f"{self.url}/")
        state = await context.storage_state()
        await context.close()
        return state

    def look(self) -> Lag:
        if self.away:
            raise BrokersUnreachable("no answer")
        found = lag(waits_ms=self.waits_ms, records=118, state=self.state)
        return replace(found, processes=(*found.processes, told(role="hubspot", budgets=BUDGETS)))


@asynccontextmanager
async def room(furnished: Callable[[InMemory], object] | None = None) -> AsyncIterator[Room]:
    """Furnish and serve one."""
    port, rooms = free_port(), list[Room]()
    url = f"http://127.0.0.1:{port}"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(fixtures, "URL", url)
        it = in_memory(lambda: rooms[0].look(), findings, hour, BOX)
    rooms.append(Room(it, url))
    (furnished or furnish)(it)
    await it.desk.changes_look.get()
    await it.desk.hour_look.get()
    async with serve(it.console.app, "127.0.0.1", port, LIMITS):
        yield rooms[0]
        it.console.close()


def hour() -> Hour:
    """The last one, in which acme was busy, and every stage more and less so."""
    made = LastHour(AT_MS - HOUR_MS)
    for row in (*busy(), *handled()):
        made.take(row)
    return made.told(AT_MS)


def handled() -> Iterator[Vitals]:
    """What a worker tells each minute of what its stages ended."""
    ended = 0
    for minute in range(MINUTES):
        ended += 40 + minute * 7 % 23
        places = tuple(PlaceVitals(stage.name, topic, 0, 0, ended, ended) for stage in STAGES for topic in stage.topics)
        at_ms = AT_MS - (MINUTES - 1 - minute) * MINUTE_MS
        yield replace(told(role="worker", at_ms=at_ms, places=places), process="worker-0")


def findings() -> list[Finding]:
    return [
        Finding("globex hubspot", "wrong", "HubSpot does not accept the refresh token", "needs_reconnect", "globex"),
        Finding("subscriptions", "unknown", "look at the app's subscriptions", "subscription_checklist", "acme"),
        Finding("brokers", "ok", "answer"),
        Finding("topics", "ok", "as they should be"),
    ]


def furnish(it: InMemory) -> None:
    """Seven integrations, each in another state; letters, objects, runs, replays and what was done."""
    for name, more in (
        ("acme", {}),
        ("globex", {}),
        ("hooli", {}),
        ("staging", {"state": "paused", "pause_reason": "HubSpot sandbox refresh"}),
        ("umbrella", {"state": "disconnected"}),
        ("initech", {"apply_state": "failed", "active_revision": 0, "reason": "users.plan is text"}),
        ("soylent", {"state": "connecting", "active_revision": 0, "apply_state": "describing"}),
    ):
        sealed = {one: box.seal("secret", f"{name}/hubspot/{one}") for one, box in SEALED_BY.items()}
        account = SystemSettings(f"2011{len(name)}734", {}, sealed if name == "acme" else {})
        connect(it, name, hubspot=account, document=DOCUMENT.replace("acme", name), **more)
    trouble = ConnectorState(1, 1, 1, "needs_reconnect", 1, "grant_rejected")
    it.tables.put(INTEGRATIONS, "globex/hubspot", IntegrationPart("globex", connector=trouble))
    unavailable = ConnectorState(1, 1, 1, "unavailable", 1, "http_503")
    it.tables.put(INTEGRATIONS, "hooli/hubspot", IntegrationPart("hooli", connector=unavailable))
    mapped(it)
    for name in ("globex", "hooli", "staging"):
        row = it.tables.get(MAPPINGS, "acme/contacts-users")
        it.tables.put(MAPPINGS, f"{name}/contacts-users", replace(row, integration=name))
    ran(it, "completed")
    for name, state, number, more in (("hooli", "running", 2, {"phase": "read"}), ("globex", "failed", 3, {})):
        ran(it, state, reason=None if state == "running" else "hubspot.deals: forbidden", **more)
        run_id = f"{AT_MS - 60_000 - number:013d}-87aa"
        latest = it.tables.get(RUNS, fixtures_run())
        it.tables.put(RUNS, run_id, replace(latest, run_id=run_id, integration=name))
    ran(it, "completed")
    it.letters.put(*(letter(f"{one:02x}", object=f"hubspot contacts 10{one}") for one in range(9)))
    lasting = letter("aa", reason="invalid_option", object=f"userflow users {EMAIL}", field="hubspot.stage")
    it.letters.put(replace(lasting, now=replace(lasting.now, lasts=True)))
    mark = LetterMark("bb" * 16, "discarded", AT_MS - 5, "bob@build-7", 0, "ACME-77")
    away = letter("bb").letter
    it.letters.put(Told(away, Standing("discarded", AT_MS - 5, "hubspot contacts 9"), mark))
    again = LetterMark("dd" * 16, "redriven", AT_MS - 9_000, "dana@build-7", 2)
    ends: Sequence[tuple[str, StandingWord]] = (("dd", "redriven"), ("de", "mended"), ("df", "replaced"))
    for id, word in ends:
        it.letters.put(Told(letter(id).letter, Standing(word, AT_MS - 5, "hubspot contacts 8"), again))
    it.letters.there = [replace(one, alike=1 + index % 4 // 3) for index, one in enumerate(it.letters.there)]
    it.letters.held = {one.letter.id: "platinum" for one in it.letters.there}
    list_unlinked(it)
    for replay_id, row in (
        (f"{AT_MS - 90_000}-7c1e", replace(REPLAY, state="completed", published=3, written=0, planned=0)),
        (REPLAY.replay_id, replace(REPLAY, published=1, updated_at_ms=AT_MS - 70_000)),
    ):
        it.tables.put(REPLAYS, replay_id, replace(row, replay_id=replay_id))
    done = [
        AuditEntry(AT_MS - 8_000, "acme", "apply", "ci-deploy", "pairstream apply"),
        AuditEntry(AT_MS - 7_000, "acme", "revision in force", "scheduler-0", "build-7", "", 2, FORMER),
        AuditEntry(AT_MS - 6_000, "acme", "apply", "dana@build-7", "build-7: console"),
        AuditEntry(AT_MS - 5_000, "acme", "revision in force", "scheduler-0", "build-7", "", 3, DOCUMENT),
        AuditEntry(AT_MS - 4_000, "acme", "full-sync start", "dana@build-7", "build-7: console", "1795"),
        AuditEntry(AT_MS - 3_000, "globex", "needs reconnect", "hubspot-0", "build-7", "grant_rejected"),
        AuditEntry(AT_MS - 2_000, "", "token made", "dana@build-7", "build-7: console", "report, 90 days"),
    ]
    it.desk.audit_look.look = lambda: done
    for named, about in objects():
        it.objects.put(named, about.explained(named.system, CONTACT), EMAIL)
    it.objects.answers = lambda _: [
        Looked("acme", "hubspot", "contacts", "hs_object_id", "not_there"),
        Looked("acme", "hubspot", "contacts", "email", "refused", reason="missing_scopes"),
        Looked("acme", "userflow", "users", "id", "away", reason="http_503"),
    ]


def list_unlinked(it: InMemory) -> None:
    """One list that was made, one that is on its way."""
    found = [Unlinked(f"2{one:04}", "unmatched", AT_MS - one * 60_000, AT_MS - 5_000 * one) for one in range(12)]
    found += [Unlinked("bob@example.com", "no_match_value", AT_MS - 9_000, 0)]
    for name, listing in (("acme", Listing.of({"contacts-users": found})), ("hooli", None)):
        asked: asyncio.Future[Listing] = asyncio.get_running_loop().create_future()
        if listing is not None:
            asked.set_result(listing)
        it.desk.listings.kept[name] = Asked(1, AT_MS, asked)


def fixtures_run() -> str:
    return f"{AT_MS - 60_000:013d}-87aa"


def objects() -> list[tuple[Named, Situation]]:
    """A contact that is in step, one with a refused value, one not linked, one of several, one never seen."""
    both = contact(1_000, {"jobtitle": "Dr", "tier": None}), user(1_000, {"title": None, "plan": "pro"})
    in_step = traced_pair().happened(written("hubspot", CONTACT, 2_000, {"tier": "pro"}))
    in_step.between = [MATCHED, DERIVED]
    active = Situation(streaming("flow_started")).happened(*both, receipt("userflow", USER, {"title": "Dr"}))
    lost = replace(receipt("hubspot", CONTACT, {}), reason="unknown_result", event=active.middle.feed(did()).events[0])
    active.did(did(), did("e-2", "page_viewed", 6_000), did("e-3", at_ms=7_000)).happened(lost)
    return [
        (Named("hubspot", "contacts", CONTACT), in_step),
        (Named("hubspot", "contacts", "201"), active),
        (Named("hubspot", "contacts", "202"), Situation().happened(contact(1_000, {"jobtitle": "Dr"}))),
        (Named("hubspot", "contacts", "203"), Situation().happened(*both, user(1_000, {}, id="u-2"))),
        (Named("hubspot", "contacts", "999"), Situation()),
    ]
