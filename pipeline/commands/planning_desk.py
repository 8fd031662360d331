"""Plans for the console: both systems are asked by the connectors, and pairs are counted in a process of their own."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final

from connectors.kafka.producer import Publisher
from connectors.kafka.table import TableReader
from pipeline.commands.child import Opened, answer_of
from pipeline.console.listings import Listing
from pipeline.console.planning import Descriptions
from pipeline.core.mapping import MappingView
from pipeline.integration_file.model import IntegrationFile
from pipeline.operations import OperationRefused
from pipeline.operations.field_query import Asker, Wanted
from pipeline.operations.make_plan import CountJob, Look, count_job, planned
from pipeline.operations.pair_counts import PairCounts
from pipeline.operations.plan import Plan
from pipeline.operations.retained import Retained
from pipeline.operations.unlinked import unlinked
from pipeline.process import Process, now_ms
from schemas.configuration import DesiredIntegration
from schemas.integrations import settings_of
from schemas.records import ObjectMapping
from schemas.topics import INTEGRATIONS, MAPPINGS

ANSWERED_S: Final = 20.0
"""For each connector's answer."""


class NotCounted(OperationRefused):
    """The pairs could not be counted; the console's log says why."""


class PlanningDesk:
    """What the editor of mappings asks."""

    def __init__(self, process: Process, tables: TableReader, publisher: Publisher) -> None:
        self._box = process.box
        self._tables = tables
        self._asker = Asker(publisher, tables, ANSWERED_S, now_ms)
        self._look = Look(tables, self._asker, process.box.open)
        self._counting = asyncio.Lock()

    def seal(self, text: str, place: str) -> bytes:
        return self._box.seal(text, place)

    async def every_field(self, integration: str, wanted: Wanted) -> Descriptions:
        return await self._asker.answers(integration, wanted)

    async def plan(self, file: IntegrationFile, request: DesiredIntegration, only: str) -> Plan:
        return await planned(self._look, file, request, self._counted, only)

    async def unlinked(self, integration: str) -> Listing:
        settings = settings_of(self._tables.table(INTEGRATIONS), integration)
        if settings is None:
            raise NotCounted(f"there is no integration {integration}")
        rows: Iterable[ObjectMapping] = self._tables.table(MAPPINGS).values()
        wanted = tuple(row for row in rows if row.integration == integration)
        async with self._counting:
            job = CountJob(integration, settings.connection, wanted)
            found: Listing = await answer_of(_listed, job, _not_listed)
        return found

    async def _counted(self, job: CountJob) -> Mapping[str, PairCounts]:
        """Counted by a child, one at a time: it holds every row of the integration, and no page waits for it."""
        async with self._counting:
            found: Mapping[str, PairCounts] = await answer_of(_count, job, _not_counted)
        return found


def _not_listed() -> NotCounted:
    return NotCounted("who is not linked could not be listed; the console's log says why")


def _listed(opened: Opened, job: CountJob) -> Listing:
    process = opened()
    cluster, codec, partitions = process.cluster, process.codec, process.settings.partitions
    prefix = f"{job.integration}:{job.connection}:"
    retained = Retained(cluster, codec, partitions, lambda *_: None, prefix, "userflow:")
    return Listing.of(
        {
            one.name: unlinked(MappingView(one), retained.objects_of(one)("userflow"), retained.pair_of(one))
            for one in job.mappings
        }
    )


def _not_counted() -> NotCounted:
    return NotCounted("the pairs could not be counted; the console's log says why")


def _count(opened: Opened, job: CountJob) -> Mapping[str, PairCounts]:
    process = opened()
    return count_job(process.cluster, process.codec, process.settings.partitions, lambda *_: None, job)
