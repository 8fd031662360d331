"""Requests reads for the whole state of OBJECTS: of objects a crawl missed, and of objects that show a deleted one.

Reads are requested as bulk, a hundred ids at a time; a cursor splits the work into slices.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from pipeline.agents.state import Output, Overlay
from pipeline.agents.step import Effects, Incoming
from pipeline.core.matching import holds
from schemas.records import ConnectorRequest, ObjectState, StateCommand
from schemas.topics import STATE_COMMANDS, requests_topic

MOST_OUTPUTS: Final = 500
IDS_A_REQUEST: Final = 100

Chosen = Callable[[ObjectState], bool]


def holding(incoming: Incoming, command: StateCommand, overlay: Overlay[ObjectState]) -> Effects:
    """Request every HubSpot object whose known fields meet the command's condition."""
    prefix = f"{command.integration}:{command.connection}:hubspot:"
    return _reread(incoming, command, prefix, overlay, lambda state: holds(state.fields, command.where))


def sweep(incoming: Incoming, command: StateCommand, overlay: Overlay[ObjectState]) -> Effects:
    """Request the objects of a type that its crawl missed: some systems report no deletions.

    `object_key` is the prefix of the type's keys. Run ids sort by time, so objects that a later run saw are left out.
    """
    run_id = command.run_id or ""
    return _reread(incoming, command, command.object_key or "", overlay, lambda state: (state.run_id or "") < run_id)


def _reread(
    incoming: Incoming, command: StateCommand, prefix: str, overlay: Overlay[ObjectState], chosen: Chosen
) -> Effects:
    """After MOST_OUTPUTS requests a cursor continues the rest."""
    ids: dict[tuple[str, str], list[str]] = defaultdict(list)
    outputs: list[Output] = []
    done = command.cursor
    for key in overlay.keys_after(command.cursor, prefix):
        if len(outputs) + len(ids) >= MOST_OUTPUTS:
            outputs.append(Output(STATE_COMMANDS, incoming.key, replace(command, cursor=done), incoming.partition))
            break
        done = key
        state = overlay.get(key)
        if state is None or not state.present or not chosen(state):
            continue
        _, _, system, object_type, object_id = key.split(":", 4)
        kind = system, object_type
        ids[kind].append(object_id)
        if len(ids[kind]) == IDS_A_REQUEST:
            outputs.append(_request(command, *kind, tuple(ids.pop(kind))))
    outputs += [_request(command, *kind, tuple(left)) for kind, left in ids.items()]
    return Effects(tuple(outputs), "derived")


def _request(command: StateCommand, system: str, object_type: str, ids: tuple[str, ...]) -> Output:
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
