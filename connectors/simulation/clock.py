"""The vendor's own clock, which may be ahead of or behind ours, and its text forms."""

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate


@dataclass(frozen=True)
class VendorClock:
    """`wall` and `monotonic` give seconds; `offset_ms` shifts every time the vendor shows, never its waits."""

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    offset_ms: int = 0

    def now_ms(self) -> int:
        """Milliseconds since 1970 by the vendor's clock."""
        return int(self.wall() * 1000) + self.offset_ms

    def http_date(self) -> str:
        """The `Date` header of an answer given now."""
        return formatdate(self.now_ms() / 1000, usegmt=True)


def iso_z(epoch_ms: int) -> str:
    """`2026-03-01T12:00:00.000Z`, as HubSpot writes instants."""
    return _utc(epoch_ms).strftime("%Y-%m-%dT%H:%M:%S.") + f"{epoch_ms % 1000:03d}Z"


def iso_offset(epoch_ms: int) -> str:
    """`2026-03-01T12:00:00.000+00:00`, as Userflow writes instants."""
    return iso_z(epoch_ms).removesuffix("Z") + "+00:00"


def epoch_ms_of(text: str) -> int:
    """Milliseconds of an ISO 8601 instant or of a number of milliseconds; ValueError for anything else."""
    if text.lstrip("-").isdigit():
        return int(text)
    moment = dt.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return int((moment - _utc(0)) / dt.timedelta(milliseconds=1))


def _utc(epoch_ms: int) -> dt.datetime:
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=epoch_ms)
