"""Pulls an account's feeds as an integration does, with a clock that stands still: what they tell is kept."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from connectors.contract.account import Account
from connectors.contract.feed import Feed, Kept, Pulled
from connectors.contract.source import News, Seen
from connectors.inbound.patrol import Patrol
from schemas.records import Notification
from tests.unit.connectors.simulation.simulated import ToldTime

MOST_PULLS = 500
LAG_MS = 301_000  # the vendor's index has surely caught up by then


@dataclass
class FedAccount:
    """All feeds of an account, pulled by hand; `now` is the vendor's clock and ours."""

    account: Account
    now: ToldTime
    kept: dict[str, Kept] = field(default_factory=dict)
    gaps: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    seen: list[tuple[str, Seen]] = field(default_factory=list)
    _feeds: dict[str, Feed] = field(default_factory=dict)

    @property
    def now_ms(self) -> int:
        return int(self.now.seconds * 1000)

    async def pull(self, name: str) -> Pulled:
        """Once; how far it was pulled is kept."""
        pulled = await self._feed(name).pull(self.kept.get(name), self.now_ms)
        self.kept[name] = Kept(pulled.position, self.now_ms)
        self.bodies += pulled.bodies
        self.seen += [(self._feed(name).object_type or "", one) for one in pulled.objects]
        self.gaps += [pulled.gap] if pulled.gap else []
        return pulled

    async def until_quiet(self, name: str) -> None:
        """Pull until a feed waits."""
        for _ in range(MOST_PULLS):
            if (await self.pull(name)).wait_s > 0:
                return
        raise AssertionError(f"{name} never waits")

    async def round(self, *, after_ms: float = LAG_MS) -> None:
        """Let time pass, then pull all feeds, and each patrol to its end."""
        self.now.pass_ms(after_ms)
        feeds = self.account.feeds
        assert feeds is not None
        for name in (*feeds.names(), *feeds.names()):  # a trailing pass waits, and a leading one follows it
            await self.until_quiet(name)
        for object_type in feeds.patrolled():
            name = f"{object_type}/patrol"
            await self.pull(name)
            while self.kept[name].position:
                await self.pull(name)

    def restart(self) -> None:
        """Nothing is remembered but what was kept."""
        self._feeds.clear()

    def forget(self) -> None:
        """What was told so far is no news any more."""
        self.bodies.clear()
        self.seen.clear()

    def news(self) -> Sequence[News]:
        """What the feeds told, a whole object as news of it."""
        source, at_ms = self.account.source, self.now_ms
        told = [
            item
            for body in self.bodies
            for item in source.translate(Notification("acme", self.account.system, body, {}, at_ms)).news
        ]
        whole = [
            News(object_type, one.object_id, "upserted", one.fields, one.at_ms, one.spread_ms, complete=True)
            for object_type, one in self.seen
        ]
        return [*told, *whole]

    def _feed(self, name: str) -> Feed:
        if name not in self._feeds:
            feeds = self.account.feeds
            assert feeds is not None
            patrolled = name.removesuffix("/patrol")
            self._feeds[name] = feeds.open(name) if patrolled == name else Patrol(self.account.source, patrolled, 1_000)
        return self._feeds[name]
