"""Making a plan: what both systems say, and what the retained state would make of it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace

from connectors.kafka.cluster import Cluster
from connectors.kafka.latest import Progress
from connectors.kafka.producer import Publisher
from connectors.kafka.table import TableReader
from pipeline.core.mapping import MappingView
from pipeline.integration_file.model import IntegrationFile
from pipeline.operations import apply
from pipeline.operations.field_query import Asker, NotAnswered
from pipeline.operations.pair_counts import PairCounts, RetainedState, count_pairs
from pipeline.operations.plan import InForce, Plan, make_plan
from pipeline.operations.retained import Retained
from schemas.codec import Codec
from schemas.configuration import DesiredIntegration, IntegrationSettings
from schemas.records import ObjectMapping
from schemas.topics import INTEGRATIONS, MAPPINGS

NOT_CONNECTED = "not connected yet: `apply` checks the fields, and pairs are known after a full sync"


@dataclass(frozen=True, slots=True)
class PlanDeps:
    """What planning needs of its process."""

    publisher: Publisher
    tables: TableReader
    cluster: Cluster
    codec: Codec
    seal: Callable[[str, str], bytes]
    open_seal: Callable[[bytes, str], str]
    partitions: int
    progress: Progress
    now_ms: Callable[[], int]


async def plan(deps: PlanDeps, file: IntegrationFile, within_s: float, *, pairs: bool) -> Plan:
    """What applying the file would do. Nothing is changed but for the inquiry itself."""
    request = apply.desired(file, deps.seal, deps.now_ms())
    asking = Asker(deps.publisher, deps.tables, within_s, deps.now_ms)
    look = Look(deps.tables, asking, deps.open_seal)

    async def count(job: CountJob) -> Mapping[str, PairCounts]:
        return await asyncio.to_thread(count_job, deps.cluster, deps.codec, deps.partitions, deps.progress, job)

    return await planned(look, file, request, count if pairs else None)


@dataclass(frozen=True, slots=True)
class Look:
    """What a plan is compared with: what is in force, and what both systems say."""

    tables: TableReader
    asker: Asker
    open_seal: Callable[[bytes, str], str]


@dataclass(frozen=True, slots=True)
class CountJob:
    """What is to be counted: the mappings as they would be, over the retained objects of a connection."""

    integration: str
    connection: int
    mappings: tuple[ObjectMapping, ...]
    kept: frozenset[str] = frozenset()  # mappings that do not change: what was settled or refused under them holds
    created: Mapping[str, frozenset[str]] = field(default_factory=dict)  # HubSpot type -> fields that do not exist yet


Counting = Callable[[CountJob], Awaitable[Mapping[str, PairCounts]]]


async def planned(
    look: Look, file: IntegrationFile, request: DesiredIntegration, count: Counting | None, only: str | None = None
) -> Plan:
    """What a request of that file would do; `count` counts the pairs of one mapping or of all, None: they are not."""
    now = InForce(look.tables.table(INTEGRATIONS), look.tables.table(MAPPINGS), look.open_seal)
    settings = now.same_accounts(request, file.integration)
    if settings is None:
        return make_plan(file, request, now, NOT_CONNECTED)
    try:
        described = await look.asker.ask(file)
    except NotAnswered as error:
        return make_plan(file, request, now, f"fields and pairs could not be looked at: {error}")
    made = await asyncio.to_thread(make_plan, file, request, now, described)  # a file may hold thousands of rules
    if made.problems or count is None:
        return made
    wanted = [one for one in made.records if only in (None, one.name)]
    return replace(made, pairs=await count(_job(made, settings, tuple(wanted))))


def _job(made: Plan, settings: IntegrationSettings, wanted: tuple[ObjectMapping, ...]) -> CountJob:
    return CountJob(
        made.integration,
        settings.connection,
        wanted,
        frozenset(change.name for change in made.mappings if change.kind == "unchanged"),
        {one.hubspot_type: _created(made, one.hubspot_type) for one in wanted},
    )


def _created(made: Plan, object_type: str) -> frozenset[str]:
    return frozenset(one.name for one in made.create if one.object_type == object_type)


def count_job(
    cluster: Cluster, codec: Codec, partitions: int, progress: Progress, job: CountJob
) -> Mapping[str, PairCounts]:
    """The ends of all pairs, by mapping. Blocks. Raises BrokersUnreachable where reading stalls."""
    retained = Retained(cluster, codec, partitions, progress, f"{job.integration}:{job.connection}:")
    return {
        mapping.name: count_pairs(
            MappingView(mapping),
            RetainedState(
                retained.objects_of(mapping),
                retained.pair_of(mapping) if mapping.name in job.kept else _no_pair,
                job.created.get(mapping.hubspot_type, frozenset()),
            ),
        )
        for mapping in job.mappings
    }


def _no_pair(match_value: str) -> None:
    """A mapping that changes starts without what was settled or refused under the former one."""
