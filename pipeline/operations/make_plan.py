"""Making a plan: what both systems say, and what the retained state would make of it."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from connectors.kafka.cluster import Cluster
from connectors.kafka.latest import Progress, latest_rows
from connectors.kafka.producer import Publisher
from connectors.kafka.table import TableReader
from pipeline.core.mapping import MappingView
from pipeline.integration_file.model import IntegrationFile
from pipeline.operations import apply
from pipeline.operations.field_query import Asker, NotAnswered
from pipeline.operations.pair_counts import PairCounts, RetainedState, count_pairs
from pipeline.operations.plan import InForce, Plan, make_plan, planned_mappings
from pipeline.secrets import SecretBox
from schemas.codec import Codec
from schemas.configuration import IntegrationSettings
from schemas.records import ObjectMapping
from schemas.state import ObjectState, PairState
from schemas.topics import INTEGRATIONS, MAPPINGS, OBJECTS_STATE, PAIRS_STATE, object_key, pair_key
from schemas.values import System

NOT_CONNECTED = "not connected yet: `apply` checks the fields, and pairs are known after a full sync"


@dataclass(frozen=True, slots=True)
class PlanDeps:
    """What planning needs of its process."""

    publisher: Publisher
    tables: TableReader
    cluster: Cluster
    codec: Codec
    box: SecretBox
    partitions: int
    progress: Progress
    now_ms: Callable[[], int]


async def plan(deps: PlanDeps, file: IntegrationFile, within_s: float, *, pairs: bool) -> Plan:
    """What applying the file would do. Nothing is changed but for the inquiry itself."""
    request = apply.desired(file, deps.box.seal, deps.now_ms())
    tables = deps.tables
    now = InForce(tables.table(INTEGRATIONS), tables.table(MAPPINGS), deps.box.open)
    settings = now.same_accounts(request, file.integration)
    if settings is None:
        return make_plan(file, request, now, NOT_CONNECTED)
    try:
        described = await Asker(deps.publisher, tables, within_s, deps.now_ms).ask(file)
    except NotAnswered as error:
        return make_plan(file, request, now, f"fields and pairs could not be looked at: {error}")
    made = make_plan(file, request, now, described)
    if made.problems or not pairs:
        return made
    wanted = planned_mappings(described, settings)
    return replace(made, pairs=await asyncio.to_thread(_pairs, deps, settings, made, wanted))


def _pairs(
    deps: PlanDeps, settings: IntegrationSettings, made: Plan, wanted: tuple[ObjectMapping, ...]
) -> Mapping[str, PairCounts]:
    retained = _Retained(deps, f"{made.integration}:{settings.connection}:")
    kept = {change.name for change in made.mappings if change.kind == "unchanged"}
    return {
        mapping.name: count_pairs(
            MappingView(mapping),
            RetainedState(
                retained.objects_of(mapping),
                retained.pair_of(mapping) if mapping.name in kept else _no_pair,
                frozenset(one.name for one in made.create if one.object_type == mapping.hubspot_type),
            ),
        )
        for mapping in wanted
    }


def _no_pair(match_value: str) -> None:
    """A mapping that changes starts without what was settled or refused under the former one."""


class _Retained:
    """The state rows of one connection, decoded one at a time."""

    def __init__(self, deps: PlanDeps, prefix: str) -> None:
        self._codec = deps.codec
        self._objects = latest_rows(deps.cluster, OBJECTS_STATE, deps.partitions, prefix, deps.progress)
        self._pairs = latest_rows(deps.cluster, PAIRS_STATE, deps.partitions, prefix, deps.progress)

    def objects_of(self, mapping: ObjectMapping) -> Callable[[System], Iterator[tuple[str, ObjectState]]]:
        def rows(system: System) -> Iterator[tuple[str, ObjectState]]:
            object_type = mapping.hubspot_type if system == "hubspot" else mapping.userflow_type
            prefix = object_key(mapping.integration, mapping.connection, system, object_type, "")
            for key, value in self._objects.items():
                if key.startswith(prefix):
                    yield key.removeprefix(prefix), self._codec.decode(OBJECTS_STATE, value)

        return rows

    def pair_of(self, mapping: ObjectMapping) -> Callable[[str], PairState | None]:
        def row(match_value: str) -> PairState | None:
            key = pair_key(mapping.integration, mapping.connection, mapping.name, match_value)
            value = self._pairs.get(key)
            return None if value is None else self._codec.decode(PAIRS_STATE, value)

        return row
