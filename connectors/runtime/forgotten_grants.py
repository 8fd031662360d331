"""Forgets the grants of integrations that somebody disconnected; one whose apply was refused keeps what was granted."""

from collections.abc import Callable, Coroutine
from typing import Any

from connectors.runtime.configuration import ConnectorConfiguration
from connectors.runtime.grants import GRANT_KEYS, GrantKey
from connectors.runtime.opening import IntegrationOpener
from schemas.configuration import IntegrationSettings


class ForgottenGrants:
    """Each grant is deleted once; `spawn` carries it out and tells of its failure."""

    def __init__(
        self,
        configuration: ConnectorConfiguration,
        opener: IntegrationOpener,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._configuration = configuration
        self._opener = opener
        self._spawn = spawn
        self._under_way: set[tuple[str, GrantKey]] = set()

    def begin(self, name: str, settings: IntegrationSettings) -> None:
        """For an integration that is not connected, and has no worker here."""
        for key in GRANT_KEYS if settings.apply_state == "done" else ():
            if self._configuration.grant(name, key) is None:
                self._under_way.discard((name, key))
            elif (name, key) not in self._under_way:
                self._under_way.add((name, key))  # until its end is read: a second one could meet a newer grant
                self._spawn(self._opener.forget_grant(name, key))
