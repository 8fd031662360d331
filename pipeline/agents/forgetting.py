"""Forgets every row of connections that are over: an integration was disconnected, or has other accounts.

The command is handled once this process knows that they are over: a record that came before it, or comes after it,
makes no row again.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from pipeline.agents.configuration import OVER
from pipeline.agents.state import Output, Overlay
from pipeline.agents.step import Effects, Incoming, Needed
from schemas.records import StateCommand
from schemas.topics import STATE_COMMANDS

MOST_ROWS: Final = 5_000  # a slice blocks the event loop, and is one transaction


def known_to_be_over(command: StateCommand) -> Needed:
    """The configuration that the command is handled under."""
    return command.integration, command.connection, OVER


def forget(incoming: Incoming, command: StateCommand, overlay: Overlay[Any]) -> Effects:
    """Delete a slice of the rows of the integration's connections up to the command's; the command itself goes on."""
    rows = list(islice(_rows(command, overlay), MOST_ROWS + 1))
    for key in rows[:MOST_ROWS]:
        overlay.put(key, None)
    more = len(rows) > MOST_ROWS
    outputs = (Output(STATE_COMMANDS, incoming.key, command, incoming.partition),) if more else ()
    return Effects(outputs, "disconnected")


def _rows(command: StateCommand, overlay: Overlay[Any]) -> Iterator[str]:
    keys = overlay.keys()
    for key in keys:
        integration, connection, _ = key.split(":", 2)
        if integration == command.integration and int(connection) <= command.connection:
            yield key
