"""Asks both connectors to describe a file's fields; nothing is changed.

They own the vendors' budgets and the credentials in force, so nobody else calls a vendor.
"""

import asyncio
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Final

from connectors.kafka.producer import Publisher
from connectors.kafka.table import TableReader
from pipeline.integration_file.model import IntegrationFile
from pipeline.provisioning.described import DescribedFile, described_file
from pipeline.provisioning.resolve import fields_of
from schemas.configuration import STANDS, Description, Inquiry, IntegrationPart
from schemas.integrations import connector_of
from schemas.topics import INTEGRATIONS
from schemas.values import SYSTEMS, System

POLL_EVERY_S: Final = 0.05
AGAIN_S: Final = 0.5  # how long after asking it shows whether somebody else asked later
AWAY_S: Final = 3.0  # how long a system that was given up as away may take to answer all the same

Wanted = Mapping[System, Mapping[str, tuple[str, ...]]]
"""System -> object type -> fields."""


class NotAnswered(RuntimeError):
    """A system could not be asked; the message says which and why."""


class Asker:
    """Asks the connectors that own an integration; `within_s` is how long each of their answers may take."""

    def __init__(self, publisher: Publisher, tables: TableReader, within_s: float, now_ms: Callable[[], int]) -> None:
        self._publisher = publisher
        self._tables = tables
        self._within_s = within_s
        self._now_ms = now_ms
        self._asking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def ask(self, file: IntegrationFile) -> DescribedFile:
        """Both systems' descriptions of the file's fields. Raises NotAnswered.

        Names of a custom type's fields follow from its schema, so a file that has one is asked for twice.
        """
        wanted = _wanted(file)
        while True:
            answers = await self.answers(file.integration, wanted)
            described = described_file(file, answers["hubspot"], answers["userflow"])
            if _wanted(described.file) == wanted:
                return described
            wanted = _wanted(described.file)

    async def answers(self, integration: str, wanted: Wanted) -> Mapping[System, Description]:
        """What both systems say of these fields; of a type without names: of all its fields. Raises NotAnswered.

        One inquiry of an integration at a time: a later one takes the place of an earlier one. Where another process
        asked later, this one asks again once that one has its answers.
        """
        async with self._asking[integration]:
            return await self._answers(integration, wanted)

    async def _answers(self, integration: str, wanted: Wanted) -> Mapping[System, Description]:
        inquiry = Inquiry(uuid.uuid4().hex, wanted["hubspot"], wanted["userflow"], self._now_ms())
        part = IntegrationPart(integration, inquiry=inquiry)
        await self._publisher.send(INTEGRATIONS, f"{integration}/inquiry", part)
        asked_at = again_at = time.monotonic()
        deadline, away_at = asked_at + self._within_s, asked_at + min(AWAY_S, self._within_s)
        while True:
            parts = self._tables.table(INTEGRATIONS)
            answers = {system: _answer(parts, integration, system, inquiry.inquiry_id) for system in SYSTEMS}
            given = {system: answer for system, answer in answers.items() if answer is not None}
            refused = [
                f"{system} says {answer.reason}" for system, answer in given.items() if answer.reason is not None
            ]
            if refused:
                raise NotAnswered("; ".join(refused))
            if len(given) == len(SYSTEMS):
                return given
            if time.monotonic() - again_at > AGAIN_S and _answered_another(parts, integration, inquiry):
                await self._publisher.send(INTEGRATIONS, f"{integration}/inquiry", part)
                again_at = time.monotonic()
            away = any(_is_away(parts, integration, system) for system in SYSTEMS if system not in given)
            if time.monotonic() > (away_at if away else deadline):
                silent = (_silence(parts, integration, system) for system in SYSTEMS if system not in given)
                raise NotAnswered("; ".join(silent))
            await asyncio.sleep(POLL_EVERY_S)


def _wanted(file: IntegrationFile) -> Wanted:
    return {system: fields_of(file, system) for system in SYSTEMS}


def _answered_another(parts: Mapping[str, IntegrationPart], integration: str, ours: Inquiry) -> bool:
    """Whether somebody asked after us, and has both answers."""
    part = parts.get(f"{integration}/inquiry")
    newest = part.inquiry if part is not None else None
    if newest is None or newest.inquiry_id == ours.inquiry_id or newest.asked_at_ms < ours.asked_at_ms:
        return False
    return all(_answer(parts, integration, system, newest.inquiry_id) is not None for system in SYSTEMS)


def _answer(
    parts: Mapping[str, IntegrationPart], integration: str, system: System, inquiry_id: str
) -> Description | None:
    part = parts.get(f"{integration}/{system}/description")
    answer = part.description if part is not None else None
    return answer if answer is not None and answer.inquiry_id == inquiry_id else None


def _is_away(parts: Mapping[str, IntegrationPart], integration: str, system: System) -> bool:
    state = connector_of(parts, integration, system)
    return state is not None and state.status != "ok"


def _silence(parts: Mapping[str, IntegrationPart], integration: str, system: System) -> str:
    state = connector_of(parts, integration, system)
    if state is not None and state.status != "ok":
        return f"{system} {STANDS[state.status]}: {state.reason}"
    return f"the {system} connector did not answer: is it running?"
