"""Reports the ConnectorState of one integration on `sync.integrations`; nothing else writes it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from connectors.contract.errors import ConnectorError
from connectors.session.connection import status_after
from connectors.session.letters import Publish
from schemas.configuration import SIGNING, ConnectorState, DescribedField, IntegrationPart, IntegrationSettings
from schemas.topics import INTEGRATIONS


class StateReport:
    """The newest ConnectorState of an integration; a change is published before a verb that asks for it returns.

    `seal` takes a text and the name of the secret.
    """

    def __init__(
        self, integration: str, system: str, state: ConnectorState, publish: Publish, seal: Callable[[str, str], bytes]
    ) -> None:
        self._integration = integration
        self._system = system
        self._state = state
        self._publish = publish
        self._seal = seal
        self._lock = asyncio.Lock()
        self._forgotten_ms: dict[str, int] = {}  # object type -> when one of its objects was erased last

    @property
    def state(self) -> ConnectorState:
        return self._state

    async def update(self, **changes: Any) -> None:
        """Publish the state with these fields replaced, unless they are so already."""
        async with self._lock:
            await self._replace(replace(self._state, **changes))

    async def replace(self, state: ConnectorState) -> None:
        """Publish this state, unless it was published already."""
        async with self._lock:
            await self._replace(state)

    async def _replace(self, state: ConnectorState) -> None:
        if state != self._state:
            part = IntegrationPart(self._integration, connector=state)
            await self._publish(INTEGRATIONS, f"{self._integration}/{self._system}", part)
            self._state = state

    async def keep_parked(self) -> None:
        """Report that something is parked, for whoever owns the integration when it is to be derived again."""
        await self.update(parked=True)

    async def keep_whole(self, object_type: str, revisions: Mapping[str, int], began_ms: int) -> None:
        """Report that every object of the type was read for these mappings, each under that revision of it.

        `began_ms`: when the reading began; what was erased since is not known by it.
        """
        async with self._lock:
            if began_ms <= self._forgotten_ms.get(object_type, -1):
                return
            read = {f"{object_type}/{mapping}": revision for mapping, revision in revisions.items()}
            await self._replace(replace(self._state, whole={**self._state.whole, **read}))

    async def forget_whole(self, object_type: str, now_ms: int) -> None:
        """Report that an object of the type may be there that nobody here knows: what was known of it was erased."""
        async with self._lock:
            self._forgotten_ms[object_type] = now_ms
            kept = {word: read for word, read in self._state.whole.items() if not word.startswith(f"{object_type}/")}
            await self._replace(replace(self._state, whole=kept))

    async def keep_withdrawn(self, outcome: str) -> None:
        """Report what came of withdrawing from the system; the secrets that it gave are of no use any more."""
        await self.update(withdrawn=outcome, grant=None, webhook_secret=None)

    async def keep_provisioned(
        self, revision: int, webhook_secret: str | None, created: Sequence[DescribedField] = ()
    ) -> None:
        """Report that the system is ready for the revision; None leaves the secret that signs its webhooks.

        Fields just created count as described: the last description is older than they are, and would call them gone.
        """
        secret = self._state.webhook_secret if webhook_secret is None else self._seal(webhook_secret, SIGNING)
        names = {(field.object_type, field.name) for field in created}
        others = (field for field in self._state.fields if (field.object_type, field.name) not in names)
        fields = (*others, *(replace(field, archived=False) for field in created))
        await self.update(provisioned_revision=revision, webhook_secret=secret, fields=fields)


def state_under(connection: int, last: ConnectorState | None) -> ConnectorState:
    """The last report, if it is of this connection: of an earlier one only the secrets the system gave are left."""
    if last is not None and last.connection == connection:
        return last
    fresh = ConnectorState(connection, 0, 0, "ok")
    return fresh if last is None else replace(fresh, grant=last.grant, webhook_secret=last.webhook_secret)


def state_unopened(last: ConnectorState | None, settings: IntegrationSettings, error: ConnectorError) -> ConnectorState:
    """The report of a system without a monitor: the credentials of these settings do not open it."""
    state = state_under(settings.connection, last)
    return replace(state, status=status_after(error), reason=error.reason, checked_revision=settings.revision)
