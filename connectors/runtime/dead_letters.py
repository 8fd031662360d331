"""Ends records that no half of an integration takes, and keeps incidents that belong to no record."""

import logging

from connectors.kafka.consumer import Taken
from connectors.runtime.deps import ConnectorDeps
from connectors.session.letters import publish_letter
from schemas.letters import letter_about, letter_id, letter_of_no_record
from schemas.values import System

log = logging.getLogger(__name__)


class DeadLetters:
    """The dead letters of one system's connector."""

    def __init__(self, system: System, deps: ConnectorDeps) -> None:
        self._system = system
        self._deps = deps

    async def bury(self, taken: Taken, reason: str, detail: str, about: object = None) -> None:
        """Publish the record as a dead letter, then finish it; `about` is the record, if it could be decoded."""
        letter = letter_about(taken, f"{self._system}.source", reason, detail, self._deps.now_ms(), about=about)
        await publish_letter(self._deps.publisher.send, letter)
        self._deps.count(self._system, getattr(about, "integration", ""), None, "dead-lettered", 1)
        taken.finished()

    def disconnected(self, taken: Taken) -> None:
        """Finish a record whose connection is over."""
        self._deps.count(self._system, "", None, "disconnected", 1)
        taken.finished()

    async def incident(self, integration: str, reason: str, detail: str) -> None:
        """Log something that must never happen, and keep it as a dead letter."""
        log.error("%s: incident %s: %s", integration, reason, detail)
        at_ms = self._deps.now_ms()
        letter = letter_of_no_record(
            id=letter_id(integration, reason, at_ms),
            integration=integration,
            stage=f"{self._system}.sink",
            reason=reason,
            detail=detail,
            at_ms=at_ms,
            key=integration,
        )
        await publish_letter(self._deps.publisher.send, letter)
