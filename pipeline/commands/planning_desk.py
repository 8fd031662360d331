"""Plans for the console: both systems are asked by the connectors, and pairs are counted in a process of their own."""

import asyncio
import os
import pickle
import sys
from collections.abc import Mapping
from typing import Final

from connectors.kafka.producer import Publisher
from connectors.kafka.table import TableReader
from pipeline.config import load_settings
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
NICER: Final = 10
"""Counting gives way to what moves live traffic: it is one process among theirs."""


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
        argv, pipe = (sys.executable, "-m", __name__), asyncio.subprocess.PIPE
        async with self._counting:
            child = await asyncio.create_subprocess_exec(*argv, stdin=pipe, stdout=pipe)
            try:
                counted, _ = await child.communicate(pickle.dumps(job))
            finally:
                if child.returncode is None:
                    child.kill()
                    await child.wait()
        if child.returncode:
            raise NotCounted("the pairs could not be counted; the console's log says why")
        found: Mapping[str, PairCounts] = pickle.loads(counted)
        return found


def count_in_child() -> None:
    """A job from the input, its counts to the output; all else it has from its environment."""
    os.nice(NICER)
    job: CountJob = pickle.load(sys.stdin.buffer)
    process = Process.open(load_settings(os.environ), makes_key=False)
    counts = count_job(process.cluster, process.codec, process.settings.partitions, lambda *_: None, job)
    sys.stdout.buffer.write(pickle.dumps(counts))


if __name__ == "__main__":
    count_in_child()
