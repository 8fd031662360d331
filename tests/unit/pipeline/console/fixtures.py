"""A console over tables in memory, and a browser that keeps its cookie."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import httpx

from pipeline.console.access import Access, new_link
from pipeline.console.app import Console, build_console
from pipeline.console.desk import About as Installation
from pipeline.console.desk import Desk, Kept
from pipeline.console.handles import KEY_BYTES, Handles
from pipeline.console.letters import LetterIndex
from pipeline.console.planning import FieldsKept
from pipeline.console.protect import Place
from pipeline.console.replays import PlannedReplay, Wish
from pipeline.explain.answer import Explanation, Named
from pipeline.explain.look_now import Looked
from pipeline.lag.hour import Hour
from pipeline.lag.judging import Lag
from pipeline.operations.findings import Finding
from pipeline.operations.letter_report import Told
from pipeline.operations.letter_standing import Standing
from pipeline.operations.letters import About, Letter
from pipeline.operations.redrive import Plan
from pipeline.operations.retained_changes import RetainedChanges
from pipeline.operations.rotate import every_seal
from pipeline.operations.standing import Known
from pipeline.secrets import SecretBox
from schemas.configuration import (
    ConnectorState,
    IntegrationPart,
    IntegrationSettings,
    SystemSettings,
)
from schemas.integrations import every
from schemas.operating import AuditEntry, ConsoleRole, LetterMark, Replay
from schemas.records import DeadLetter
from schemas.topics import CONSOLE, INTEGRATIONS
from schemas.values import System
from tests.unit.pipeline.console.planner import MemoryPlanner

URL = "http://127.0.0.1:8090"
AT_MS = 1_795_700_000_000
WEEK_MS = 7 * 24 * 60 * 60 * 1000
SAME_ORIGIN = {"sec-fetch-site": "same-origin"}


REPLAY = Replay(
    f"{AT_MS - 9_000}-7c1e",
    *("acme", 1, "running", "ada@build-7", AT_MS - 9_000, AT_MS - 9_000, ("hubspot.changes",)),
    *({"hubspot.changes[0]": 0}, {"hubspot.changes[0]": 9}, {"hubspot.changes[0]": 0}, {}),
    records=3,
    planned=2,
)
PLAN_REPORT = {
    "writes": {"hubspot": 0, "userflow": 2},
    "outcomes": {"equal": 1, "stale": 0, "written": 2, "refused": 0},
    "timeline_events": 0,
    "refused": 0,
    "activity_left_out": 1,
}


class Tables:
    """Tables that are what was published."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.count = Counter[str]()
        self.subscribers: list[Callable[[str, str, Any], object]] = []

    def table(self, topic: str) -> Mapping[str, Any]:
        return dict(self.rows.get(topic, {}))

    def changes(self, topic: str) -> int:
        return self.count[topic]

    def get(self, topic: str, key: str) -> Any:
        return self.rows.get(topic, {}).get(key)

    def put(self, topic: str, key: str, row: Any) -> None:
        if row is None:
            self.rows.get(topic, {}).pop(key, None)
        else:
            self.rows.setdefault(topic, {})[key] = row
        self.count[topic] += 1
        for changed in self.subscribers:
            changed(topic, key, row)


class Publisher:
    """Publishes into the tables."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.sent: list[tuple[str, str, Any]] = []

    def send(self, topic: str, key: str, record: Any, partition: int | None = None) -> "asyncio.Future[Any]":
        self.sent.append((topic, key, record))
        self.tables.put(topic, key, record)
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        done.set_result((0, len(self.sent)))
        return done


def letter(id: str, reason: str = "not_an_option", object: str = "hubspot contacts 101", **more: Any) -> Told:
    """An open dead letter of a field."""
    stage = more.pop("stage", "pairs")
    about: dict[str, Any] = {"field": "hubspot.plan", "mapping": "contacts-users", "integration": "acme"} | more
    written = DeadLetter(
        id=id * 16,
        stage=stage,
        reason=reason,
        detail="a sentence",
        topic="sync.matches",
        partition=1,
        offset=2,
        key="acme:1:contacts-users:ada@example.com",
        value=b"",
        at_ms=AT_MS - 1_000,
        **about,
    )
    read = Letter(written, ("sync.dead-letters", 0), 7, 10, About(), AT_MS - 1_000)
    return Told(read, Standing("refused", None, object))


class MemoryLetters:
    """Dead letters in memory, and what was done about them."""

    def __init__(self) -> None:
        self.there: list[Told] = []
        self.tried: list[str] = []
        self.discarded: list[tuple[str, str]] = []
        self.given_back: list[str] = []
        self.held: dict[str, Any] = {}
        self.looked_at: list[str] = []
        self.marks: dict[str, LetterMark] = {}

    def put(self, *told: Told) -> None:
        self.there += told

    def letters(self) -> list[Letter]:
        return [one.letter for one in self.there]

    def told(self, letters: Iterable[Letter]) -> list[Told]:
        wanted = {one.id for one in letters}
        return sorted((one for one in self.there if one.letter.id in wanted), key=lambda one: one.letter.letter.at_ms)

    def values(self, letters: Iterable[Letter]) -> Mapping[str, Any]:
        self.looked_at = [one.id for one in letters]
        return {id: self.held[id] for id in self.looked_at if id in self.held}

    async def redrive(self, publisher: Any, plan: Plan, per_s: float) -> None:
        self.tried += [one.letter.id for one in plan.tries]

    async def mark(self, publisher: Any, letters: Iterable[Letter], note: str) -> None:
        self.discarded += [(one.id, note) for one in letters]

    async def give_back(self, publisher: Any, letters: Iterable[Letter]) -> None:
        self.given_back += [one.id for one in letters]


class MemoryObjects:
    """Objects in memory, by integration."""

    def __init__(self) -> None:
        self.there: dict[tuple[str, Named], Explanation] = {}
        self.holding: dict[str, list[Named]] = {}
        self.looked: list[tuple[str, Named | str, tuple[System, str] | None]] = []
        self.answers: Callable[[Named | str], list[Looked]] = lambda _: []

    def put(self, named: Named, about: Explanation, *texts: str, name: str = "acme") -> None:
        self.there[name, named] = about
        for text in (named.object_id, *texts):
            self.holding.setdefault(text, []).append(named)

    def explained(self, name: str, named: Named) -> Explanation | None:
        return self.there.get((name, named))

    def look(self, name: str, asked: Named | str, where: tuple[System, str] | None = None) -> list[Looked]:
        self.looked.append((name, asked, where))
        return self.answers(asked)

    def found(self, name: str, text: str) -> list[Named]:
        return [named for named in self.holding.get(text, []) if (name, named) in self.there]


class MemoryReplays:
    """Replays that are planned as told, and run as a row that somebody puts there."""

    def __init__(self) -> None:
        self.answer: PlannedReplay | Exception = PlannedReplay(REPLAY, 3, PLAN_REPORT)
        self.wishes: list[tuple[Wish, str]] = []
        self.running: dict[str, Replay] = {}
        self.cancelled: list[str] = []
        self.ended: dict[str, str] = {}

    async def plan(self, wish: Wish, by: str) -> PlannedReplay:
        self.wishes.append((wish, by))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def run(self, row: Replay) -> None:
        self.running[row.replay_id] = row

    async def cancel(self, row: Replay) -> None:
        self.cancelled.append(row.replay_id)

    def hold(self, row: Replay) -> None:
        self.running.pop(row.replay_id)

    def runs(self, replay_id: str) -> bool:
        return replay_id in self.running

    def why_ended(self, replay_id: str) -> str:
        return self.ended.get(replay_id, "")


@dataclass
class InMemory:
    """A console, and what it stands on."""

    tables: Tables
    publisher: Publisher
    access: Access
    console: Console
    desk: Desk
    letters: MemoryLetters
    objects: MemoryObjects
    planner: MemoryPlanner
    replays: MemoryReplays
    now_ms: list[int] = field(default_factory=lambda: [AT_MS])
    address: str = ""  # where it answers, in tests with a browser

    def client(self, base_url: str = URL) -> httpx.AsyncClient:
        """A browser without a session."""
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.console.app), base_url=base_url)

    async def signed_in(self, role: ConsoleRole = "admin") -> "Browser":
        """A browser with one."""
        link = new_link(role, "ada@build-7", self.now_ms[0])
        self.tables.put(CONSOLE, link.key, link.row)
        client = self.client()
        answer = await client.post("/sign-in", data={"code": link.secret}, headers=SAME_ORIGIN)
        assert answer.status_code == 303, answer.text
        session = self.access.session(next(iter(client.cookies.jar)).value or "")
        assert session is not None
        return Browser(client, session.form_token)


@dataclass
class Browser:
    """Somebody who is signed in."""

    client: httpx.AsyncClient
    token: str

    async def get(self, path: str) -> httpx.Response:
        return await self.client.get(path)

    async def send(self, path: str, **fields: Any) -> httpx.Response:
        return await self.client.post(path, data={"form_token": self.token, **fields}, headers=SAME_ORIGIN)


def no_hour() -> Hour:
    return Hour(AT_MS, None)


def in_memory(
    lag: Callable[[], Lag] | None = None,
    findings: Callable[[], list[Finding]] = list,
    hour: Callable[[], Hour] = no_hour,
    box: SecretBox | None = None,
) -> InMemory:
    tables = Tables()
    publisher, now_ms = Publisher(tables), [AT_MS]

    async def send(key: str, row: Any) -> None:
        tables.put(CONSOLE, key, row)

    access = Access(lambda: tables.table(CONSOLE), send, lambda: now_ms[0])
    tables.subscribers.append(access.changed)
    about = Installation(
        "Pairstream", "0.1.0", "http://127.0.0.1:8080", 86_400, 7, 4, [("PAIRSTREAM_PREFIX", "-", "a name")]
    )
    looked: Kept[Lag] = Kept(lag or (lambda: Lag(now_ms[0], (), ())), 0.0)
    made = cast(Any, tables), cast(Any, publisher)
    audited: Kept[list[AuditEntry]] = Kept(list, 0.0)
    letters = MemoryLetters()
    told = Kept(lambda: LetterIndex.of(letters.told(letters.letters()), now_ms[0]), 0.0)
    objects, handles = MemoryObjects(), Handles([b"k" * KEY_BYTES])
    planner, replays = MemoryPlanner(), MemoryReplays()
    found, kept = Kept(findings, 0.0), FieldsKept(planner)

    def known(lag: Lag) -> Known:
        parts = tables.table(INTEGRATIONS)
        names = every(parts)
        return Known(parts, [], lag, {}, dict.fromkeys(names, 0), {}, {})

    desk = Desk(
        *made,
        about,
        lambda: now_ms[0],
        looked,
        found,
        audited,
        letters=letters,
        letters_look=told,
        objects=objects,
        handles=handles,
        planner=planner,
        fields=kept,
        replays=replays,
        known=known,
        access=access,
        changes_look=Kept(lambda: RetainedChanges(AT_MS - WEEK_MS, AT_MS, (0,) * 40 + (120, 3, 4, 80) * 4), 0.0),
        hour_look=Kept(hour, 0.0),
        seals=lambda: None if box is None else (box.count, list(every_seal(tables.table(INTEGRATIONS), box))),
    )
    console = build_console(desk, access, Place.at(URL))
    return InMemory(tables, publisher, access, console, desk, letters, objects, planner, replays, now_ms)


def connect(it: InMemory, name: str = "acme", **more: Any) -> IntegrationSettings:
    """Put an active integration with one mapping there."""
    known: dict[str, Any] = {
        "connection": 1,
        "revision": 1,
        "active_revision": 1,
        "state": "active",
        "apply_id": "a1",
        "apply_state": "done",
        "reason": None,
        "document": DOCUMENT.replace("acme", name),
        "hubspot": SystemSettings("12345678"),
        "userflow": SystemSettings("production"),
    }
    settings = IntegrationSettings(**(known | more))
    it.tables.put(INTEGRATIONS, f"{name}/settings", IntegrationPart(name, settings=settings))
    for system in ("hubspot", "userflow"):
        reported = IntegrationPart(name, connector=ConnectorState(1, 1, 1, "ok"))
        it.tables.put(INTEGRATIONS, f"{name}/{system}", reported)
    return settings


DOCUMENT = """\
integration: acme
hubspot:
  account: 12345678
  app_secret: ${HUBSPOT_APP_SECRET}
  token: ${HUBSPOT_TOKEN}
userflow:
  environment: production
  api_key: ${USERFLOW_API_KEY}
mappings:
  - name: contacts-users
    hubspot: contacts
    userflow: users
    match: {hubspot: email, userflow: email}
    to_userflow: [jobtitle]
    to_hubspot: [plan]
"""
