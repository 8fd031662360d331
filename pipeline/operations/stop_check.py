"""Whether an installation stands still: nothing takes records, writes them, or is half done that knows of offsets."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from connectors.kafka.admin import Admin
from connectors.kafka.cluster import Cluster
from connectors.kafka.members import members
from connectors.kafka.reading import read_to_end
from connectors.kafka.topology import SCHEDULER_GROUP, connector_group
from pipeline.full_sync.rows import runs_of
from schemas.codec import Codec
from schemas.operating import Replay
from schemas.topics import ERASURES, REPLAYS, RUNS, VITALS, WORKER_GROUP
from schemas.values import SYSTEMS
from schemas.vitals import Vitals

GROUPS: Final = (WORKER_GROUP, *map(connector_group, SYSTEMS), SCHEDULER_GROUP)
LEAVE_S: Final = 20.0  # a group keeps the place of a member that ended for its session of 10 s
SIGN_OF_LIFE_S: Final = 6.5  # every process writes its figures every 5 s
LOOK_EVERY_S: Final = 0.5
STOP_IT: Final = "stop it: only the brokers are to run"


@dataclass(frozen=True, slots=True)
class Installation:
    """What is looked at."""

    cluster: Cluster
    codec: Codec
    admin: Admin


def alive(installation: Installation, say: Callable[[str], None] = lambda _: None) -> list[str]:
    """What runs, a sentence each, once members that ended are forgotten; blocks for some seconds."""
    return _writers(installation) or still_members(installation.cluster, GROUPS, say)


def still_members(
    cluster: Cluster, groups: Sequence[str], say: Callable[[str], None], what_to_do: str = STOP_IT
) -> list[str]:
    """The groups that have members, a sentence each, once those that ended are forgotten; blocks for some seconds."""
    deadline, told = time.monotonic() + LEAVE_S, False
    while True:
        found = members(cluster, groups)
        left = [_sentence(group, names, what_to_do) for group, names in found.items() if names is None or names]
        if not left or time.monotonic() > deadline:
            return left
        if not told:
            say("waiting until the groups have let go of their members ...")
            told = True
        time.sleep(LOOK_EVERY_S)


def _sentence(group: str, names: Sequence[str] | None, what_to_do: str) -> str:
    if names is None:
        return f"the coordinator of {group} does not tell its members: look at the brokers"
    return f"{group} has the members {', '.join(sorted(names))}: {what_to_do}"


def _writers(installation: Installation) -> list[str]:
    """Processes that write their figures now; those of no group, the receiver say, are found by nothing else."""
    admin, deadline = installation.admin, time.monotonic() + SIGN_OF_LIFE_S
    begun = admin.end_offsets([VITALS])
    while time.monotonic() < deadline:
        if admin.end_offsets([VITALS]) != begun:
            found = {_process(installation.codec, one.value) for one in read_to_end(installation.cluster, begun)}
            return [f"{name} has just written its figures: {STOP_IT}" for name in sorted(found)]
        time.sleep(LOOK_EVERY_S)
    return []


def _process(codec: Codec, value: bytes | None) -> str:
    row = codec.decode(VITALS, value or b"")
    return row.process if isinstance(row, Vitals) else "a process"


def under_way(tables: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """What knows of offsets or partitions and is half done, a sentence each; `tables` are the rows by topic. Pure."""
    for key, row in tables[REPLAYS].items():
        if isinstance(row, Replay) and row.state == "running":
            yield f"replay {key} is under way: let it end, or `pairstream replay cancel {key}`"
    for run in runs_of(tables[RUNS]).values():
        if run.under_way:
            name = run.row.integration
            yield f"full sync {run.run_id} of {name} is under way: let it end, or `pairstream full-sync cancel {name}`"
    if any(part.rewriting is not None for part in tables[ERASURES].values()):
        yield "an erasure rewrites topics: let the scheduler end it, some minutes at most"
