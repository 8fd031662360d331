"""Requests reads for the whole state of OBJECTS: of objects a crawl missed, and of objects that show a deleted one.

Reads are requested as bulk, a hundred ids at a time; a cursor splits the work into slices.
"""

import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final, Literal

from pipeline.agents.key_order import KeyOrder
from pipeline.agents.run_parts import Reached, told
from pipeline.agents.state import Output, Overlay
from pipeline.agents.step import Effects, Incoming
from pipeline.core.matching import holds
from schemas.records import ConnectorRequest, StateCommand
from schemas.state import ObjectState
from schemas.topics import STATE_COMMANDS, object_of, requests_topic
from schemas.values import System

MOST_OUTPUTS: Final = 500
MOST_SWEPT: Final = 2_000  # a slice blocks the event loop, and every live change with it: some 8 us an object
IDS_A_REQUEST: Final = 100

Judgement = Literal["open", "vanished"]
"""open: to be read again; vanished: seen to be gone by this run."""


def holding(incoming: Incoming, command: StateCommand, overlay: Overlay[ObjectState]) -> Effects:
    """Request every HubSpot object whose known fields meet the command's condition."""
    prefix = f"{command.integration}:{command.connection}:hubspot:"
    keys = overlay.keys_after(command.cursor, prefix)
    outputs, cursor, _ = _reread(
        command, keys, overlay, lambda state: "open" if state.present and holds(state.fields, command.where) else None
    )
    return Effects((*outputs, *_go_on(incoming, command, cursor)), "derived")


def sweep(
    incoming: Incoming, command: StateCommand, overlay: Overlay[ObjectState], now_ms: int, order: KeyOrder
) -> Effects:
    """Request the objects of a type that its crawl missed, and count those that such a read showed to be gone.

    Some systems report no deletions. `object_key` is the prefix of the type's keys. Run ids sort by time, so objects
    that a later run saw are left out. Asked for again once the reads have arrived, it finds none to be read.
    """
    run_id, prefix = command.run_id or "", command.object_key or ""

    def judged(state: ObjectState) -> Judgement | None:
        if state.present:
            return "open" if (state.run_id or "") < run_id else None
        return "vanished" if state.run_id == run_id else None

    named = (prefix, run_id, command.step, command.attempt)
    keys = order.after(named, incoming.partition, command.cursor, lambda: overlay.keys_after(None, prefix))
    outputs, cursor, counted = _reread(command, keys, overlay, judged, MOST_SWEPT)
    if cursor is None:
        order.forget(named, incoming.partition)
    command = replace(command, counts=counted + Counter(command.counts))
    reached = Reached(command.counts, ended=cursor is None)
    row = (told(incoming, ".".join(prefix.split(":")[2:4]), reached, now_ms),) if command.step else ()
    return Effects((*outputs, *_go_on(incoming, command, cursor), *row), "derived")


def _reread(
    command: StateCommand,
    keys: Iterable[str],
    overlay: Overlay[ObjectState],
    judged: Callable[[ObjectState], Judgement | None],
    most: int = sys.maxsize,
) -> tuple[list[Output], str | None, Counter[str]]:
    """Request what is judged open; returns where to go on after MOST_OUTPUTS requests, and how many were judged how.

    After `most` objects it goes on later too.
    """
    ids: dict[tuple[System, str], list[str]] = defaultdict(list)
    outputs: list[Output] = []
    counted: Counter[str] = Counter()
    done, cursor = command.cursor, None
    for looked, key in enumerate(keys):
        if len(outputs) + len(ids) >= MOST_OUTPUTS or looked >= most:
            cursor = done
            break
        done = key
        state = overlay.get(key)
        judgement = judged(state) if state is not None else None
        if judgement is not None:
            counted[judgement] += 1
        if judgement != "open":
            continue
        system, object_type, object_id = object_of(key)
        kind = system, object_type
        ids[kind].append(object_id)
        if len(ids[kind]) == IDS_A_REQUEST:
            outputs.append(_request(command, *kind, tuple(ids.pop(kind))))
    outputs += [_request(command, *kind, tuple(left)) for kind, left in ids.items()]
    return outputs, cursor, counted


def _go_on(incoming: Incoming, command: StateCommand, cursor: str | None) -> tuple[Output, ...]:
    """The record that continues behind the cursor; none at the end."""
    if cursor is None:
        return ()
    return (Output(STATE_COMMANDS, incoming.key, replace(command, cursor=cursor), incoming.partition),)


def _request(command: StateCommand, system: System, object_type: str, ids: tuple[str, ...]) -> Output:
    request = ConnectorRequest(
        command.integration,
        command.connection,
        kind="reread",
        object_type=object_type,
        values=ids,
        run_id=command.run_id,
        caused_by=command.caused_by,
        bulk=True,
    )
    return Output(requests_topic(system), command.integration, request)
