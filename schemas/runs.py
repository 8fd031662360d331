"""Requests for full syncs: rows of `sync.runs` that the active scheduler takes."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from schemas.records import FullSyncRun, RunProgress

RequestedBy = Literal["person", "schedule", "reconnect", "gap"]


def new_run_id(now_ms: int) -> str:
    """Sorts by time: an older run that is replayed must not pass for a new one."""
    return f"{now_ms:013d}-{uuid.uuid4().hex[:4]}"


def run_request(
    integration: str,
    now_ms: int,
    by: RequestedBy,
    *,
    types: Sequence[str] = (),
    mappings: Sequence[str] = (),
    connection: int = 0,
    supersede: bool = False,
) -> RunProgress:
    """The row that asks for a run; `types` are `<system>.<object type>`, and stand for the mappings that use them.

    Its key is its run id. `connection` 0: whichever is in force when it begins.
    """
    asked = FullSyncRun(requested_by=by, connection=connection, types=tuple(types), supersede=supersede)
    run_id = new_run_id(now_ms)
    return RunProgress(
        run_id, integration, "run", "requested", now_ms, now_ms, mappings=tuple(mappings), full_sync=asked
    )


def revisions_told(revisions: Mapping[str, int]) -> tuple[str, ...]:
    """Mappings with their revisions, as the values of a request of kind `whole`."""
    return tuple(f"{mapping}@{revision}" for mapping, revision in sorted(revisions.items()))


def revisions_in(values: Iterable[str]) -> dict[str, int]:
    """The same read back; what is none is left out."""
    words = (value.rpartition("@") for value in values)
    return {mapping: int(revision) for mapping, _, revision in words if revision.isdecimal()}
