"""When the next request may leave: a rolling window that follows the vendor's headers, or a rate found by trying."""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from connectors.http.messages import BULK, Purpose, RateNotice

NEVER = float("inf")
"""Not before an answer comes."""

BULK_SHARE = 0.99
"""The share of a window up to which bulk fills what live leaves."""

BULK_CATCHES_UP = 0.1
"""The share of a window that bulk may take at once after it had nothing to send."""

BULK_KEEPS = 0.2
BULK_KEEPS_TURNS = 0.75
"""The share of the even pace that bulk keeps however few places are left; the second where live holds most of the
window: its turns decide then (`budget.py`)."""

READS_ALONE = 1
"""Places of a window that only live reads take."""

BURST_LEAVES = 0.1
"""Places left to live reads for each place of a live write: those come in bursts, and come free in bursts."""

BULK_LEAVES = 2
"""Tokens of a rate that bulk leaves to others: a live write of Userflow is a read and a write."""

BULK_PATIENCE_S = 1.0
"""How long bulk steps back behind a rate that others use up: nobody waits for ever."""

THROTTLED_PAUSE_S = 1.0
SLOW_START = 0.25
"""How much each request raises a rate not known to be bad, as TCP does: from 8 to 32 a second takes 6 s, not 24."""

CEILING_SHARE = 0.9
CEILING_HOLD_S = 300.0
_ROUNDING = 1e-9


SHOWN_S = 10.0
"""Of a rate that was found by trying, the requests of so long are told."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How much of a limit is used at one moment."""

    ceiling: int  # requests that may leave in an interval
    interval_s: float
    used: Mapping[Purpose, int]  # of the interval until now
    others: int = 0  # what others used of it, as answers tell
    paused_s: float = 0.0  # so long nothing leaves
    found: bool = False  # whether the ceiling was found by trying


class Limiter(Protocol):
    """Knows one limit of a vendor; every `now` is seconds of one monotonic clock."""

    def opens_at(self, purpose: Purpose, now: float) -> float:
        """When a request may leave: `now` or earlier means at once, NEVER means after the next answer."""
        ...

    def took(self, purpose: Purpose, now: float) -> None:
        """A request leaves."""
        ...

    def ended(self, purpose: Purpose, sent_at: float, now: float) -> None:
        """The request that left at `sent_at` was answered, or is given up."""
        ...

    def follow(self, notice: RateNotice, now: float) -> None:
        """An answer's headers name the limit; called before that request's `ended`."""
        ...

    def throttled(self, wait_s: float | None, sent_at: float, now: float) -> None:
        """The request that left at `sent_at` was refused for its rate."""
        ...

    def spent(self, now: float) -> float:
        """The share of the limit's places that are taken; 0 where no limit is known."""
        ...

    def standing(self, now: float) -> Standing:
        """How much of the limit is used."""
        ...


@dataclass(frozen=True, slots=True)
class WindowSettings:
    """A limit of `limit` requests per rolling `interval_s`, of which the share `margin` is used.

    `announced`: answers name the real numbers, and until the first answer one request leaves at a time.
    """

    limit: int = 100
    interval_s: float = 10.0
    in_flight: int = 10
    margin: float = 0.99
    announced: bool = True


class RollingWindow:
    """Never more than the limit in any interval, wherever between leaving and answer the vendor counts a request.

    A request holds its place from its leaving until one interval after its answer. Others who use the same limit are
    seen in what remains. Bulk spreads what is free over the time until places come free: live finds one at any time.
    """

    def __init__(self, settings: WindowSettings | None = None) -> None:
        self._settings = settings or WindowSettings()
        self._interval_s = self._settings.interval_s
        self._limit = self._usable(self._settings.limit)
        self._known = not self._settings.announced
        self._flying = 0
        self._held: Counter[Purpose] = Counter()
        self._ended: deque[tuple[float, Purpose]] = deque()
        self._others, self._others_until = 0, 0.0
        self._next_bulk_at = 0.0
        self._paused_until = 0.0

    def opens_at(self, purpose: Purpose, now: float) -> float:
        """The pause ends, a place comes free, or bulk's next turn."""
        self._forget(now)
        earliest = max(self._paused_until, self._next_bulk_at if purpose in BULK else 0.0)
        if self._flying >= (self._settings.in_flight if self._known else 1):
            return NEVER
        if self._has_room(purpose):
            return earliest
        return max(earliest, self._next_free())

    def took(self, purpose: Purpose, now: float) -> None:
        """The request holds a place from now on."""
        self._flying += 1
        self._held[purpose] += 1
        if purpose in BULK:
            per_s = self._bulk_per_s(now)
            self._next_bulk_at = max(self._next_bulk_at, now - self._limit * BULK_CATCHES_UP / per_s) + 1.0 / per_s

    def ended(self, purpose: Purpose, sent_at: float, now: float) -> None:
        """Its place comes free after an interval: it may have been counted only now."""
        self._flying -= 1
        self._ended.append((now + self._interval_s, purpose))

    def follow(self, notice: RateNotice, now: float) -> None:
        """Others' use is what the vendor counted beyond ours; ours in flight may be counted or not."""
        if not self._settings.announced:
            return
        self._forget(now)
        self._known = True
        self._limit, self._interval_s = self._usable(notice.limit), notice.interval_s
        at_most = notice.limit - notice.remaining - len(self._ended)
        at_least = at_most - self._flying
        self._others = max(0, at_least, min(self._others, at_most))
        self._others_until = now + self._interval_s

    def throttled(self, wait_s: float | None, sent_at: float, now: float) -> None:
        """Nothing leaves until the wait is over."""
        self._paused_until = max(self._paused_until, now + (self._interval_s if wait_s is None else wait_s))

    def spent(self, now: float) -> float:
        """Ours and others'."""
        self._forget(now)
        return min((self._held.total() + self._others) / self._limit, 1.0)

    def standing(self, now: float) -> Standing:
        """Every place that is held counts: the vendor may have counted it."""
        self._forget(now)
        used = {purpose: number for purpose, number in self._held.items() if number}
        return Standing(self._limit, self._interval_s, used, self._others, max(self._paused_until - now, 0.0))

    def _usable(self, limit: int) -> int:
        return max(1, int(limit * self._settings.margin))

    def _bulk_per_s(self, now: float) -> float:
        """The pace at which free places last until those that are held come free: live finds one at any time.

        An even pace would fill a window in which live or bulk itself took many at once, and then there are none for
        seconds.
        """
        held, most = self._held.total() + self._others, self._limit * BULK_SHARE
        even, free = most / self._interval_s, most - held
        lasting = ((free + number) / (at - now) for number, (at, _) in enumerate(self._ended, 1) if at > now)
        live = held - sum(self._held[bulk] for bulk in BULK)
        least = BULK_KEEPS_TURNS if live * 2 > self._limit else BULK_KEEPS
        return min(max(min(lasting, default=even), even * least), even * 2)

    def _has_room(self, purpose: Purpose) -> bool:
        held = self._held.total()
        if held + self._others >= self._limit:
            return False
        if purpose in ("live_read", "search"):
            return True
        others = held - self._held["live_read"]
        bursts = others - sum(self._held[bulk] for bulk in BULK)
        return others < max(1, int(self._limit - READS_ALONE - bursts * BURST_LEAVES))

    def _next_free(self) -> float:
        ends = [self._ended[0][0]] if self._ended else []
        return min([*ends, *([self._others_until] if self._others else [])], default=NEVER)

    def _forget(self, now: float) -> None:
        while self._ended and self._ended[0][0] <= now:
            _, purpose = self._ended.popleft()
            self._held[purpose] -= 1
        if self._others_until <= now:
            self._others = 0


@dataclass(frozen=True, slots=True)
class AdaptiveSettings:
    """The rate for a vendor that names no limit: requests per second at the start, at least and at most."""

    start_per_s: float = 8.0
    min_per_s: float = 1.0
    max_per_s: float = 100.0
    in_flight: int = 4
    burst: int = 4


class AdaptiveRate:
    """A rate that grows while it is used up, by a quarter a second until the vendor refuses and is halved; then by one.

    A rate that was refused is not tried again for some minutes. Refusals without an answer between them, as in an
    outage, say nothing more of the limit: once the vendor answers, the rate grows by a quarter again up to what the
    first of them left of it (TCP's slow start). Bulk leaves a place under way and some tokens, so that a live request
    leaves at once; bulk alone still uses the whole rate.
    """

    def __init__(self, settings: AdaptiveSettings | None = None) -> None:
        self._settings = settings or AdaptiveSettings()
        self.per_s = min(self._settings.start_per_s, self._settings.max_per_s)
        self._tokens = float(self._settings.burst)
        self._filled_at = 0.0
        self._flying: Counter[Purpose] = Counter()
        self._sent: deque[tuple[float, Purpose]] = deque()  # of the last SHOWN_S
        self._bulk_at = -NEVER
        self._used_up = False
        self._cut_at = -NEVER
        self._answered = True  # since the last cut
        self._known_good = NEVER  # what was left of the rate by the first cut since an answer
        self._ceiling = self._settings.max_per_s
        self._paused_until = 0.0

    def opens_at(self, purpose: Purpose, now: float) -> float:
        """The pause ends, or the next token comes."""
        if not self._has_place(purpose):
            return NEVER
        self._fill(now)
        opens_at = self._level_at(1.0, now)
        if purpose in BULK:
            room_at = self._level_at(min(1.0 + BULK_LEAVES, self._settings.burst), now)
            opens_at = max(opens_at, min(room_at, self._bulk_at + BULK_PATIENCE_S))
        self._used_up = self._used_up or opens_at > now
        return max(self._paused_until, opens_at)

    def took(self, purpose: Purpose, now: float) -> None:
        """One token less."""
        self._fill(now)
        self._tokens -= 1.0
        self._flying[purpose] += 1
        self._sent.append((now, purpose))
        self._forget_sent(now)
        if purpose in BULK:
            self._bulk_at = now

    def ended(self, purpose: Purpose, sent_at: float, now: float) -> None:
        """An answer without complaint lets the rate grow, if somebody had to wait for it."""
        self._flying[purpose] -= 1
        if sent_at <= self._cut_at:
            return
        self._answered = True
        if not self._used_up:
            return
        self._used_up = False
        if now - self._cut_at > CEILING_HOLD_S:
            self._ceiling = self._settings.max_per_s
        growth = SLOW_START if self.per_s < self._known_good else 1.0 / self.per_s
        self.per_s = max(self.per_s, min(self._ceiling, self.per_s + growth))

    def follow(self, notice: RateNotice, now: float) -> None:
        """A limit in the headers caps the rate; a vendor without such headers never calls this."""
        self._ceiling = max(self._settings.min_per_s, min(self._ceiling, notice.limit / notice.interval_s))
        self.per_s = min(self.per_s, self._ceiling)

    def throttled(self, wait_s: float | None, sent_at: float, now: float) -> None:
        """Halve once for all requests that left before the last halving, and pause."""
        self._paused_until = max(self._paused_until, now + (THROTTLED_PAUSE_S if wait_s is None else wait_s))
        if sent_at <= self._cut_at:
            return
        half = max(self._settings.min_per_s, self.per_s / 2)
        if self._answered:
            self._known_good = half
            self._ceiling = max(self._settings.min_per_s, self.per_s * CEILING_SHARE)
        self._cut_at, self._answered = now, False
        self._tokens = 0.0
        self.per_s = half

    def spent(self, now: float) -> float:
        """Nothing: a rate that is found by trying has no places."""
        return 0.0

    def standing(self, now: float) -> Standing:
        """What left lately, beside what the rate as it is now lets leave in that time."""
        self._forget_sent(now)
        used = Counter(purpose for _, purpose in self._sent)
        paused_s = max(self._paused_until - now, 0.0)
        return Standing(round(self.per_s * SHOWN_S), SHOWN_S, used, paused_s=paused_s, found=True)

    def _forget_sent(self, now: float) -> None:
        while self._sent and self._sent[0][0] <= now - SHOWN_S:
            self._sent.popleft()

    def _has_place(self, purpose: Purpose) -> bool:
        bulk = sum(self._flying[one] for one in BULK)
        full = self._flying.total() >= self._settings.in_flight
        return not full and (purpose not in BULK or bulk < max(1, self._settings.in_flight - 1))

    def _level_at(self, tokens: float, now: float) -> float:
        """When that many tokens are there."""
        return now + max(0.0, tokens - self._tokens - _ROUNDING) / self.per_s

    def _fill(self, now: float) -> None:
        gained = max(0.0, now - self._filled_at) * self.per_s
        self._tokens = min(float(self._settings.burst), self._tokens + gained)
        self._filled_at = now
