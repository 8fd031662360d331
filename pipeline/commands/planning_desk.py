"""Plans for the console: both systems are asked by the connectors, and pairs are counted in a process of their own."""

import asyncio
from collections.abc import Mapping
from typing import Final

from connectors.kafka.producer import Publisher
from connectors.kafka.table import TableReader
from pipeline.commands.child import Opened, answer_of
from pipeline.console.planning import Descriptions
from pipeline.integration_file.model import IntegrationFile
from pipeline.operations import OperationRefused
from pipeline.operations.field_query import Asker, Wanted
from pipeline.operations.make_plan import CountJob, Look, count_job, planned
from pipeline.operations.pair_counts import PairCounts
from pipeline.operations.plan import Plan
from pipeline.process import Process, now_ms
from schemas.configuration import DesiredIntegration

ANSWERED_S: Final = 20.0
"""For each connector's answer."""


class NotCounted(OperationRefused):
    """The pairs could not be counted; the console's log says why."""


class PlanningDesk:
    """What the editor of mappings asks."""

    def __init__(self, process: Process, tables: TableReader, publisher: Publisher) -> None:
        self._box = process.box
        self._asker = Asker(publisher, tables, ANSWERED_S, now_ms)
        self._look = Look(tables, self._asker, process.box.open)
        self._counting = asyncio.Lock()

    def seal(self, text: str, place: str) -> bytes:
        return self._box.seal(text, place)

    async def every_field(self, integration: str, wanted: Wanted) -> Descriptions:
        return await self._asker.answers(integration, wanted)

    async def plan(self, file: IntegrationFile, request: DesiredIntegration, only: str) -> Plan:
        return await planned(self._look, file, request, self._counted, only)

    async def _counted(self, job: CountJob) -> Mapping[str, PairCounts]:
        """Counted by a child, one at a time: it holds every row of the integration, and no page waits for it."""
        async with self._counting:
            found: Mapping[str, PairCounts] = await answer_of(_count, job, _not_counted)
        return found


def _not_counted() -> NotCounted:
    return NotCounted("the pairs could not be counted; the console's log says why")


def _count(opened: Opened, job: CountJob) -> Mapping[str, PairCounts]:
    process = opened()
    return count_job(process.cluster, process.codec, process.settings.partitions, lambda *_: None, job)
