"""What changes while an integration is connected to a system: settings, whether the system works, what is parked."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

from connectors.contract.errors import ConnectorError, CredentialsRejected, Misconfigured, Unforeseen
from connectors.session.condition import VersionedCondition
from schemas.configuration import STANDS, ConnectorStatus

log = logging.getLogger(__name__)

Verb = Literal["read", "write"]


class ConnectionState:
    """Changed only by its verbs; every change but parking bumps `changes`.

    `name` stands in logs. `keep_parked` reports that something is parked, for whoever owns the integration next.
    """

    def __init__(self, name: str, keep_parked: Callable[[], Awaitable[None]], *, parked: bool = False) -> None:
        self._name = name
        self._keep_parked = keep_parked
        self._parked = parked
        self._revision = 0
        self._renewals = 0
        self._active = False
        self._closing = False
        self._status: ConnectorStatus = "ok"
        self._reason: str | None = None
        self._denied: dict[tuple[str, Verb], str] = {}
        self.changes = VersionedCondition()

    @property
    def revision(self) -> int:
        """The revision of the mappings in force, as this process knows it."""
        return self._revision

    @property
    def renewals(self) -> int:
        """How often the settings changed."""
        return self._renewals

    @property
    def active(self) -> bool:
        """The integration is to be written: it is not paused."""
        return self._active

    @property
    def closing(self) -> bool:
        """Nothing new is begun; unfinished records are left to the next owner."""
        return self._closing

    @property
    def parked(self) -> bool:
        """Something was parked since the pairs were last derived again."""
        return self._parked

    @property
    def status(self) -> ConnectorStatus:
        return self._status

    @property
    def reason(self) -> str | None:
        """The stable code of the error that the status stands for."""
        return self._reason

    @property
    def works(self) -> bool:
        return self._status == "ok"

    @property
    def away(self) -> bool:
        """Nothing is to be written for now: the integration is paused, or the system cannot be worked with."""
        return not self._active or not self.works

    def renew(self, revision: int, *, active: bool) -> None:
        """Settings changed: these are in force from now on."""
        self._revision, self._active = revision, active
        self._renewals += 1
        self.changes.bump()

    def close(self) -> None:
        """Begin nothing new from now on."""
        self._closing = True
        self.changes.bump()

    async def park(self) -> None:
        """Note that something is about to be parked; returns once that is reported, whoever noted it first."""
        self._parked = True
        await self._keep_parked()

    def unpark(self) -> None:
        """The pairs are derived again: whatever was parked comes back."""
        self._parked = False

    def fail(self, error: ConnectorError) -> None:
        """The system cannot be worked with for now; logged once."""
        status = status_after(error)
        if (status, error.reason) != (self._status, self._reason):
            log.warning("%s %s: %s", self._name, STANDS[status], error)
            self._status, self._reason = status, error.reason
            self.changes.bump()

    @property
    def denied(self) -> Mapping[tuple[str, Verb], str]:
        """The object types that the credentials may not read or write, with the reason; all else goes on."""
        return self._denied

    def deny(self, object_type: str, verb: Verb, reason: str) -> None:
        """The system forbids the verb for the type, and works; logged once."""
        if (object_type, verb) not in self._denied:
            log.warning("%s: may not %s %s: %s", self._name, verb, object_type, reason)
            self._denied[object_type, verb] = reason
            self.changes.bump()

    def lift(self) -> None:
        """Try again what was denied: a permission may have been granted."""
        self._denied = {}
        self.changes.bump()

    def recover(self) -> None:
        """The system can be worked with again."""
        if not self.works:
            log.info("%s answers again", self._name)
            self._status, self._reason = "ok", None
            self.changes.bump()

    async def usable(self) -> None:
        """Wait until the system can be worked with and the integration is not closing."""
        await self.changes.until(lambda: self.works and not self.closing)


def status_after(error: ConnectorError) -> ConnectorStatus:
    """The status of a system after an error that lasts."""
    if isinstance(error, CredentialsRejected):
        return "needs_reconnect"
    return "failed" if isinstance(error, Misconfigured | Unforeseen) else "unavailable"
