"""Tells PAIRSTREAM_NOTIFY_URL of changes of state, from the active scheduler alone: a task of its own, so that
whoever does not answer holds nothing else up."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, Protocol
from urllib.parse import urlsplit

from connectors.contract.errors import ConnectorError
from connectors.http.retry import Uniform
from connectors.http.transport import HttpTransport
from connectors.kafka.producer import Publisher
from connectors.kafka.table import until_read
from pipeline.full_sync.rows import runs_of
from pipeline.lag.judging import Lag
from pipeline.notices.conditions import Standings, of_integrations, of_stages
from pipeline.notices.deciding import Deciding
from pipeline.notices.message import request_of
from pipeline.signing_key import key_of
from schemas.integrations import connected
from schemas.operating import Notice, NoticeState
from schemas.topics import INTEGRATIONS, NOTICES, RUNS

log = logging.getLogger(__name__)

LOOK_S: Final = 1.0
TIMEOUT_S: Final = 10.0
LONGEST_WAIT_S: Final = 60.0
GIVE_UP_MS: Final = 3_600_000
"""A change that nobody took for an hour is told no more: the newest of its subject follows all the same."""
AT_ONCE: Final = 8
"""Requests under way: a URL that does not answer costs no more connections than these."""

Sent = Literal["told", "failed", "given_up"]


class Tables(Protocol):
    """Configuration, runs and notices as they are now."""

    def table(self, topic: str) -> Mapping[str, Any]: ...

    def get(self, topic: str, key: str) -> Any: ...


@dataclass(frozen=True, slots=True)
class NoticeRoad:
    """Where notices go: the transport to the URL's host, path and query there, and the key that signs."""

    transport: HttpTransport
    target: str
    key: bytes
    installation: str = ""

    @classmethod
    def to(cls, url: str, secret: str, installation: str, proxy_url: str | None = None) -> "NoticeRoad":
        """The road to a URL, with what signs; `installation` is named in every body."""
        parts = urlsplit(url)
        target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        transport = HttpTransport(f"{parts.scheme}://{parts.netloc}", TIMEOUT_S, proxy_url=proxy_url)
        return cls(transport, target, key_of(secret), installation)


@dataclass(slots=True)
class _Tries:
    failures: int = 0
    next_ms: int = 0


class Notices:
    """Decides what is told and tells it, while `active` says yes."""

    def __init__(
        self,
        tables: Tables,
        publisher: Publisher,
        road: NoticeRoad,
        *,
        active: Callable[[], bool],
        now_ms: Callable[[], int],
        uniform: Uniform,
        count: Callable[[Sent], None],
    ) -> None:
        self._tables = tables
        self._publisher = publisher
        self._road = road
        self._active = active
        self._now_ms = now_ms
        self._uniform = uniform
        self._count = count
        self._deciding = Deciding()
        self._stages: Standings = {}
        self._tries: dict[str, _Tries] = {}  # notice id -> how sending it went so far

    def looked(self, lag: Lag) -> None:
        """The road was looked at."""
        self._stages = of_stages(lag)

    async def run(self) -> None:
        """Until cancelled; what goes wrong here is told and tried again, for the scheduler's work matters more."""
        try:
            while True:
                try:
                    await self.look()
                except Exception as error:  # noqa: BLE001 - without notices the scheduler works on
                    log.warning("changes of state are told later: %s: %s", type(error).__name__, error)
                await asyncio.sleep(LOOK_S)
        finally:
            await self._road.transport.aclose()

    async def look(self) -> None:
        """Write down what changed, then tell what waits."""
        if not self._active():
            self._stand_by()
            return
        rows: Mapping[str, Notice] = self._tables.table(NOTICES)
        names = connected(self._tables.table(INTEGRATIONS))
        for change in self._deciding.changes(self._standings(), rows, names, self._now_ms()):
            log.info("%s: %s, to be told", change.key, change.condition)
            await self._write(change)
        waiting = [row for row in self._tables.table(NOTICES).values() if row.state == "waiting"]
        self._tries = {row.notice_id: self._tries.get(row.notice_id, _Tries()) for row in waiting}
        due = [row for row in waiting if self._tries[row.notice_id].next_ms <= self._now_ms()]
        ends = await asyncio.gather(*map(self._tell, due[:AT_ONCE]), return_exceptions=True)
        if errors := [end for end in ends if isinstance(end, BaseException)]:
            raise errors[0]

    def _stand_by(self) -> None:
        self._deciding.forget()
        self._stages = {}
        self._tries.clear()

    def _standings(self) -> Standings:
        runs = runs_of(self._tables.table(RUNS)).values()
        return {**of_integrations(self._tables.table(INTEGRATIONS), runs), **self._stages}

    async def _tell(self, row: Notice) -> None:
        if not self._active():
            return  # another scheduler is active by now and tells it, under the same id
        why = await self._refused(row)
        if why is None:
            self._count("told")
            await self._ended(row, "told")
            return
        self._count("failed")
        tries = self._tries[row.notice_id]
        tries.failures += 1
        log.warning("%s: %s could not be told (try %d): %s", row.key, row.condition, tries.failures, why)
        if self._now_ms() - row.at_ms > GIVE_UP_MS:
            self._count("given_up")
            await self._ended(row, "given_up")
            return
        wait_s = min(LONGEST_WAIT_S, 2.0 ** min(tries.failures, 30))
        tries.next_ms = self._now_ms() + round(1000 * self._uniform(wait_s / 2, wait_s))

    async def _refused(self, row: Notice) -> str | None:
        """Why the URL did not take it; None: it did."""
        request = request_of(row, self._road.target, self._road.key, self._road.installation, self._now_ms())
        try:
            status = (await self._road.transport.send(request)).status
        except ConnectorError as error:
            return str(error)
        return None if 200 <= status < 300 else f"it answered {status}"

    async def _ended(self, row: Notice, state: NoticeState) -> None:
        if self._active() and self._tables.get(NOTICES, row.key) == row:
            await self._write(replace(row, state=state))

    async def _write(self, row: Notice) -> None:
        """Publish and wait until this process reads it, so that it never decides on an old row."""
        if not self._active():
            return
        await self._publisher.send(NOTICES, row.key, row)
        await until_read(NOTICES, lambda: self._tables.get(NOTICES, row.key) == row)
