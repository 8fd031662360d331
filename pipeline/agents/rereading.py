"""Work on all of OBJECTS' state that asks for reads: of what a crawl did not see, of what shows an object that is gone.

Objects are asked for as bulk, a hundred at a time; the work goes in slices behind a cursor.
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
    """Ask for every HubSpot object known to hold what the command says."""
    prefix = f"{command.integration}:{command.connection}:hubspot:"
    return _reread(incoming, command, prefix, overlay, lambda state: holds(state.fields, command.where))


def sweep(incoming: Incoming, command: StateCommand, overlay: Overlay[ObjectState]) -> Effects:
    """Ask for the objects of a type that its crawl did not see: some systems delete in silence.

    `object_key` is how the keys of the type begin. Run ids sort by time: what a later run has reached is seen too.
    """
    run_id = command.run_id or ""
    return _reread(incoming, command, command.object_key or "", overlay, lambda state: (state.run_id or "") < run_id)


def _reread(
    incoming: Incoming, command: StateCommand, prefix: str, overlay: Overlay[ObjectState], chosen: Chosen
) -> Effects:
    """At MOST_OUTPUTS requests the rest goes on behind a cursor."""
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
